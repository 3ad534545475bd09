"""ASGI middleware of a studio with a password: what strangers may see."""

import base64
import binascii
import secrets
import threading

import gradio as gr
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from cinn_app.studio.clients import address_of
from cinn_app.studio.gradio_workarounds import admit, is_logged_in
from cinn_app.studio.guesses import Guesses
from cinn_app.studio.language import later
from cinn_app.studio.refusals import RefusalError

__all__ = ["Login", "basic"]

STRANGER = later("This studio asks for a name and a password: log in first, or send them with HTTP Basic.")

# The page that asks for the password, and what the watchdog needs to see that the studio runs.
OPEN = {"/login", "/logout", "/health", "/favicon.ico", "/robots.txt"}
# gradio requests this of itself, without a password, when it is launched.
LAUNCH = "/gradio_api/startup-events"


def basic(name: str, password: str) -> str:
    """Return a name and a password as HTTP Basic, for the header ``authorization``."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Login:
    """Refuses strangers all but the page that asks for the password.

    Args:
        app: everything else.
        page: the studio's, whose cookies are known.
        guesses: compares names and passwords.
        launched: set as soon as the page is.
    """

    def __init__(self, app: ASGIApp, page: gr.Blocks, guesses: Guesses, launched: threading.Event) -> None:
        self.app, self._page, self._guesses, self._launched = app, page, guesses, launched
        self._program = secrets.token_urlsafe()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request of a visitor, or refuse it."""
        if scope["type"] != "http" or is_logged_in(self._page, Request(scope).cookies):
            await self.app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        if "authorization" in Headers(scope=scope):
            self._check_basic(scope)
            await self.app(scope, receive, send)
        elif path == "/":
            await self.app({**scope, "path": "/login"}, receive, send)
        elif path in OPEN or (path == LAUNCH and not self._launched.is_set()):
            await self.app(scope, receive, send)
        else:
            raise RefusalError(401, STRANGER)

    def _check_basic(self, scope: Scope) -> None:
        """Let a program in that sends name and password with each request; gradio knows cookies only."""
        headers = MutableHeaders(scope=scope)
        try:
            given = base64.b64decode(headers["authorization"].removeprefix("Basic "), validate=True).decode()
        except (binascii.Error, ValueError):
            given = ""
        name, _, password = given.partition(":")
        if not self._guesses.check(address_of(scope), name, password):
            raise RefusalError(401, STRANGER)
        headers["cookie"] = "=".join(admit(self._page, name, self._program))
