"""The page around the tabs, and the server that shows it."""

import contextlib
import errno
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.colorize_tab import ColorizeTab
from cinn_app.studio.theme import CSS, HEAD, theme
from cinn_app.systems.colorizer import Colorizer

__all__ = ["build", "serve"]

TITLE = "cinn · colorize"
HEADER = """
<h1>cinn</h1>
<p>Old photographs in colour. Pictures never leave the computer that runs this page.</p>
"""
TABS = (ColorizeTab,)
# Seconds: every hour, temporary files older than a day go. Those of a visitor who has left go after an hour.
DELETE_CACHE = (3600, 24 * 3600)
MAX_UPLOAD = "500mb"


def build(colorizer: Colorizer) -> gr.Blocks:
    """Lay out the page.

    Args:
        colorizer: shared by all visitors.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as studio:
        gr.HTML(HEADER, elem_id="header")
        for tab in TABS:
            with gr.Tab(tab.title):
                tab(colorizer)
    return studio.queue(default_concurrency_limit=1)


def serve(host: str = "127.0.0.1", port: int = 7860, model: str = "colorize") -> None:
    """Show the studio until it is interrupted.

    Args:
        host: address to listen on; only this computer reaches the default.
        port: to listen on.
        model: name of a shipped model, or path of a checkpoint.

    Raises:
        CinnError: if the address cannot be listened on, or the model cannot be loaded.
    """
    _check_address(host, port)
    colorizer = Colorizer.load(model)
    _avoid_proxies(host)
    _stop_when_terminated()
    with _private_folder(), contextlib.suppress(KeyboardInterrupt):
        studio = build(colorizer)
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
