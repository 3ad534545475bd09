"""The pages that are open in browsers: which files they uploaded, and what is deleted after they are closed."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path

import gradio as gr
from starlette.types import Scope

from cinn_app.studio.files import delete_upload
from cinn_app.studio.gradio_workarounds import busy_sessions, delete_session_state, queued_events

__all__ = ["Clients", "address_of"]

#: How many deleted pages are remembered, in case they come back; each takes about a hundred bytes.
MAX_REMEMBERED = 10_000


def address_of(scope: Scope) -> str:
    """Return the address that a request comes from; of IPv6, the network of one subscriber.

    Behind a proxy on the same computer, it is the one that the proxy names.

    >>> address_of({"client": ("192.0.2.7", 1234)}), address_of({"client": ("2001:db8:0:1::7", 1234)})
    ('192.0.2.7', '2001:db8:0:1::')
    """
    host = (scope.get("client") or ("",))[0]
    if ":" not in host:
        return host
    try:
        return str(ip_network((host.partition("%")[0], 64), strict=False).network_address)
    except ValueError:
        return host


class Clients:
    """The pages that are open in browsers, each known by gradio's session hash.

    Args:
        page: the studio's, with its queue and states.
        clock: returns seconds.
    """

    def __init__(self, page: gr.Blocks, clock: Callable[[], float] = time.monotonic) -> None:
        self._page, self._clock = page, clock
        self._lock = threading.Lock()
        self._connections: Counter[str] = Counter()
        self._last_seen: dict[str, float] = {}
        self._files: dict[str, set[Path]] = {}
        self._deleted: dict[str, None] = {}  # an ordered set, the latest last

    @contextlib.contextmanager
    def connected(self, session: str) -> Iterator[None]:
        """Count a page as open while the block runs."""
        with self._lock:
            self._connections[session] += 1
            self._last_seen[session] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._connections[session] -= 1
                self._last_seen[session] = self._clock()

    def note_request(self, session: str, files: Iterable[Path] = ()) -> bool:
        """Note that a page requests work on files.

        Returns:
            Whether the page's files and state have been deleted since its last request, because it seemed closed.
        """
        with self._lock:
            self._last_seen[session] = self._clock()
            self._files.setdefault(session, set()).update(files)
            deleted = session in self._deleted
            self._deleted.pop(session, None)
            return deleted

    def is_open(self, session: str) -> bool:
        """Return whether a page is open."""
        return self._connections[session] > 0

    def count_open(self) -> int:
        """Count the pages that are open."""
        return sum(number > 0 for number in self._connections.copy().values())

    def queued(self) -> Counter[str]:
        """Count the jobs that wait, by page."""
        return queued_events(self._page)

    def delete_closed(self, after: float) -> list[str]:
        """Delete files and states of pages that are closed and have no job waiting or running.

        Args:
            after: seconds since the page was closed; a broken connection may come back.

        Returns:
            The session hashes of these pages.
        """
        busy = busy_sessions(self._page)
        with self._lock:
            closed = [
                session
                for session, seen in self._last_seen.items()
                if not self._connections[session] and self._clock() - seen >= after and session not in busy
            ]
            files: set[Path] = set()
            for session in closed:
                del self._last_seen[session], self._connections[session]
                files |= self._files.pop(session, set())
            self._deleted.update(dict.fromkeys(closed))
            for session in list(self._deleted)[:-MAX_REMEMBERED]:
                del self._deleted[session]
            files -= set().union(*self._files.values())  # what two pages of one visitor share
        for file in files:
            delete_upload(file)
        for session in closed:
            delete_session_state(self._page, session)
        return closed
