"""The clients of the studio, pages in browsers and programs: what waits for them, and when their files are deleted."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from ipaddress import ip_network
from pathlib import Path
from typing import NamedTuple

import gradio as gr
from starlette.datastructures import Headers
from starlette.types import Scope

from cinn_app.studio.files import delete_upload
from cinn_app.studio.gradio_workarounds import (
    busy_sessions,
    delete_session_state,
    forget_unfetched,
    let_take_turns,
    queued_requests,
    sessions_with_state,
)

__all__ = ["Clients", "Job", "address_of"]

#: How many deleted pages are remembered, in case they come back; each takes about a hundred bytes.
MAX_REMEMBERED = 10_000
#: How many pages that are not open keep their files and states for a while.
MAX_CLOSED = 500


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


class Job(NamedTuple):
    """A request for a computation.

    Attributes:
        session: the session hash of the page that sent it, or gradio's number for it.
        address: that it came from.
        from_page: whether a page in a browser sent it, or a program.
        size: of the request, in bytes.
    """

    session: str
    address: str
    from_page: bool
    size: int


class Clients:
    """The pages that are open in browsers, each known by gradio's session hash, and programs, which have none.

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
        self._kept_until: dict[Path, float] = {}  # files that programs sent, or pages that have not asked yet
        self._arriving: list[Job] = []

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

    def keep_files(self, files: Iterable[Path], seconds: float) -> None:
        """Keep files for a while, whichever page closes."""
        with self._lock:
            until = self._clock() + seconds
            self._kept_until |= {file: max(until, self._kept_until.get(file, 0)) for file in files}

    def is_open(self, session: str) -> bool:
        """Return whether a page is open."""
        return self._connections[session] > 0

    def count_open(self) -> int:
        """Count the pages that are open."""
        return sum(number > 0 for number in self._connections.copy().values())

    def job(self, session: str | None, scope: Scope) -> Job:
        """Describe a request for a computation, of a page or of a program, which may have a session hash, too."""
        sender = Headers(scope=scope).get("x-gradio-user")
        from_page = session is not None and (sender == "app" or (sender is None and self.is_open(session)))
        return Job(session or "", address_of(scope), from_page, scope.get("state", {}).get("length", 0))

    @contextlib.contextmanager
    def arriving(self, job: Job) -> Iterator[None]:
        """Count a job as waiting while the block runs, which puts it into the queue, and let clients take turns."""
        self._arriving.append(job)
        try:
            yield
        finally:
            self._arriving.remove(job)
            let_take_turns(self._page, self._client, lambda _, scope: address_of(scope))

    def _client(self, session: str, scope: Scope) -> tuple[str, str]:
        job = self.job(session, scope)
        return job.address, session if job.from_page else ""

    def waiting(self) -> list[Job]:
        """Return the jobs that wait."""
        return [*self._arriving, *(self.job(*request) for request in queued_requests(self._page))]

    def delete_closed(self, after: float) -> list[str]:
        """Delete files and states of pages that are closed and have no job waiting or running.

        Files that are not kept any longer, see :meth:`keep_files`, and states of programs are deleted, too.

        Args:
            after: seconds since the page was closed; a broken connection may come back.

        Returns:
            The session hashes of these pages.
        """
        busy = busy_sessions(self._page)
        with self._lock:
            now = self._clock()
            closed = self._closed(now - after, busy)
            files: set[Path] = {file for file, until in self._kept_until.items() if until <= now}
            self._kept_until = {file: until for file, until in self._kept_until.items() if until > now}
            for session in closed:
                del self._last_seen[session], self._connections[session]
                files |= self._files.pop(session, set())
            self._deleted.update(dict.fromkeys(closed))
            for session in list(self._deleted)[:-MAX_REMEMBERED]:
                del self._deleted[session]
            files -= self._kept_until.keys()
            files -= set().union(*self._files.values())  # what two pages of one visitor share
            of_programs = sessions_with_state(self._page) - self._last_seen.keys() - busy
        for file in files:
            delete_upload(file)
        for session in of_programs.union(closed):
            delete_session_state(self._page, session)
        forget_unfetched(self._page)
        return closed

    def _closed(self, before: float, busy: set[str]) -> list[str]:
        """Return the pages that were closed before a time, and the first ones if more are closed than are kept."""
        closed = {
            session: seen
            for session, seen in self._last_seen.items()
            if not self._connections[session] and session not in busy
        }
        # Those that never were connected are most likely no pages.
        ordered = sorted(closed, key=lambda session: (session in self._connections, closed[session]))
        excess = len(ordered) - MAX_CLOSED
        return [session for number, session in enumerate(ordered) if number < excess or closed[session] <= before]
