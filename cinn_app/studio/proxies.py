"""ASGI middleware for what is between studio and visitor: proxies that rename and hold back, and slow lines."""

import functools
from urllib.parse import urlsplit, urlunsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio.compression import compress, encoding_of

__all__ = ["Proxies"]

#: Stands for the page's own address in texts of its scripts, until these run.
PLACEHOLDER = "http://where-the-page-is.invalid"
HERE = b'<script>const studioAddress = (location.origin + location.pathname).replace(/\\/+$/, "");</script>'


class Proxies:
    """Serves visitors behind a proxy as it comes, whatever it says about the studio.

    * Addresses in the page and in answers begin where the browser says that the page is, so a proxy need not name the
      host and the path under which visitors see the studio.
    * A stream of answers asks to be passed on at once; nginx collects what it gets unless it is told not to.
    * The page is compressed, and says first what it needs.

    Args:
        app: everything else.
        root_path: the path under which a proxy shows the studio, if that was named.
        first, last: HTML for the beginning and the end of the page's HEAD.
    """

    def __init__(self, app: ASGIApp, root_path: str = "", first: str = "", last: str = "") -> None:
        self.app, self._first, self._last = app, HERE + first.encode(), last.encode()
        self._paths = {"/", root_path, f"{root_path}/"}
        self._placeholder = (PLACEHOLDER + root_path.rstrip("/")).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request and its answer."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = MutableHeaders(scope=scope)
        if headers.get("x-gradio-user") == "app" and "referer" in headers:
            _name_server(headers, urlunsplit((*urlsplit(headers["referer"])[:3], "", "")))

        async def at_once(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(raw=message["headers"])
                if answer.get("content-type", "").startswith("text/event-stream"):
                    answer.update({"x-accel-buffering": "no", "cache-control": "no-cache, no-transform"})
            await send(message)

        is_page = scope["method"] == "GET" and scope["path"] in self._paths
        await (self._page if is_page else self.app)(scope, receive, at_once)

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the page, in which addresses are computed by the browser."""
        headers = MutableHeaders(scope=scope)
        _name_server(headers, PLACEHOLDER)
        encoding = encoding_of(headers.get("accept-encoding", ""))
        start: Message = {}
        body = b""

        async def rewriting(message: Message) -> None:
            nonlocal start, body
            if message["type"] == "http.response.start":
                start = message
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                whole = body.replace(self._placeholder, b'" + studioAddress + "')
                whole = whole.replace(b"<head>", b"<head>" + self._first, 1)
                whole = whole.replace(b"</head>", self._last + b"</head>", 1)
                sent = await run_in_threadpool(_compressed, whole, encoding)
                answer = MutableHeaders(raw=start["headers"])
                answer.update({"content-length": str(len(sent)), "vary": "accept-encoding"})
                if encoding:
                    answer["content-encoding"] = encoding
                await send(start)
                await send({"type": "http.response.body", "body": sent})

        await self.app(scope, receive, rewriting)


@functools.lru_cache(maxsize=8)  # the page is the same for all who speak one language
def _compressed(page: bytes, encoding: str) -> bytes:
    return compress(page, encoding)


def _name_server(headers: MutableHeaders, address: str) -> None:
    """Tell gradio which address its own begin with."""
    headers["x-gradio-server"] = address
    for name in ("x-forwarded-host", "x-forwarded-proto"):  # which gradio prefers
        if name in headers:
            del headers[name]
