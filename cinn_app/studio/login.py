"""ASGI middleware of a studio with a password: what strangers may see, and how fast they may guess."""

import base64
import binascii
import hmac
import re
import threading
import time
from collections.abc import Callable

import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.messages import Message as Sentence
from cinn_app.studio.clients import address_of
from cinn_app.studio.gradio_workarounds import is_logged_in, login_cookie
from cinn_app.studio.language import later
from cinn_app.studio.metrics import WRONG_LOGINS
from cinn_app.studio.refusals import RefusalError

__all__ = ["FREE_GUESSES", "MAX_DELAY", "Login", "basic"]

#: An address may guess so often before it has to wait: a second, then two, four and so on, up to so many.
FREE_GUESSES, MAX_DELAY = 5, 300
#: How many addresses are remembered that guessed wrongly.
MAX_REMEMBERED = 10_000

STRANGER = later("This studio asks for a name and a password: log in first, or send them with HTTP Basic.")
TOO_FAST = later("Too many wrong passwords: wait {seconds} seconds.")

# All that the page needs to ask for the password, and the watchdog to see that the studio runs.
OPEN = re.compile(r"/(login/?|logout|health|favicon\.ico|robots\.txt|theme\.css|(assets|static|svelte)/.*)?")
# gradio requests this of itself, without a password, when it is launched.
LAUNCH = "/gradio_api/startup-events"
# The page for strangers describes all endpoints, too.
ENDPOINTS = re.compile(rb"window\.gradio_api_info = .*?;</script>", re.DOTALL)


def basic(name: str, password: str) -> str:
    """Return a name and a password as HTTP Basic, for the header ``authorization``."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Login:
    """Refuses strangers all but the page that asks for the password, and slows down those who guess.

    Args:
        app: everything else.
        page: the studio's, whose cookies are known.
        login: name and password.
        launched: set as soon as the page is.
        clock: returns seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        page: gr.Blocks,
        login: tuple[str, str],
        launched: threading.Event,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app, self._page, self._login, self._launched, self._clock = app, page, login, launched, clock
        self._wrong: dict[str, tuple[int, float]] = {}  # guesses of an address, and until when it has to wait

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request of a visitor, or refuse it."""
        if scope["type"] != "http" or is_logged_in(self._page, Request(scope).cookies):
            await self.app(scope, receive, send)
        elif "authorization" in Headers(scope=scope):
            self._check_basic(scope)
            await self.app(scope, receive, send)
        elif scope["path"].rstrip("/") == "/login":
            await self._guess(scope, receive, send)
        elif scope["path"] == "/":
            await self._ask(scope, receive, send)
        elif OPEN.fullmatch(scope["path"]) or (scope["path"] == LAUNCH and not self._launched.is_set()):
            await self.app(scope, receive, send)
        else:
            raise RefusalError(401, STRANGER)

    def _check_basic(self, scope: Scope) -> None:
        """Let a program in that sends name and password with each request."""
        headers = MutableHeaders(scope=scope)
        address = address_of(scope)
        self._note_guess(address)
        try:
            given = base64.b64decode(headers["authorization"].removeprefix("Basic "), validate=True)
        except (binascii.Error, ValueError):
            given = b""
        if not hmac.compare_digest(given, ":".join(self._login).encode()):
            WRONG_LOGINS.inc()
            raise RefusalError(401, STRANGER)
        self._wrong.pop(address, None)
        headers["cookie"] = login_cookie(self._page, self._login[0])

    async def _guess(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = address_of(scope)
        self._note_guess(address)

        async def noting(message: Message) -> None:
            if message.get("status") == 400:
                WRONG_LOGINS.inc()
            elif message.get("status") == 200:
                self._wrong.pop(address, None)
            await send(message)

        await self.app(scope, receive, noting)

    def _note_guess(self, address: str) -> None:
        """Count a guess as wrong until it turns out to be right, so that many at once gain nothing."""
        guesses, until = self._wrong.pop(address, (0, 0.0))
        wait = until - self._clock()
        if wait > 0:
            self._wrong[address] = guesses, until
            raise RefusalError(429, Sentence(TOO_FAST, seconds=int(wait) + 1))
        delay = min(2.0 ** (guesses - FREE_GUESSES), MAX_DELAY) if guesses >= FREE_GUESSES else 0
        self._wrong[address] = min(guesses + 1, 100), self._clock() + delay
        while len(self._wrong) > MAX_REMEMBERED:
            del self._wrong[next(iter(self._wrong))]

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Show the page that asks for the password, without its description of the endpoints."""
        start: Message = {}
        page = bytearray()

        async def keep(message: Message) -> None:
            nonlocal start, page
            if message["type"] == "http.response.start":
                start = message
            else:
                page += message.get("body", b"")

        await self.app(scope, receive, keep)
        body = ENDPOINTS.sub(b"window.gradio_api_info = {};</script>", bytes(page))
        MutableHeaders(raw=start["headers"])["content-length"] = str(len(body))
        await send(start)
        await send({"type": "http.response.body", "body": body})
