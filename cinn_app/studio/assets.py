"""The scripts and styles of gradio's page, sent once to each browser, in few requests and at the same time.

gradio's page asks for a hundred small files, many of them only when others have arrived, which takes long on a slow
line. So all styles are one file, small scripts are in the page, and the page begins with a list of the others. Names
change with contents, so a browser may keep what it has.
"""

import hashlib
import json
import mimetypes
import re
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from cinn_app.studio.compression import compress, encoding_of
from cinn_app.studio.gradio_workarounds import ASSETS, without_streaming

__all__ = ["Assets"]

# What needs no other form in an address, nor in a script's element.
PLAIN = "".join(set(string.punctuation) - set("%#<"))
COMPRESSIBLE = {".js", ".css", ".svg"}
#: They never change: a browser need not ask again.
FOREVER = {"cache-control": "public, max-age=31536000, immutable", "vary": "accept-encoding"}
#: Scripts of fewer bytes are in the page: a request would take longer than the script.
SMALL = 8000
IMPORT = re.compile(r"(\b(?:from|import)\s*\(?\s*[\"'`])\./([\w.-]+\.js)(?=[\"'`])")


class Assets:
    """Answers requests for gradio's own files; each is compressed once.

    Args:
        scripts, styles: names of the files that the page needs.

    Attributes:
        first: HTML for the beginning of the page's HEAD: the small scripts, and a list of what to load at once.
        last: HTML for the end of the page's HEAD: the styles, and marks by which gradio takes each file for loaded.
    """

    def __init__(self, scripts: Sequence[str], styles: Sequence[str]) -> None:
        self._files = {file.name: file for file in ASSETS.iterdir() if file.is_file()}
        self._compressed: dict[tuple[str, str], bytes] = {}
        self._styles = b"\n".join(self._read(name) for name in styles)
        self._name = f"styles-{hashlib.sha256(self._styles).hexdigest()[:12]}.css"
        texts = {name: self._read(name).decode() for name in scripts}
        small = {name: text for name, text in texts.items() if len(text) < SMALL and "import.meta" not in text}
        self.first = "".join([
            f'<script type="importmap">{json.dumps({"imports": _imports(small)})}</script>',
            f'<link rel="preload" as="style" href="./assets/{self._name}">',
            *(f'<link rel="modulepreload" href="./assets/{name}">' for name in scripts if name not in small),
        ])  # fmt: skip
        self.last = "".join([
            f'<link rel="stylesheet" href="./assets/{self._name}">',
            *(f'<link rel="stylesheet" disabled href="./assets/{name}">' for name in styles),
            *(f'<link rel="in-the-page" href="./assets/{name}">' for name in small),
        ])  # fmt: skip

    @property
    def route(self) -> Route:
        """What the server answers by this class."""
        return Route("/assets/{name}", self._answer)

    async def _answer(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {*self._files, self._name}:
            return PlainTextResponse("There is no such file.", 404)
        compressible = Path(name).suffix in COMPRESSIBLE
        encoding = encoding_of(request.headers.get("accept-encoding", "")) if compressible else ""
        if (name, encoding) not in self._compressed:
            self._compressed[name, encoding] = await run_in_threadpool(self._compress, name, encoding)
        headers = FOREVER | ({"content-encoding": encoding} if encoding else {})
        return Response(self._compressed[name, encoding], 200, headers, _kind(name))

    def _compress(self, name: str, encoding: str) -> bytes:
        return compress(self._styles if name == self._name else self._read(name), encoding)

    def _read(self, name: str) -> bytes:
        return without_streaming(name, self._files[name].read_bytes())


def _imports(scripts: Mapping[str, str]) -> dict[str, str]:
    """Return an import map that has scripts in it.

    They have no place of their own there, so they name others as ``assets/NAME``, not as ``./NAME``.
    """
    names = {name for text in scripts.values() for _, name in IMPORT.findall(text)}
    contents = {
        name: "data:text/javascript;charset=utf-8," + quote(IMPORT.sub(r"\1assets/\2", text), PLAIN)
        for name, text in scripts.items()
    }
    placed = {f"./assets/{name}": content for name, content in contents.items()}
    return placed | {f"assets/{name}": contents.get(name, f"./assets/{name}") for name in sorted(names)}


def _kind(name: str) -> str:
    # On Windows the registry may say that scripts are texts, which browsers do not run.
    return "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0] or "application/octet-stream"
