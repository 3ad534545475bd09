"""Connections to the studio: how many there may be, how long one may say nothing, and how long headers may be."""

import asyncio
from collections import Counter
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MAX_CONNECTIONS", "MAX_HEADERS", "PATIENCE", "Connection"]

#: How many connections may be open at once. One more ends the one that has been idle for longest.
MAX_CONNECTIONS = 600
#: Seconds after which a connection is ended that asks nothing or takes none of its answer; at most twice as many.
PATIENCE = 20.0
#: Bytes of a request before its body: the first line and all headers.
MAX_HEADERS = 16 * 2**10


class _Parser(h11.Connection):
    """Refuses requests whose headers are too long, also if they arrive at once, and whose body has two lengths.

    Attributes:
        status: of HTTP, with which the latest refusal is answered.
    """

    status = 400

    def next_event(self) -> Any:
        """Parse the next part of a request."""
        try:
            event = super().next_event()
            if isinstance(event, h11.Request):
                _check(event)
        except h11.RemoteProtocolError as error:
            self.status = error.error_status_hint
            raise
        return event


def _check(request: h11.Request) -> None:
    names = {name for name, _ in request.headers}
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers) > MAX_HEADERS:
        raise h11.RemoteProtocolError("headers are too long", error_status_hint=431)
    if {b"content-length", b"transfer-encoding"} <= names:  # a proxy might believe the other one
        raise h11.RemoteProtocolError("the body has two lengths", error_status_hint=400)


class Connection(H11Protocol):
    """A connection of uvicorn's that ends if nothing happens on it, even while its first line is still to come.

    uvicorn has a time limit for the pause after an answer only (https://github.com/Kludex/uvicorn/issues/157).
    """

    conn: _Parser  # type: ignore[assignment, unused-ignore]
    refused = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.conn = _Parser(h11.SERVER, MAX_HEADERS)

    def data_received(self, data: bytes) -> None:
        """Handle what arrives, or throw away the rest of a refused request."""
        if not self.refused:
            super().data_received(data)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request. The other side ends the connection: if this side did, the answer might be lost."""
        if not self.idle:  # the body is damaged
            super().send_400_response(msg)
            return
        status, self.refused = self.conn.status, True
        if status == 431:
            msg = f"The headers of this request are too long: send at most {MAX_HEADERS} bytes."
        headers = f"content-type: text/plain\r\ncontent-length: {len(msg)}\r\nconnection: close\r\n"
        self.transport.write(f"HTTP/1.1 {status} \r\n{headers}\r\n{msg}".encode())
        if self.transport.can_write_eof():  # not where it is encrypted
            self.transport.write_eof()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, and end another one if there are too many."""
        super().connection_made(transport)
        self.opened = self.loop.time()
        if len(self.connections) > MAX_CONNECTIONS:
            self._most_dispensable().transport.abort()
        self._watch()

    @property
    def idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def _most_dispensable(self) -> "Connection":
        idle = [other for other in self.connections if isinstance(other, Connection) and other.idle]
        by_address = Counter(other.client and other.client[0] for other in idle)
        crowd = by_address.most_common(1)[0][0]
        return min(
            (other for other in idle if (other.client and other.client[0]) == crowd), key=lambda other: other.opened
        )

    def _watch(self, before: tuple[Any, int] | None = None) -> None:
        """End the connection if nothing has changed since the last look, though something should have."""
        if self.transport.is_closing():
            return
        unsent = self.transport.get_write_buffer_size()
        now = (self.cycle, unsent)
        if now == before and (self.idle or unsent):
            self.transport.abort()
        else:
            self.loop.call_later(PATIENCE, self._watch, now)
