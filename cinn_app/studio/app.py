"""The page around the tabs, and the server that shows it."""

import contextlib
import errno
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, TypeAlias

import gradio as gr

from cinn_app.checkpoints import find_checkpoint, read_header, shipped_checkpoints
from cinn_app.errors import CinnError
from cinn_app.studio.colorize_tab import ColorizeTab
from cinn_app.studio.digits_tab import DigitsTab
from cinn_app.studio.theme import CSS, HEAD, theme
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.digits.generator import DigitGenerator

__all__ = ["build", "load_systems", "serve"]

TITLE = "cinn"
HEADER = """
<h1>cinn</h1>
<p>Photographs in colour, digits in any hand. Nothing leaves the computer that runs this page.</p>
"""
System: TypeAlias = Colorizer | DigitGenerator


class Kind(NamedTuple):
    """What the studio knows of a system: the name of the model that ships for it, its class, and its tab's class."""

    model: str
    load: Callable[[str], System]
    tab: type[Any]


#: By the system's name in recipes, in the order of the tabs.
KINDS = {
    "colorization": Kind("colorize", Colorizer.load, ColorizeTab),
    "digits": Kind("digits", DigitGenerator.load, DigitsTab),
}
# Seconds: every hour, temporary files older than a day go. Those of a visitor who has left go after an hour.
DELETE_CACHE = (3600, 24 * 3600)
MAX_UPLOAD = "500mb"


def build(systems: Mapping[str, System], shown: str | None = None) -> gr.Blocks:
    """Lay out the page.

    Args:
        systems: one for each tab, by its name in recipes; all visitors share them.
        shown: whose tab is open at first; by default that of the first.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as studio:
        gr.HTML(HEADER, elem_id="header")
        with gr.Tabs(selected=shown):
            for name, kind in KINDS.items():
                if name in systems:
                    with gr.Tab(kind.tab.title, id=name):
                        kind.tab(systems[name])
    return studio.queue(default_concurrency_limit=1)


def load_systems(model: str | None = None) -> dict[str, System]:
    """Load the installed model of each system.

    Args:
        model: name of an installed model, or path of a checkpoint, that takes the place of its system's.

    Returns:
        By name in recipes; the given model's first, the others in the order of their tabs.

    Raises:
        CinnError: if the given model cannot be loaded, or none is given and none can be.
    """
    systems: dict[str, System] = {}
    if model is not None:
        given = read_header(find_checkpoint(model)).recipe.system
        systems[given] = KINDS[given].load(model)
    failures = []
    for name, kind in KINDS.items():
        if name in systems:
            continue
        try:
            systems[name] = kind.load(kind.model)
        except CinnError as error:
            failures.append(error)
            if (shipped_checkpoints() / f"{kind.model}.safetensors").exists():
                print(f"There is no tab {kind.tab.title}: {error}", flush=True)
    if not systems:
        raise failures[0]
    return systems


def serve(host: str = "127.0.0.1", port: int = 7860, model: str | None = None) -> None:
    """Show the studio until it is interrupted.

    Args:
        host: address to listen on; only this computer reaches the default.
        port: to listen on.
        model: see :func:`load_systems`; its tab is open at first.

    Raises:
        CinnError: if the address cannot be listened on, or the model cannot be loaded.
    """
    _check_address(host, port)
    systems = load_systems(model)
    _avoid_proxies(host)
    _stop_when_terminated()
    with _private_folder(), contextlib.suppress(KeyboardInterrupt):
        studio = build(systems, shown=next(iter(systems)))
        try:
            studio.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                prevent_thread_lock=True,
                share=False,
                ssr_mode=False,
                quiet=True,
                max_file_size=MAX_UPLOAD,
                run_history=False,
                footer_links=[],
                enable_monitoring=False,
                theme=theme(),
                css=CSS,
                head=HEAD,
            )
            print(f"The studio is at {studio.local_url} and stops with Ctrl-C.", flush=True)
            while True:
                time.sleep(3600)
        finally:
            studio.close(verbose=False)


def _check_address(host: str, port: int) -> None:
    """Find out before the model is loaded, and say what is the matter."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                sentence = f"Port {port} is taken: stop the program that uses it, or choose another port."
            case errno.EACCES:
                sentence = f"Port {port} may not be used: choose one above 1023."
            case _:
                sentence = f"{host} is no address of this computer: use 127.0.0.1, or 0.0.0.0 for the whole network."
        raise CinnError(sentence) from error


@contextlib.contextmanager
def _private_folder() -> Iterator[None]:
    """Keep uploads and results where only this user can read them, and leave none behind."""
    with tempfile.TemporaryDirectory(prefix="cinn-studio-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield
        finally:
            del os.environ["GRADIO_TEMP_DIR"]


def _avoid_proxies(host: str) -> None:
    """Let gradio's look at its own page, once it stands, go straight to it."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = ",".join(filter(None, [known, "localhost", "127.0.0.1", host]))


def _stop_when_terminated() -> None:
    """Clean up after the signal of a service manager as after Ctrl-C; only the main thread may listen for it."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
