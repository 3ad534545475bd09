"""The page that asks for name and password, which needs neither scripts nor gradio, and the ways in and out."""

from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

import gradio as gr
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cinn_app.studio.clients import address_of
from cinn_app.studio.gradio_workarounds import admit, expel, is_logged_in
from cinn_app.studio.guesses import Guesses
from cinn_app.studio.language import language, language_links, later, tr
from cinn_app.studio.metrics import REFUSALS
from cinn_app.studio.refusals import RefusalError

__all__ = ["LoginPage"]

HERE = Path(__file__).parent
FORM = Template((HERE / "login.html").read_text("utf-8"))
ICON = (HERE / "icon.html").read_text("utf-8")

WRONG = later("The name or the password is wrong: try again.")


class LoginPage:
    """Lets visitors in and out, in place of gradio's own pages for that.

    Browsers get pages; programs, which ask for no HTML, get JSON. All addresses are relative, so that a proxy may show
    the studio under any path, and the cookie goes to no other path.

    Args:
        page: the studio's, which is told who has come in.
        guesses: compares names and passwords.
    """

    def __init__(self, page: gr.Blocks, guesses: Guesses) -> None:
        self._page, self._guesses = page, guesses

    @property
    def routes(self) -> list[Route]:
        """What the server answers by this class."""
        methods = ["GET", "POST"]
        return [Route("/login", self._log_in, methods=methods), Route("/logout", self._log_out, methods=methods)]

    async def _log_in(self, request: Request) -> Response:
        query, for_browser = request.url.query, "text/html" in request.headers.get("accept", "")
        if request.method != "POST":
            return _to_page(query) if is_logged_in(self._page, request.cookies) else _form(request)
        async with request.form(max_files=0) as form:
            name, password = str(form.get("username", "")).strip(), str(form.get("password", ""))
        try:
            if not self._guesses.check(address_of(request.scope), name, password):
                raise RefusalError(401, WRONG)
        except RefusalError as refusal:
            if not for_browser:
                raise
            REFUSALS.labels(refusal.status).inc()
            return _form(request, name, refusal)
        answer = _to_page(query) if for_browser else JSONResponse({"success": True})
        cookie, token = admit(self._page, name)
        answer.set_cookie(cookie, token, path=None, secure=_is_encrypted(request), httponly=True, samesite="lax")
        return answer

    async def _log_out(self, request: Request) -> Response:
        """Log out in this browser; others stay logged in."""
        answer = _to_page(urlsplit(request.headers.get("referer", "")).query)
        for cookie in expel(self._page, request.cookies):
            answer.set_cookie(cookie, max_age=0, path=None, httponly=True, samesite="lax")
        return answer


def _form(request: Request, name: str = "", refusal: RefusalError | None = None) -> Response:
    """Ask for name and password, again if they were refused."""
    query = request.query_params
    theme = query.get("__theme")
    texts = {
        "language": language(),
        "scheme": theme if theme in ("dark", "light") else "light dark",
        "address": f"login?{request.url.query}",
        "refusal": tr(refusal.sentence) if refusal else "",
        "name_label": tr("User name"),
        "name": name,
        "focus_name": "" if name else "autofocus",
        "password_label": tr("Password"),
        "focus_password": "autofocus" if name else "",
        "button": tr("Log in"),
    }
    page = FORM.substitute(
        {key: escape(text) for key, text in texts.items()}, icon=ICON, languages=language_links(query)
    )
    return HTMLResponse(page, refusal.status if refusal else 200, {"cache-control": "no-store"})


def _to_page(query: str) -> Response:
    return RedirectResponse(f"./?{query}" if query else "./", 303, {"cache-control": "no-store"})


def _is_encrypted(request: Request) -> bool:
    """Return whether the visitor's browser speaks HTTPS, as it says itself, or as a proxy says."""
    forwarded = request.headers.get("x-forwarded-proto", "").partition(",")[0].strip()
    return "https" in (request.url.scheme, forwarded, urlsplit(request.headers.get("origin", "")).scheme)
