"""ASGI middleware before gradio: no client reads foreign files, and no client takes the whole queue."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from cinn_app.studio.bodies import COMPUTING, replaying
from cinn_app.studio.clients import Clients
from cinn_app.studio.gradio_workarounds import OpenStreams
from cinn_app.studio.language import later, tr
from cinn_app.studio.metrics import REFUSALS

__all__ = ["MAX_WAITING", "MAX_WAITING_PER_PAGE", "Guard"]

#: How many jobs may wait, of all pages together and of one page.
MAX_WAITING, MAX_WAITING_PER_PAGE = 100, 10

FULL = later("Too many people are using the studio right now: try again in a minute.")
TOO_MANY = later("You have too many requests in the queue: wait for the first answers.")
DELETED = later("Your pictures were deleted because the page was inactive for too long: upload the photograph again.")
FOREIGN = later("This file was not uploaded to the studio: choose it again.")
NOT_JSON = later("This request is not JSON: send it in the form that the page uses.")
DISK_FULL = later("The studio's disk is full: try a smaller file, or contact the administrator.")


class Guard:
    """Checks every request to gradio's own routes.

    Args:
        app: gradio.
        folder: of all uploads and results; no other file is read or shown.
        clients: learns which pages are open and what they request.
        streams: keeps the streams of answers open.
    """

    def __init__(self, app: ASGIApp, folder: Path, clients: Clients, streams: OpenStreams) -> None:
        self.app, self.folder, self.clients, self.streams = app, folder.resolve(), clients, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, refuse or pass on a request."""
        _, at_gradio, route = scope.get("path", "").partition("/gradio_api/")
        if scope["type"] != "http" or not at_gradio:
            await self.app(scope, receive, send)
        elif route.startswith(("file=", "file/", "proxy=")):
            await self._download(route, scope, receive, send)
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
        """Show a file of the studio's. gradio would also fetch addresses of the internet."""
        if route.startswith("proxy=") or not self._is_own(route[len("file=") :]):
            await PlainTextResponse(tr(FOREIGN), 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _compute(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await Request(scope, receive).body()
        request = _parse(body)
        refusal = request if isinstance(request, Response) else self._refuse(request)
        if not refusal and Headers(scope=scope).get("x-gradio-user") == "app" and (session := _session(request)):
            await self.streams.keep(session)
        await (refusal or self.app)(scope, replaying(body, receive), send)

    def _refuse(self, request: Any) -> Response | None:
        """Return a refusal of a request for computation, or None."""
        files, session = list(_files(request)), _session(request)
        if not all(map(self._is_own, files)):
            return _refusal(403, FOREIGN)
        if session is None:
            return None
        if self.clients.note_request(session, map(Path, files)):
            return _refusal(410, DELETED)
        waiting = self.clients.queued()
        if waiting[session] >= MAX_WAITING_PER_PAGE:
            return _refusal(429, TOO_MANY)
        return _refusal(429, FULL) if waiting.total() >= MAX_WAITING else None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except OSError:  # gradio writes what it receives to the disk before it answers
            await PlainTextResponse(tr(DISK_FULL), 507)(scope, receive, send)

    def _is_own(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte
            return False


def _refusal(status: int, sentence: str) -> Response:
    """Refuse in gradio's form, so that its page shows the sentence."""
    REFUSALS.labels(status).inc()
    return Response(json.dumps({"detail": tr(sentence)}), status, media_type="application/json")


def _parse(body: bytes) -> Any:
    """Parse a request's JSON, or return a refusal."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _refusal(400, NOT_JSON)


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
