"""The server of the page: where it listens, what it deletes, and how it ends."""

import contextlib
import ctypes
import errno
import os
import socket
import threading
import time
from shutil import disk_usage

from starlette.middleware import Middleware
from starlette.routing import Route

from cinn_app.errors import CinnError
from cinn_app.extras import require_extra
from cinn_app.process import end_when_asked
from cinn_app.studio.assets import Assets
from cinn_app.studio.bodies import Bodies
from cinn_app.studio.clients import Clients
from cinn_app.studio.connections import Connection
from cinn_app.studio.files import (
    KEPT,
    RESULTS,
    delete_old_folders,
    delete_partial_uploads,
    delete_unused_kept,
    private_folder,
)
from cinn_app.studio.gradio_workarounds import (
    LAUNCH_OPTIONS,
    fix_mcp_server,
    limit_connections,
    needed_assets,
)
from cinn_app.studio.guard import Guard
from cinn_app.studio.guesses import Guesses
from cinn_app.studio.language import Listener
from cinn_app.studio.lines import HEAD, Lines
from cinn_app.studio.login import Login, basic
from cinn_app.studio.login_page import LoginPage
from cinn_app.studio.metrics import Metrics, health
from cinn_app.studio.page import build, gradio_words
from cinn_app.studio.proxies import Proxies
from cinn_app.studio.refusals import Refusals
from cinn_app.studio.room import load_in_background, load_models
from cinn_app.studio.theme import heads, styles, theme

__all__ = ["MAX_UPLOAD", "serve"]

#: Megabytes that one file may have.
MAX_UPLOAD = 500
# Seconds: files of a page are deleted so long after it was closed, and the studio checks so often.
CLOSED, CHECK = 600, 30
# Seconds: results of programs are deleted so long after the last write, since nothing says when they were fetched, and
# so long after their last use what visitors may come back to. Beyond so many bytes, or this share of the disk, it is
# deleted earlier.
FETCHED, A_DAY = 3600, 24 * 3600
MOST_KEPT, SHARE_KEPT = 10 * 2**30, 0.25
#: Longer side in pixels of the pictures that MCP tools return.
MCP_PREVIEW = 1024
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
    device: str = "auto",
) -> None:
    """Serve the studio until it is interrupted.

    Args:
        host: address to listen on; the default is reachable from this computer only.
        port: to listen on.
        model: name or path of a model that replaces its system's default one; its tab is open at first.
        login: name and password for visitors; by default anyone who reaches the address may enter.
        root_path: the path or the whole address under which a proxy shows the studio, for example ``/studio``.
        max_upload: megabytes that one file may have.
        mcp: offer the endpoints as tools for language models, too, at ``/gradio_api/mcp/``.
        device: where to compute, a name for :func:`cinn_app.devices.choose_device`.

    Raises:
        CinnError: if address or device cannot be used, the model cannot be loaded, or a package is missing.
    """
    if mcp:
        require_extra("mcp", "The MCP server")
    _check_address(host, port)
    models = load_models(model, device)
    _bypass_proxies(host)
    _limit_heaps()
    _raise_file_limit()
    with contextlib.ExitStack() as stack:
        stack.callback(end_when_asked())
        folder = stack.enter_context(private_folder())
        stack.enter_context(contextlib.suppress(KeyboardInterrupt))
        page = build(models, next(iter(models)), model, has_login=login is not None)
        clients, launched = Clients(page), threading.Event()
        guesses, assets = Guesses(login) if login else None, Assets(*needed_assets(page))
        lines = Lines(clients)
        middleware = [
            Middleware(
                Proxies,
                root_path="" if "://" in root_path else root_path,
                first=HEAD + assets.first,
                last=assets.last,
            ),
            Middleware(Listener),
            Middleware(Refusals),
            *([Middleware(Login, page=page, guesses=guesses, launched=launched)] if guesses else []),
            Middleware(Bodies, max_file=max_upload * 2**20),
            Middleware(Guard, folder=folder, clients=clients, lines=lines),
        ]
        try:
            page.launch(
                server_name=f"[{host}]" if ":" in host else host,
                server_port=port,
                root_path=root_path or None,
                auth=login,
                prevent_thread_lock=True,
                share=False,
                ssr_mode=False,
                quiet=True,
                max_file_size=f"{max_upload}mb",
                i18n=gradio_words(),
                run_history=False,
                footer_links=["api"],
                mcp_server=mcp,
                enable_monitoring=False,
                theme=theme(),
                css_paths=styles(),
                head_paths=heads(),
                app_kwargs={
                    "middleware": middleware,
                    "routes": [
                        assets.route,
                        Route("/health", health),
                        Route("/metrics", Metrics(clients).answer),
                        *(LoginPage(page, guesses).routes if guesses else []),
                    ],
                },
                **LAUNCH_OPTIONS,
            )
            launched.set()
            limit_connections(page, Connection)
            if mcp:
                fix_mcp_server(page, MCP_PREVIEW, {"authorization": basic(*login)} if login else {})
            load_in_background(models.values())
            print(f"The studio is at {page.local_url} and stops with Ctrl-C.", flush=True)
            while True:
                time.sleep(CHECK)
                lines.forget(clients.delete_closed(CLOSED))
                delete_partial_uploads(folder, CHECK)
                delete_old_folders(folder, RESULTS, FETCHED)
                delete_old_folders(folder, KEPT, A_DAY)
                delete_unused_kept(folder, min(MOST_KEPT, int(SHARE_KEPT * disk_usage(folder).total)), FETCHED)
        finally:
            lines.close()
            page.close(verbose=False)


def _limit_heaps() -> None:
    """Let threads share their heaps, where the C library is GNU's.

    Any of gradio's forty threads may run the model next, and each would keep the memory that it once needed.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _raise_file_limit() -> None:
    """Let as many files and connections be open as the system allows; often only a quarter is allowed at first."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource  # not on Windows

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _check_address(host: str, port: int) -> None:
    """Raise an error if the address cannot be used, before models are loaded."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            # Windows lets two programs share an address with the one, and only the other one refuses it.
            exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
            probe.setsockopt(socket.SOL_SOCKET, exclusive, 1)
            probe.bind(address)
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                template = "Port {port} is in use: stop the program that uses it, or choose another port."
            case errno.EACCES:
                template = "Port {port} is reserved: choose another one, above 1023."
            case _:
                template = "{host} is no address of this computer: use 127.0.0.1, or 0.0.0.0 for the whole network."
        raise CinnError(template, host=host, port=port) from error


def _bypass_proxies(host: str) -> None:
    """Let gradio's request to its own server, when it starts, go straight to it."""
    known = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
    os.environ["no_proxy"] = ",".join(filter(None, [known, "localhost", "127.0.0.1", host]))
