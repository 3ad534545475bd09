"""What stands between the network and gradio: nobody reads foreign files, and nobody takes the studio for himself."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio.language import later, tr
from cinn_app.studio.server.status import REFUSALS
from cinn_app.studio.server.streams import Streams
from cinn_app.studio.server.visitors import Visitors

__all__ = ["MAX_WAITING", "MAX_WAITING_EACH", "Guard"]

#: So many jobs may wait, of all pages together and of one page.
MAX_WAITING, MAX_WAITING_EACH = 100, 10
#: Bytes of a request that is no upload; the largest are drawings.
MAX_REQUEST = 32 * 2**20

FULL = later("Too many people are using the studio right now: try again in a minute.")
PATIENCE = later("You have asked for more than can be done at once: wait until the first answers are there.")
AWAY = later("You were away for so long that your pictures have been deleted: give the photograph once more.")
FOREIGN = later("This file is not one that was given to the studio: choose it anew.")
TOO_LONG = later("This request is too long: give files by choosing or dropping them.")
GARBLED = later("This request is not JSON: send what the page's own programs send.")
DISK_FULL = later("The studio's disk is full: try a smaller file, or tell whoever runs the studio.")
# What asks for computation, with its inputs in JSON.
ASKING = ("queue/join", "run/", "api/", "call/", "stream/")


class Guard:
    """ASGI middleware before gradio's own routes.

    Args:
        app: gradio.
        folder: of all uploads and results; no other file is read or shown.
        visitors: is told who comes, asks and goes.
        streams: is told whose answers are to be heard.
    """

    def __init__(self, app: ASGIApp, folder: Path, visitors: Visitors, streams: Streams) -> None:
        self.app, self.folder, self.visitors, self.streams = app, folder.resolve(), visitors, streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or refuse a request, or hand it on."""
        _, at_gradio, route = scope.get("path", "").partition("/gradio_api/")
        if scope["type"] != "http" or not at_gradio:
            await self.app(scope, receive, send)
        elif route.startswith(("file=", "file/", "proxy=")):
            await self._show(route, scope, receive, send)
        elif route.startswith("heartbeat/"):
            with self.visitors.connected(route.removeprefix("heartbeat/")):
                await self.app(scope, receive, send)
        elif scope["method"] == "POST" and route.startswith(ASKING):
            await self._ask(scope, receive, send)
        elif route == "upload":
            await self._upload(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _show(self, route: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Show a file of the studio's; gradio would also fetch addresses of the internet."""
        if route.startswith("proxy=") or not self._is_ours(route[len("file=") :]):
            await PlainTextResponse(tr(FOREIGN), 403)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await _read(receive)
        asked = _parse(body)
        refusal = asked if isinstance(asked, Response) else self._refuse(asked)
        if not refusal and Headers(scope=scope).get("x-gradio-user") == "app" and (session := _session(asked)):
            await self.streams.keep(session)
        await (refusal or self.app)(scope, _again(body or b"", receive), send)

    def _refuse(self, asked: Any) -> Response | None:
        """Return why a request for computation is not handed on, if it is not."""
        files, session = list(_files(asked)), _session(asked)
        if not all(map(self._is_ours, files)):
            return _refusal(403, FOREIGN)
        if session is None:
            return None
        if self.visitors.asks(session, map(Path, files)):
            return _refusal(410, AWAY)
        waiting = self.visitors.waiting()
        if waiting[session] >= MAX_WAITING_EACH:
            return _refusal(429, PATIENCE)
        return _refusal(429, FULL) if waiting.total() >= MAX_WAITING else None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self.app(scope, receive, send)
        except OSError:  # gradio writes what it receives to the disk before it answers
            await PlainTextResponse(tr(DISK_FULL), 507)(scope, receive, send)

    def _is_ours(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.folder)
        except (OSError, ValueError, RuntimeError):  # a loop of links, a null byte
            return False


def _refusal(status: int, sentence: str) -> Response:
    """Refuse as gradio does, so that its page shows the sentence."""
    REFUSALS.labels(status).inc()
    return Response(json.dumps({"detail": tr(sentence)}), status, media_type="application/json")


def _parse(body: bytes | None) -> Any:
    """Read what is asked for, or refuse it."""
    if body is None:
        return _refusal(413, TOO_LONG)
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _refusal(400, GARBLED)


def _session(asked: Any) -> str | None:
    """Find out which page asks, if one does."""
    session = asked.get("session_hash") if isinstance(asked, dict) else None
    return session if isinstance(session, str) else None


def _files(value: Any) -> Iterator[str]:
    """Find the paths in what a page sends, which come as ``{"path": ...}`` wherever they are."""
    if isinstance(value, dict):
        path = value.get("path")
        if isinstance(path, str):
            yield path
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            yield from _files(item)


async def _read(receive: Receive) -> bytes | None:
    """Read a request's body; None if it is too long."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_REQUEST:
            return None
    return body


def _again(body: bytes, receive: Receive) -> Receive:
    """Let a body that has been read be read once more."""
    parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return parts.pop() if parts else await receive()

    return again
