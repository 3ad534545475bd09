"""What Windows does differently, simulated: names, paths, files that are open elsewhere, addresses, encodings."""

import errno
import re
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cinn_app import files
from cinn_app.errors import CinnError, DiskFullError, ImageError
from cinn_app.files import atomic_write, read_text
from cinn_app.imaging import read_photograph, save_picture
from cinn_app.recipes import load_recipe
from cinn_app.studio.files import inside
from cinn_app.studio.serving import _check_address
from cinn_app.systems.colorization.hints import Hints
from cinn_app.systems.inverse_problems.observations import read_observations
from cinn_app.systems.inverse_problems.problem import Quantity, load_problem

GRAY = np.zeros((2, 2), np.uint8)
RECIPE = Path(__file__).parents[1] / "models" / "digits.toml"


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(files, "PAUSES", (0.0, 0.0))


@pytest.mark.parametrize("name", ["aux.jpg", "CON.png", "com1.tar.jpg", "nul .jpg", "photo:1.jpg", "who?.png"])
def test_a_name_that_windows_reserves_is_refused_and_nothing_is_written(
    windows: None, tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        ImageError, match=rf"cannot be saved \(Windows reserves the name {re.escape(name)}\): choose another name\.$"
    ):
        save_picture(tmp_path / name, GRAY)
    assert not list(tmp_path.iterdir())
    save_picture(tmp_path / "auxiliary.com1.jpg", GRAY)


def test_a_name_that_ends_in_a_dot_or_a_space_is_refused(windows: None, tmp_path: Path) -> None:
    for name in ("coloured.", "coloured "):
        with pytest.raises(OSError, match="Windows reserves the name"), atomic_write(tmp_path / name):
            pass


def denied(winerror: int) -> PermissionError:
    error = PermissionError(errno.EACCES, "Access is denied")
    error.winerror = winerror  # type: ignore[attr-defined]
    return error


def test_an_output_that_is_open_in_another_program_is_waited_for_and_then_named(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, trials = Path.replace, []

    def held(path: Path, target: Path) -> Path:
        trials.append(path)
        if len(trials) % 4:
            raise denied(5)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", held)
    (tmp_path / "out.png").write_bytes(b"old")
    with pytest.raises(ImageError, match=r"out\.png cannot be saved, since it is open in another program, or write-"):
        save_picture(tmp_path / "out.png", GRAY)
    assert [path.name for path in tmp_path.iterdir()] == ["out.png"] and len(trials) == 3
    trials[:] = [tmp_path] * 2
    save_picture(tmp_path / "out.png", GRAY)  # a virus scanner let go of it meanwhile
    assert read_photograph(tmp_path / "out.png").size == (2, 2)


def test_an_input_that_is_open_in_another_program_is_no_matter_of_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_picture(tmp_path / "in.png", GRAY)

    def locked(path: Path, mode: str) -> None:
        raise denied(32)

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ImageError, match=r"in\.png is open in another program: close it there first"):
        read_photograph(tmp_path / "in.png")


def test_a_path_that_is_too_long_is_not_called_a_missing_folder(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def open_short(path: Path, mode: str) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(Path, "open", open_short)
    with pytest.raises(ImageError, match=r"cannot be saved \(its path is too long for Windows\)"):
        save_picture(tmp_path / ("a" * 250 + ".jpg"), GRAY)
    with pytest.raises(ImageError, match=r"there is no folder .*missing: create it first"):
        save_picture(tmp_path / "missing" / "a.jpg", GRAY)


def test_a_full_disk_is_still_a_full_disk(windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(DiskFullError):
        save_picture(tmp_path / "a.jpg", GRAY)


@pytest.mark.parametrize(
    "encode", [str.encode, lambda text: text.encode("utf-8-sig"), lambda text: text.encode("utf-16")]
)
def test_texts_are_read_as_editors_and_powershell_write_them(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    file = tmp_path / "text"
    file.write_bytes(encode("Großmutter:geheim\r\n"))
    assert read_text(file) == "Großmutter:geheim\n"
    file.write_bytes(encode(RECIPE.read_text("utf-8")))
    assert load_recipe(file).name == "digits"
    file.write_bytes(encode('{"hints": [{"colour": "#c02020", "points": [[40, 30]]}]}'))
    assert Hints.load(file) == Hints.parse(["40,30=#c02020"])


@pytest.mark.parametrize("written", [b"\xff\xff\xff", "1,2\n".encode("utf-16-le"), "1,2\n".encode("utf-16-be")])
def test_what_is_no_text_or_lacks_the_mark_of_its_encoding_is_refused(tmp_path: Path, written: bytes) -> None:
    files: dict[str, Callable[[Path], object]] = {
        "hints.json": Hints.load,
        "recipe.toml": load_recipe,
        "observed.csv": lambda file: read_observations(str(file), [Quantity("a"), Quantity("b")]),
        "problem.py": load_problem,
    }
    for name, read in files.items():
        (tmp_path / name).write_bytes(written)
        with pytest.raises(CinnError, match=r"is no text in UTF-8\)?: ") as refused:
            read(tmp_path / name)
        assert name in str(refused.value) and "\0" not in str(refused.value)
    (tmp_path / "problem.py").write_text("# Grüße", "utf-16")
    with pytest.raises(CinnError, match=r"problem\.py is no text in UTF-8: save it in that encoding\."):
        load_problem(tmp_path / "problem.py")


def test_a_path_of_another_host_is_refused_before_the_system_sees_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own.jpg").write_text("mine")
    assert inside(tmp_path, str(tmp_path / "own.jpg")) == tmp_path / "own.jpg"

    def resolve(path: Path, strict: bool = False) -> Path:
        raise AssertionError(f"{path} was resolved: Windows would log on to the host")

    monkeypatch.setattr(Path, "resolve", resolve)
    for path in ("//host/share/a.jpg", r"\\host\share\a.jpg", r"\\?\UNC\host\share\a.jpg", f"//host{tmp_path}/own.jpg"):
        assert inside(tmp_path, path) is None


def test_a_port_that_is_taken_is_noticed_where_two_programs_may_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    exclusive = ~socket.SO_REUSEADDR

    class WindowsSocket(socket.socket):
        shared = False

        def setsockopt(self, level: int, option: int, value: int) -> None:  # type: ignore[override]
            self.shared |= option == socket.SO_REUSEADDR

        def bind(self, address: object) -> None:
            if not self.shared:
                super().bind(address)

    with socket.create_server(("127.0.0.1", 0)) as other:
        monkeypatch.setattr(socket, "SO_EXCLUSIVEADDRUSE", exclusive, raising=False)
        monkeypatch.setattr(socket, "socket", WindowsSocket)
        with pytest.raises(CinnError, match="is in use: stop the program"):
            _check_address("127.0.0.1", other.getsockname()[1])
