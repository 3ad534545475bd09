"""The studio's texts, in English and in Chinese.

English is the source and stands where it is shown, ``tr("Roll the dice")``; each room's ``zh.toml`` says it in Chinese.
A visitor gets the language of his browser, or the one in the page's address, ``?lang=zh``, which goes along with
everything that the page asks for. So :func:`tr` knows it by itself: while the page is being laid out, while an event
is answered, while a request is refused.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from gradio.context import LocalContext
from starlette.datastructures import Headers, QueryParams
from starlette.types import ASGIApp, Receive, Scope, Send

from cinn_app.registry import room_folders

__all__ = [
    "LANGUAGES",
    "SOURCE",
    "TRANSLATIONS",
    "Listener",
    "language",
    "later",
    "listed",
    "retell",
    "speaking",
    "tr",
    "wanted",
]

#: What they call themselves, by their names in addresses and in HTML. The first is the source.
LANGUAGES = {"en": "English", "zh": "中文"}
SOURCE, *TRANSLATIONS = LANGUAGES

SPOKEN = ContextVar("SPOKEN", default=SOURCE)


class Catalogue(NamedTuple):
    """What is said in another language.

    Attributes:
        texts: of the studio, by the English ones without line breaks.
        told: sentences of the floors below, English ones as patterns.
    """

    texts: dict[str, str]
    told: list[tuple[re.Pattern[str], str]]


def language() -> str:
    """Which language to speak to whoever is being answered."""
    request = LocalContext.request.get(None)  # an event's; of many in one batch there are none here
    return wanted(request.query_params, request.headers) if request else SPOKEN.get()


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Speak a language for a while."""
    before = SPOKEN.set(language)
    try:
        yield
    finally:
        SPOKEN.reset(before)


def tr(text: str, **values: Any) -> str:
    """Say a text of the studio's in the visitor's language; values go where it has their names in braces."""
    said = CATALOGUES[language()].texts.get(_key(text), text)
    return said.format(**values) if values else said


def later(text: str) -> str:
    """Mark a text that is given to :func:`tr` only when it is shown."""
    return text


def listed(items: Sequence[str]) -> str:
    """Enumerate what has been translated already."""
    return tr(", ").join(items)


def retell(sentence: str) -> str:
    """Say in the visitor's language what a floor below says in English; what is not known stays as it is.

    >>> with speaking("zh"):
    ...     retell("grandma.jpg is empty (0 bytes): fetch it again from where it came.")
    'grandma.jpg 是空文件（0 字节）：请重新获取该文件。'
    """
    for pattern, said in CATALOGUES[language()].told:
        if found := pattern.fullmatch(sentence):
            return said.format(**{name: retell(value) for name, value in found.groupdict().items()})
    return sentence


def wanted(query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Find the language that is asked for: by the address, or else the first of the browser's that is spoken here.

    >>> wanted({}, {"accept-language": "de-DE,zh-CN;q=0.8,en;q=0.5"}), wanted({"lang": "en"}, {"accept-language": "zh"})
    ('zh', 'en')
    """
    if query.get("lang") in LANGUAGES:
        return query["lang"]
    tongues = (entry.partition(";q=")[::2] for entry in headers.get("accept-language", "").replace(" ", "").split(","))
    for tongue, _ in sorted(tongues, key=lambda entry: entry[1] or "1", reverse=True):
        if tongue[:2].lower() in LANGUAGES:
            return tongue[:2].lower()
    return SOURCE


class Listener:
    """ASGI middleware that finds out which language a request is to be answered in."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with speaking(wanted(QueryParams(scope["query_string"]), Headers(scope=scope))):
            await self.app(scope, receive, send)


def _read(language: str) -> Catalogue:
    catalogue = Catalogue({}, [])
    folders = [Path(__file__).parent, *room_folders()]
    for file in [file for folder in folders for file in sorted(folder.rglob(f"{language}.toml"))]:
        entries = tomllib.loads(file.read_text("utf-8"))
        catalogue.texts.update({_key(entry["en"]): entry[language] for entry in entries.get("text", ())})
        catalogue.told.extend((_pattern(entry["en"]), entry[language]) for entry in entries.get("told", ()))
    return catalogue


def _key(text: str) -> str:
    return " ".join(text.split())


def _pattern(sentence: str) -> re.Pattern[str]:
    """Let each name in braces stand for anything.

    >>> _pattern("{name} is of {n} pages.").fullmatch("A (b).tif is of 3 pages.").groupdict()
    {'name': 'A (b).tif', 'n': '3'}
    """
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(_key(sentence))), re.DOTALL)


CATALOGUES = {SOURCE: Catalogue({}, []), **{language: _read(language) for language in TRANSLATIONS}}
