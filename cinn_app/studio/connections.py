"""Connections to the studio: how many there may be, and how long one may say nothing."""

import asyncio
from collections import Counter
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["MAX_CONNECTIONS", "PATIENCE", "Connection"]

#: How many connections may be open at once. One more ends the one that has been idle for longest.
MAX_CONNECTIONS = 600
#: Seconds after which a connection is ended that asks nothing or takes none of its answer; at most twice as many.
PATIENCE = 20.0


class Connection(H11Protocol):
    """A connection of uvicorn's that ends if nothing happens on it, even while its first line is still to come.

    uvicorn has a time limit for the pause after an answer only (https://github.com/Kludex/uvicorn/issues/157). Headers
    of a request are at most 16 KB long, a limit of h11's that uvicorn's other parser, httptools, does not have.
    """

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
