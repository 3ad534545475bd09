"""The wheel holds everything, and an installed copy works with the network cut: no socket but loopback."""

import contextlib
import email
import importlib.metadata
import json
import os
import re
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.parse
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from PIL import Image

from cinn_app.imaging import sample_photographs

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

#: Runs at the start of every Python process: writes down each address that is not this machine's, and refuses it.
GUARD = """
import ipaddress, os, sys

def is_here(host):
    try:
        return host in (None, "localhost", b"localhost") or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

def watch(event, arguments):
    if event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = arguments[0]
    elif event in ("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple):  # a socket of the file system, or one that is connected already
            return
        host = address[0]
    else:
        return
    if not is_here(host):
        with open(os.environ["OUTSIDE"], "a") as record:
            record.write(f"{event} {host}\\n")
        raise OSError(f"{event} {host}: the network is cut")

sys.addaudithook(watch)
"""

#: Where pages and style sheets name what a browser fetches.
REFERENCES = (
    r"<(?:script|link|img)\b[^>]*?\s(?:src|href)=[\"']([^\"']+)",
    r"\burl\([\"']?([^\"')]+)",
    r"@import [\"']([^\"']+)",
)


class Installed:
    """A virtual environment into which only the wheel was installed.

    Args:
        folder: where to make it.
        wheel: the file to install.
        bare: see only the packages that the wheel cannot do without; otherwise all those of the running environment.

    Attributes:
        python: its interpreter.
        outside: where processes note the foreign addresses that they asked for.
        environment: variables under which the guard runs.
    """

    def __init__(self, folder: Path, wheel: Path, bare: bool = False) -> None:
        self.folder, self.python, self.outside = folder, folder / "bin" / "python", folder / "outside.txt"
        venv.create(folder, symlinks=True)
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
        site = next(folder.glob("lib/python*/site-packages"))
        if bare:
            for name in dependencies(wheel):
                for file in importlib.metadata.files(name) or ():
                    place = site / file.parts[0]
                    if file.parts[0] != ".." and not place.is_symlink():
                        place.symlink_to(Path(sysconfig.get_path("purelib")) / file.parts[0])
        else:
            # The packages of the environment that runs the tests, but not its checkout, whose .pth is not followed.
            # After the installation, in which pip would take the checkout's for the one to replace.
            (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
        guard = folder / "guard"
        guard.mkdir()
        (guard / "sitecustomize.py").write_text(GUARD)
        self.environment = {**os.environ, "PYTHONPATH": str(guard), "OUTSIDE": str(self.outside)}

    def run(self, *command: str | Path) -> str:
        """Run a command in an empty folder and return what it printed."""
        with contextlib.ExitStack() as stack:
            process = stack.enter_context(self.start(*command))
            output, errors = process.communicate()
        assert process.returncode == 0, output + errors
        return output

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command in an empty folder."""
        self.outside.write_text("")
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        return subprocess.Popen(
            [*map(str, command)],
            cwd=work,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def dependencies(wheel: Path) -> set[str]:
    """Return the distributions that an installation without extras brings, itself not included."""
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        waiting = email.message_from_bytes(archive.read(metadata)).get_all("Requires-Dist", [])
    found: set[str] = set()
    while waiting:
        needed = Requirement(waiting.pop())
        name = canonicalize_name(needed.name)
        if name not in found and (needed.marker is None or needed.marker.evaluate({"extra": ""})):
            found.add(name)
            waiting += importlib.metadata.requires(name) or []
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("installed"), wheel)


def test_without_extras_python_has_flows_and_models_and_the_command_line_names_what_is_missing(
    wheel: Path, tmp_path: Path
) -> None:
    bare = Installed(tmp_path / "bare", wheel, bare=True)
    absent = ("gradio", "lightning", "tensorboard", "pandas", "skimage", "matplotlib", "timm", "torchvision")
    statement = f"""
import importlib.util
assert not [name for name in {absent} if importlib.util.find_spec(name)]
import numpy as np
import cinn_app.checkpoints, cinn_app.flows, cinn_app.recipes
from cinn_app import Colorizer, DigitGenerator
gray = np.tile(np.arange(64, dtype=np.uint8), (48, 1))
print(Colorizer.load().colorize(gray)[0].render().shape, DigitGenerator.load().sample([7]).shape)
"""
    assert bare.run(bare.python, "-c", statement) == "(48, 64, 3) torch.Size([1, 1, 28, 28])\n"
    assert "cinn colorize" in bare.run(bare.python, "-m", "cinn_app", "colorize", "--help")
    for arguments, extra in ((["app"], "studio"), (["train", str(ROOT / "models" / "digits.toml")], "train")):
        with bare.start(bare.python, "-m", "cinn_app", *arguments) as process:
            output, errors = process.communicate()
        assert (process.returncode, output) == (1, "") and f'run pip install "cinn-app[{extra}]".' in errors


def names_below(folder: str, *patterns: str) -> set[str]:
    return {path.relative_to(ROOT / folder).as_posix() for pattern in patterns for path in ROOT.glob(folder + pattern)}


def test_the_wheel_holds_the_package_the_recipes_and_the_weights_and_nothing_else(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        f"cinn_app/{name}"
        for name in names_below(
            "cinn_app", "/**/*.py", "/**/*.js", "/**/*.css", "/**/*.html", "/**/*.po", "/**/*.webp", "/py.typed"
        )
    }
    models = {f"cinn_app/_shipped/models/{name}" for name in names_below("models", "/*.toml", "/*.md")}
    weights = {f"cinn_app/_shipped/checkpoints/{name}" for name in names_below("checkpoints", "/*.safetensors")}
    cards = "".join(card.read_text(encoding="utf-8") for card in ROOT.glob("models/*.md"))
    pictures = {f"cinn_app/_shipped/{name}" for name in re.findall(r"\]\(\.\./(docs/images/[^)]+)\)", cards)}
    assert pictures
    assert {name for name in names if ".dist-info/" not in name} == package | models | weights | pictures
    licences = {name.partition(".dist-info/licenses/")[2] for name in names} - {""}
    assert licences == {"LICENSE", "NOTICE", *(f"LICENSES/{name}" for name in names_below("LICENSES", "/*.txt"))}


def test_every_recipe_has_a_card_and_weights_of_at_most_25_megabytes() -> None:
    recipes = {Path(name).stem for name in names_below("models", "/*.toml")}
    recipes -= {
        name for name in recipes if name.endswith(("-large", "-small"))
    }  # for those who train, on a GPU or a CPU
    assert recipes
    assert recipes == {Path(name).stem for name in names_below("models", "/*.md")}
    assert recipes == {Path(name).stem for name in names_below("checkpoints", "/*.safetensors")}
    assert all(file.stat().st_size <= 25_000_000 for file in (ROOT / "checkpoints").glob("*.safetensors"))


def test_the_guard_sees_the_network(installed: Installed) -> None:
    statement = "import urllib.request; urllib.request.urlopen('http://example.org')"
    with installed.start(installed.python, "-c", statement) as process:
        assert "the network is cut" in process.communicate()[1]
    assert installed.outside.read_text() == "socket.getaddrinfo example.org\n"


def test_importing_everything_opens_no_socket(installed: Installed) -> None:
    statement = (
        "import importlib, pkgutil, cinn_app; print(cinn_app.__file__); [importlib.import_module(module.name) "
        "for module in pkgutil.walk_packages(cinn_app.__path__, 'cinn_app.') if module.name != 'cinn_app.__main__']"
    )
    output = installed.run(installed.python, "-c", statement)
    assert Path(output.strip()).is_relative_to(installed.folder)
    assert installed.outside.read_text() == ""


def test_an_installed_copy_colours_a_photograph_without_a_network(installed: Installed, tmp_path: Path) -> None:
    photograph = sample_photographs()["camera"]
    installed.run(
        *without_network(), installed.python, "-m", "cinn_app", "colorize", photograph, "-o", tmp_path, "--samples", "2"
    )
    gray = np.array(Image.open(photograph).convert("L"))
    first, second = (np.array(Image.open(tmp_path / f"{photograph.stem}-{n}.png").convert("RGB")) for n in (1, 2))
    assert first.shape == second.shape == (*gray.shape, 3)
    assert np.ptp(first.astype(int), axis=2).mean() > 2, "the colouring is gray"
    assert (first != second).any()
    assert installed.outside.read_text() == ""


def test_the_studio_and_its_page_stay_on_this_machine(installed: Installed) -> None:
    with served(installed) as address:
        waiting, fetched = [address, urllib.parse.urljoin(address, "theme.css")], {""}
        while waiting:
            link = waiting.pop()
            fetched.add(link)
            assert link.startswith(address), f"the page sends the browser to {link}"
            waiting += set(references(read(link), link)) - fetched
    assert any(link.endswith(".js") for link in fetched) and any(link.endswith(".css") for link in fetched)
    assert installed.outside.read_text() == ""


def without_network() -> list[str]:
    """Return what to put before a command to take the network itself away, where the system lets us."""
    unshare = ["unshare", "--map-root-user", "--net"]
    with contextlib.suppress(OSError):
        if subprocess.run([*unshare, "true"], capture_output=True).returncode == 0:
            return unshare
    return []


@contextlib.contextmanager
def served(installed: Installed) -> Iterator[str]:
    """Run the studio on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}/"
    with installed.start(installed.python, "-m", "cinn_app", "app", "--port", str(port)) as process:
        try:
            while process.poll() is None and not answers(address):
                time.sleep(0.2)
            assert process.poll() is None, process.communicate()[1]
            yield address
        finally:
            process.terminate()  # not SIGINT, which a suite run in the background hands down as ignored
            try:
                process.communicate(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()


def answers(address: str) -> bool:
    try:
        return bool(read(address))
    except urllib.error.URLError:
        return False


def read(address: str) -> str:
    with urllib.request.urlopen(address) as response:
        return response.read().decode("utf-8", "replace")


def references(content: str, address: str) -> list[str]:
    """List what a page or a style sheet makes a browser fetch; what scripts fetch is the browser tests' business."""
    if address.endswith(".js"):
        return []
    links = [link for pattern in REFERENCES for link in re.findall(pattern, content)]
    if sheets := re.search(r'"stylesheets": ?(\[[^\]]*\])', content):  # in gradio's configuration, inside the page
        links += json.loads(sheets[1])
    inside = ("data:", "#", "%")  # the last two are parts of a drawing, named in its own data
    return [urllib.parse.urljoin(address, link) for link in links if not link.startswith(inside)]
