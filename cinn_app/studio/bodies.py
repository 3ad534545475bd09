"""ASGI middleware: how large, how slow and how many the bodies of requests may be, on every route."""

import asyncio
import time
from collections import Counter

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio.clients import address_of
from cinn_app.studio.language import later
from cinn_app.studio.refusals import RefusalError, route_of

__all__ = ["COMPUTING", "MAX_HELD", "MAX_OTHER", "MAX_REQUEST", "MAX_VALUES", "Bodies", "replaying"]

#: Routes that start a computation; their inputs are JSON.
COMPUTING = ("queue/join", "run/", "api/", "call/", "stream/")
#: Bytes of a request for a computation, which may have a picture in it, and of any other request but an upload.
MAX_REQUEST, MAX_OTHER = 16 * 2**20, 64 * 2**10
#: Bytes of all larger bodies that are in memory at once; half as many of one address.
MAX_HELD = 2 * MAX_REQUEST
#: Values of a request's JSON, each of which takes up to a hundred bytes once it is parsed.
MAX_VALUES = 100_000
#: An upload of several files is at most this many times as large as one file may be.
MAX_FILES = 10
#: A body may take so many seconds, and one more for every so many bytes.
PATIENCE, SLOWEST = 20.0, 1000

TOO_LONG = later("This request is too long: upload files by choosing or dropping them.")
TOO_SLOW = later("This request arrived too slowly: check the connection and try again.")
TOO_MUCH = later("Too many large requests arrive at once: try again in a minute, or upload files first.")


class Bodies:
    """Refuses bodies that are too large, too slow or too many, on every route, before they are read.

    Args:
        app: everything else.
        max_file: bytes that one uploaded file may have.
    """

    def __init__(self, app: ASGIApp, max_file: int) -> None:
        self.app, self.max_file = app, max_file
        self._held = Counter[str]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request with a bounded body."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        if "content-length" not in headers and "transfer-encoding" not in headers:
            await self.app(scope, receive, send)
        elif (route := route_of(scope)) == "upload":
            await self.app(scope, _Bounded(receive, headers, MAX_FILES * self.max_file), send)
        else:
            limit = MAX_REQUEST if route.startswith((*COMPUTING, "mcp")) else MAX_OTHER
            await self._buffer(scope, _Bounded(receive, headers, limit), send)

    async def _buffer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a body whole, and count it as long as the request is handled."""
        address, body, counted = address_of(scope), bytearray(), 0
        try:
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                body += message.get("body", b"")
                more = message.get("more_body", False)
                if len(body) > MAX_OTHER:
                    self._held[address] += len(body) - counted
                    counted = len(body)
                    if self._held[address] > MAX_HELD // 2 or self._held.total() > MAX_HELD:
                        raise RefusalError(503, TOO_MUCH)
            if sum(map(body.count, b",[{")) > MAX_VALUES:
                raise RefusalError(413, TOO_LONG)
            scope.setdefault("state", {})["length"] = len(body)
            replay = replaying(bytes(body), receive)
            del body
            await self.app(scope, replay, send)
        finally:
            self._held[address] -= counted
            if not self._held[address]:
                del self._held[address]


class _Bounded:
    """Receives a body that keeps its limits.

    Raises:
        RefusalError: at once if the body says that it is too long, later if it turns out to be, or is too slow.
    """

    def __init__(self, receive: Receive, headers: Headers, limit: int) -> None:
        self.receive, self.limit = receive, limit
        self.received, self.complete, self.start = 0, False, time.monotonic()
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > limit:
            raise RefusalError(413, TOO_LONG)

    async def __call__(self) -> Message:
        if self.complete:  # what follows is the end of the connection, however late
            return await self.receive()
        left = self.start + PATIENCE + self.received / SLOWEST - time.monotonic()
        try:
            message = await asyncio.wait_for(self.receive(), max(left, 0))
        except TimeoutError:
            raise RefusalError(408, TOO_SLOW) from None
        self.received += len(message.get("body", b""))
        self.complete = not message.get("more_body", False)
        if self.received > self.limit:
            raise RefusalError(413, TOO_LONG)
        return message


def replaying(body: bytes, receive: Receive) -> Receive:
    """Receive a body that has been read already, then what comes after it."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return parts.pop() if parts else await receive()

    return replay
