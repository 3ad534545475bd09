"""The language of each visitor, and the studio's texts in it.

English is the source and stands where it is shown, ``tr("Roll the dice")``; catalogues translate it, see
:mod:`cinn_app.studio.catalogues`. A visitor gets the language of the browser, or the one in the page's address,
``?lang=zh``, which goes along with every request of the page. So :func:`tr` knows the language by itself: while the
page is laid out, while an event is answered, while a request is refused.
"""

import functools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from html import escape
from typing import Any
from urllib.parse import urlencode

from babel import negotiate_locale
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from cinn_app.errors import CinnError
from cinn_app.messages import Message
from cinn_app.studio.catalogues import SOURCE, languages, translations
from cinn_app.studio.files import without_folder
from cinn_app.studio.gradio_workarounds import event_request

__all__ = ["Listener", "joined", "language", "language_links", "later", "listed", "ntr", "speaking", "tr", "wanted"]

SPOKEN = ContextVar("SPOKEN", default=SOURCE)


def language() -> str:
    """Return the language of the visitor who is being answered."""
    request = event_request()
    return wanted(request.query_params, request.headers) if request else SPOKEN.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language inside the block."""
    before = SPOKEN.set(language)
    try:
        yield
    finally:
        SPOKEN.reset(before)


def tr(text: str | CinnError, /, **values: Any) -> str:
    """Return a text in the visitor's language.

    Args:
        text: English, from the code; a message or an error brings its values along.
        values: what stands in braces; those that are messages or errors are translated, too.

    >>> with speaking("zh"):
    ...     tr(Message("Painting {number} of {count} …", number=3, count=4))
    '正在绘制第 3 张，共 4 张…'
    """
    if isinstance(text, CinnError):
        return without_folder(tr(text.message, **values))
    template = message = text
    if isinstance(message, Message):
        template, values = message.template, {**message.values, **values}
    return _fill(translations(language()).gettext(template) if template else "", values)


def ntr(one: str, many: str, count: int, /, **values: Any) -> str:
    """Return the form of a text that fits a count, which both have in braces as ``{count}``, as :func:`tr` does.

    >>> ntr("{count} photograph", "{count} photographs", 3)
    '3 photographs'
    """
    return _fill(translations(language()).ngettext(one, many, count), {"count": count, **values})


def _fill(text: str, values: Mapping[str, Any]) -> str:
    filled = {name: tr(value) if isinstance(value, CinnError | Message) else value for name, value in values.items()}
    return text.format(**filled) if filled else text


#: Marks a text that :func:`tr` is given only when it is shown: ``later("…")``.
later = Message


def listed(items: Sequence[str]) -> str:
    """Enumerate what has been translated already."""
    return tr(", ").join(items)


def joined(sentences: Sequence[str]) -> str:
    """Put translated sentences one after the other, with a space between them where the language has one."""
    return functools.reduce(lambda text, following: tr("{sentence} {next}", sentence=text, next=following), sentences)


def wanted(query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Find the language that is asked for: by the address, or else the browser's first that there are catalogues of.

    >>> wanted({}, {"accept-language": "de-DE,zh-CN;q=0.8,en;q=0.5"}), wanted({"lang": "en"}, {"accept-language": "zh"})
    ('zh', 'en')
    """
    if query.get("lang") in languages():
        return query["lang"]
    entries = (entry.partition(";q=")[::2] for entry in headers.get("accept-language", "").replace(" ", "").split(","))
    preferred = [name for name, _ in sorted(entries, key=lambda entry: entry[1] or "1", reverse=True)]
    return negotiate_locale(preferred, languages(), sep="-") or SOURCE


def language_links(query: Mapping[str, str] = {}) -> str:
    """Return HTML that leads to the page in each language.

    Args:
        query: what else the address has after the question mark.
    """
    present = language()
    links = " / ".join(
        f"<b>{name}</b>"
        if code == present
        else f'<a href="{escape("?" + urlencode({**query, "lang": code}))}" hreflang="{code}" lang="{code}">{name}</a>'
        for code, name in languages().items()
    )
    return f'<nav aria-label="{tr("Language")}">{links}</nav>'


class Listener:
    """ASGI middleware that answers each request in the language that it asks for."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with speaking(wanted(QueryParams(scope["query_string"]), Headers(scope=scope))):
            await self.app(scope, receive, send)
