"""ASGI middleware in front of everything: every refusal is one sentence, and no error of gradio's goes further."""

import asyncio
from contextlib import suppress

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as ASGIMessage

from cinn_app.messages import Message
from cinn_app.studio.language import later, tr
from cinn_app.studio.log import log_error
from cinn_app.studio.metrics import REFUSALS

__all__ = ["RefusalError", "Refusals", "route_of"]

# Routes of files, whose answers are no JSON.
FILES = ("file", "proxy=", "upload")
# Seconds for which the rest of a refused body is thrown away. Clients that still send would not see the answer else.
LINGER = 5.0

UNFIT = later("This request does not fit its endpoint ({reason}): see the parameters in /gradio_api/openapi.json.")
UNKNOWN = later("There is no such endpoint, or the request does not fit it: see /gradio_api/openapi.json.")


class RefusalError(Exception):
    """The reason why a request is not answered; :class:`Refusals` sends it.

    Args:
        status: of HTTP.
        sentence: English, as :func:`cinn_app.studio.language.later` marks it.
    """

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status, self.sentence = status, sentence


class Refusals:
    """Sends the refusals of what comes after it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request."""
        if scope["type"] == "websocket":  # gradio uses none
            await send({"type": "websocket.close"})
            return
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers, started = Headers(scope=scope), False
        more = "content-length" in headers or "transfer-encoding" in headers

        async def noting_more() -> ASGIMessage:
            nonlocal more
            message = await receive()
            more = message.get("more_body", False)
            return message

        async def noting_start(message: ASGIMessage) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, noting_more, noting_start)
        except ClientDisconnect:
            pass
        except Exception as error:
            refusal = error if isinstance(error, RefusalError) else _explain(error)
            if started:
                return
            await _answer(refusal, scope, receive, send, more)


def route_of(scope: Scope) -> str:
    """Return the part of a request's path after ``/gradio_api/``, or an empty text."""
    return str(scope.get("path", "").partition("/gradio_api/")[2])


def _explain(error: Exception) -> RefusalError:
    """Refuse a request over which gradio stumbled before it called anything of the studio's."""
    log_error(error, quote=False)  # it names parameters and endpoints that a visitor made up
    if isinstance(error, TypeError):  # it names the parameter, and then a button of its page
        reason = str(error).partition(" Please")[0].rstrip(".")[:200]
        return RefusalError(400, Message(UNFIT, reason=reason))
    return RefusalError(400, UNKNOWN)


async def _answer(refusal: RefusalError, scope: Scope, receive: Receive, send: Send, more: bool) -> None:
    """Answer as gradio does, so that its page shows the sentence, and throw away the rest of the body for a while."""

    async def send_but_the_end(message: ASGIMessage) -> None:
        await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

    REFUSALS.labels(refusal.status).inc()
    sentence, headers = tr(refusal.sentence), {"connection": "close"} if more else {}
    if route_of(scope).startswith(FILES):
        answer: Response = PlainTextResponse(sentence, refusal.status, headers)
    else:
        answer = JSONResponse({"detail": sentence}, refusal.status, headers)
    await answer(scope, receive, send_but_the_end)
    with suppress(TimeoutError):
        async with asyncio.timeout(LINGER):
            while more:
                more = (await receive()).get("more_body", False)
    await send({"type": "http.response.body"})
