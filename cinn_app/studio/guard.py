"""ASGI middleware before gradio: no client reads foreign files, and no client takes the whole queue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio.bodies import COMPUTING, MAX_HELD, replaying
from cinn_app.studio.clients import Clients, Job
from cinn_app.studio.files import inside
from cinn_app.studio.language import later
from cinn_app.studio.lines import ONCE, Lines
from cinn_app.studio.refusals import RefusalError, route_of

__all__ = ["KEPT", "MAX_WAITING", "MAX_WAITING_PER_PAGE", "UNNAMED", "Guard"]

#: How many jobs may wait in all, and of one page. One address may have half of all; programs may have half of all, and
#: half of what their address may have, so that pages always have their share.
MAX_WAITING, MAX_WAITING_PER_PAGE = 100, 20
#: Seconds for which files of programs are kept after each use, and those of pages that have not named them yet.
KEPT, UNNAMED = 3600, 600

FULL = later("Too many people are using the studio right now: try again in a minute.")
TOO_MANY = later("You have too many requests in the queue: wait for the first answers.")
DELETED = later("Your pictures were deleted because the page was inactive for too long: upload the photograph again.")
FOREIGN = later("This file was not uploaded to the studio: choose it again.")
GONE = later("This file is not here any more: make it again, or load the page again.")
NOT_JSON = later("This request is not JSON: send it in the form that the page uses.")
DISK_FULL = later("The studio's disk is full: try a smaller file, or contact the administrator.")


class Guard:
    """Checks every request to gradio's own routes.

    Args:
        app: gradio.
        folder: of all uploads and results; no other file is read or shown.
        clients: learns which pages are open and what they request.
        lines: to pages.
    """

    def __init__(self, app: ASGIApp, folder: Path, clients: Clients, lines: Lines) -> None:
        self.app, self.folder, self.clients, self.lines = app, folder.resolve(), clients, lines

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on a request."""
        route = route_of(scope)
        if scope["type"] != "http" or not route:
            await self.app(scope, receive, send)
        elif route.startswith(("file=", "file/", "proxy=")):
            await self._download(route, scope, receive, send)
        elif route.startswith("line/"):
            await self.lines.connect(scope, receive, send)
        elif route.startswith("heartbeat/"):
            with self.clients.connected(route.removeprefix("heartbeat/")):
                await self.app(scope, receive, send)
        elif scope["method"] == "POST" and route.startswith(COMPUTING):
            await self._compute(scope, receive, send)
        elif route == "upload":
            await self._upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _download(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Show a file of the studio's. gradio would also fetch addresses of the internet.

        Headers say the length of a file before it is opened, and it may be deleted in between. So they wait for its
        first bytes.
        """
        path, headers = route[len("file=") :], None
        if route.startswith("proxy=") or not self._is_own(path):
            raise RefusalError(403, FOREIGN)

        async def send_once_open(message: Message) -> None:
            nonlocal headers
            if message["type"] == "http.response.start":
                headers = message
                return
            if headers:
                await send(headers)
                headers = None
            await send(message)

        try:
            await self.app(scope, receive, send_once_open)
        except Exception:
            if Path(path).exists():
                raise
            raise RefusalError(404, GONE) from None

    async def _compute(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        request = _parse(body)

        async def start(send: Send) -> None:
            await self._start(request, scope, replaying(body, receive), send)

        if ONCE in Headers(scope=scope):
            await self.lines.once(_session(request), scope, send, start)
        else:
            await start(send)

    async def _start(self, request: Any, scope: Scope, receive: Receive, send: Send) -> None:
        """Put a job into the queue, unless it is refused."""
        files, session = list(_files(request)), _session(request)
        if not all(map(self._is_own, files)):
            raise RefusalError(403, FOREIGN)
        job = self.clients.job(session, scope)
        if not job.from_page:
            self.clients.keep_files(map(Path, files), KEPT)
        if session is not None and self.clients.note_request(session, map(Path, files if job.from_page else ())):
            raise RefusalError(410, DELETED)
        self._check_queue(job)
        with self.clients.arriving(job):
            await self.app(scope, receive, send)
        if route_of(scope).startswith("queue/join"):
            self.lines.listen(self.app, session)

    def _check_queue(self, job: Job) -> None:
        """Refuse a job if its page or program, its address or all together have too many."""
        every = self.clients.waiting()
        near = [other for other in every if other.address == job.address]
        own = [other for other in near if other.session == job.session]
        if (job.from_page and len(own) >= MAX_WAITING_PER_PAGE) or _crowded(near, job, 2):
            raise RefusalError(429, TOO_MANY)
        if _crowded(every, job, 1):
            raise RefusalError(429, FULL)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = bytearray()

        async def reading_along(message: Message) -> None:
            nonlocal answer
            answer += message.get("body", b"")
            await send(message)

        try:
            await self.app(scope, receive, reading_along)
        except OSError:  # gradio writes what it receives to the disk before it answers
            raise RefusalError(507, DISK_FULL) from None
        if answer.startswith(b"["):  # the paths, else a refusal
            from_page = b"upload_id=" in scope["query_string"]
            self.clients.keep_files(map(Path, json.loads(answer)), UNNAMED if from_page else KEPT)

    def _is_own(self, path: str) -> bool:
        found = inside(self.folder, path)
        return found is not None and not found.is_dir()


def _crowded(waiting: list[Job], job: Job, share: int) -> bool:
    """Return whether no other job fits in, of those that one part in `share` of all is open to."""
    programs = [other for other in waiting if not other.from_page]
    return (
        len(waiting) >= MAX_WAITING // share
        or (not job.from_page and len(programs) >= MAX_WAITING // share // 2)
        or job.size + sum(other.size for other in waiting) > MAX_HELD // share
    )


def _parse(body: bytes) -> Any:
    """Parse a request's JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, NOT_JSON) from None


def _session(request: Any) -> str | None:
    """Return the session hash of the page that sent a request, if a page did."""
    session = request.get("session_hash") if isinstance(request, dict) else None
    return session if isinstance(session, str) else None


def _files(value: Any) -> Iterator[str]:
    """Find all paths in a request, which come as ``{"path": ...}`` at any depth."""
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str):
            yield path
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _files(item)
