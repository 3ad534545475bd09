"""The server that shows the page: where it listens, what it keeps, and how it ends."""

import contextlib
import ctypes
import errno
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from starlette.middleware import Middleware
from starlette.routing import Route

from cinn_app.errors import CinnError
from cinn_app.extras import require_extra
from cinn_app.studio.api.mcp import mend_tools
from cinn_app.studio.api.results import delete_results
from cinn_app.studio.language import Listener
from cinn_app.studio.page import build, load_systems, missing_words
from cinn_app.studio.server.guard import Guard
from cinn_app.studio.server.loading import load_deferred
from cinn_app.studio.server.status import Metrics, health
from cinn_app.studio.server.streams import Streams
from cinn_app.studio.server.visitors import Visitors, delete_torn_uploads
from cinn_app.studio.widgets.theme import HEAD, styles, theme

__all__ = ["MAX_UPLOAD", "serve"]

#: Megabytes that one file may have.
MAX_UPLOAD = 500
# Seconds. Who has closed the page, or lost the connection, for so long is looked for so often, and forgotten.
AWAY, LOOK = 600, 30
# What programs had made for them goes after so long: nobody tells when they have fetched it.
RESULTS = 3600
M_ARENA_MAX = -8  # of malloc.h


def serve(
    host: str = "127.0.0.1",
    port: int = 7860,
    model: str | None = None,
    *,
    login: tuple[str, str] | None = None,
    root_path: str = "",
    max_upload: int = MAX_UPLOAD,
    mcp: bool = False,
) -> None:
    """Show the studio until it is interrupted.

    Args:
        host: address to listen on; only this computer reaches the default.
        port: to listen on.
        model: see :func:`load_systems`; its tab is open at first.
        login: name and password that visitors must give; by default everyone who reaches the address may come in.
        root_path: where a proxy shows the studio, for example ``/studio``, or the whole address there.
        max_upload: megabytes that one file may have.
        mcp: offer the endpoints as tools for language models, too, at ``/gradio_api/mcp/``.

    Raises:
        CinnError: if the address cannot be listened on, the model cannot be loaded, or a package is missing.
    """
    if mcp:
        require_extra("mcp", "The MCP server")
    _check_address(host, port)
    systems = load_systems(model)
    _avoid_proxies(host)
    _stop_when_terminated()
    _hold_little_memory()
    with _private_folder() as folder, contextlib.suppress(KeyboardInterrupt):
        studio = build(systems, next(iter(systems)), model)
        visitors = Visitors(studio)
        guard = Middleware(Guard, folder=folder, visitors=visitors, streams=Streams(studio, visitors))
        try:
            studio.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                root_path=root_path or None,
                auth=login,
                prevent_thread_lock=True,
                share=False,
                ssr_mode=False,
                quiet=True,
                max_file_size=f"{max_upload}mb",
                i18n=missing_words(),
                run_history=False,
                footer_links=["api"],
                mcp_server=mcp,
                enable_monitoring=False,
                _frontend=False,  # gradio would look whether its page answers, within 3 s: too few for a busy machine
                theme=theme(),
                css_paths=styles(),
                head_paths=HEAD,
                app_kwargs={
                    "middleware": [Middleware(Listener), guard],
                    "routes": [Route("/health", health), Route("/metrics", Metrics(visitors).answer)],
                },
            )
            if mcp:
                mend_tools(studio)
            load_deferred(systems.values())
            print(f"The studio is at {studio.local_url} and stops with Ctrl-C.", flush=True)
            while True:
                time.sleep(LOOK)
                visitors.forget_the_gone(AWAY)
                delete_torn_uploads(folder, LOOK)
                delete_results(folder, RESULTS)
        finally:
            studio.close(verbose=False)


def _hold_little_memory() -> None:
    """Let threads share their heaps, where the C library is GNU's.

    Any of gradio's forty threads may be the next that colours, and each would keep what it once needed to itself.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


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
def _private_folder() -> Iterator[Path]:
    """Keep uploads and results where only this user can read them, and leave none behind."""
    with tempfile.TemporaryDirectory(prefix="cinn-studio-", ignore_cleanup_errors=True) as folder:
        os.environ["GRADIO_TEMP_DIR"] = folder
        try:
            yield Path(folder)
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
