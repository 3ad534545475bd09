"""Who is at the studio, which files they brought, and what is left behind when they go."""

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import gradio as gr

__all__ = ["Visitors", "delete_torn_uploads"]

#: Of how many who have gone it is known, should they come back; each takes about a hundred bytes.
REMEMBERED = 10_000


class Visitors:
    """The pages that are open in browsers, each told apart by gradio's session hash.

    Args:
        studio: the page, whose queue and states are looked at.
        clock: tells seconds.
    """

    def __init__(self, studio: gr.Blocks, clock: Callable[[], float] = time.monotonic) -> None:
        self._studio, self._clock = studio, clock
        self._lock = threading.Lock()
        self._connections: Counter[str] = Counter()
        self._last_seen: dict[str, float] = {}
        self._files: dict[str, set[Path]] = {}
        self._forgotten: dict[str, None] = {}  # the latest last

    @contextlib.contextmanager
    def connected(self, session: str) -> Iterator[None]:
        """Note that a page is open, as long as its connection is."""
        with self._lock:
            self._connections[session] += 1
            self._last_seen[session] = self._clock()
        try:
            yield
        finally:
            with self._lock:
                self._connections[session] -= 1
                self._last_seen[session] = self._clock()

    def asks(self, session: str, files: Iterable[Path] = ()) -> bool:
        """Note that a page asks for something that is to be done with files.

        Returns:
            Whether what it had here has been deleted since it asked last, because it seemed to be gone.
        """
        with self._lock:
            self._last_seen[session] = self._clock()
            self._files.setdefault(session, set()).update(files)
            forgotten = session in self._forgotten
            self._forgotten.pop(session, None)
            return forgotten

    def is_here(self, session: str) -> bool:
        """Tell whether a page is open."""
        return self._connections[session] > 0

    def count(self) -> int:
        """Count the pages that are open."""
        return sum(number > 0 for number in self._connections.copy().values())

    def waiting(self) -> Counter[str]:
        """Count the jobs that wait, by page."""
        queues = list(self._studio._queue.event_queue_per_concurrency_id.values())
        return Counter(event.session_hash for queue in queues for event in list(queue.queue))

    def forget_the_gone(self, after: float) -> list[str]:
        """Delete the files and states of pages that have been closed for some time, and have no job waiting or running.

        Args:
            after: seconds; a connection that broke may come back.

        Returns:
            The session hashes of those who are gone.
        """
        busy = self._busy()
        with self._lock:
            gone = [
                session
                for session, seen in self._last_seen.items()
                if not self._connections[session] and self._clock() - seen >= after and session not in busy
            ]
            files: set[Path] = set()
            for session in gone:
                del self._last_seen[session], self._connections[session]
                files |= self._files.pop(session, set())
            self._forgotten.update(dict.fromkeys(gone))
            for session in list(self._forgotten)[:-REMEMBERED]:
                del self._forgotten[session]
            files -= set().union(*self._files.values())  # what two pages of one visitor share
        for file in files:
            _delete(file)
        for session in gone:
            self._delete_state(session)
        return gone

    def _busy(self) -> set[str]:
        running = [event for job in self._studio._queue.active_jobs if job for event in job]
        return {event.session_hash for event in running} | set(self.waiting())

    def _delete_state(self, session: str) -> None:
        """Let gradio forget a page at once, which otherwise it does after an hour, and never altogether."""
        states = self._studio.state_holder
        states.delete_state(session)  # calls the `delete_callback`s
        states.session_data.pop(session, None)
        states.time_last_used.pop(session, None)


def delete_torn_uploads(folder: Path, age: float) -> None:
    """Delete what is left of uploads that broke off, as when the disk is full or the visitor leaves halfway.

    Args:
        folder: where gradio writes what it receives, before it moves it into a folder of its own.
        age: seconds for which nothing has come.
    """
    for file in folder.iterdir():
        with contextlib.suppress(OSError):
            if file.is_file() and time.time() - file.stat().st_mtime > age:
                file.unlink()


def _delete(file: Path) -> None:
    """Delete an upload and the folder that gradio made for it."""
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
        file.parent.rmdir()  # unless something else is in it
