"""All that the studio needs of gradio beyond its documented interface.

No other file uses private or undocumented names of gradio; a test checks this. Everything here was written against
gradio 6.16 and holds with 6.31. Each entry names the upstream issue or pull request that would make it unnecessary.
"""

import asyncio
import contextlib
import functools
import inspect
import json
import os
import re
import secrets
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Generic, NamedTuple, TypeAlias, TypeVar
from urllib.parse import quote

from anyio.to_thread import run_sync
from PIL import Image
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp, Message, Scope

from cinn_app.errors import CinnError

__all__ = [
    "ASSETS",
    "FILE_SCHEMA",
    "LAUNCH_OPTIONS",
    "BlocksWithVariants",
    "Value",
    "admit",
    "busy_sessions",
    "cumulative",
    "delete_session_state",
    "describe_endpoint",
    "event_request",
    "expel",
    "fix_mcp_server",
    "forget_unfetched",
    "get_function_description",
    "hear_out",
    "is_logged_in",
    "let_take_turns",
    "limit_connections",
    "needed_assets",
    "page_being_built",
    "queued_requests",
    "sessions_with_state",
    "type_name",
    "without_streaming",
]

# After every few events gradio computes statistics of its last 10,000, which nothing here shows. The limit can be set
# since https://github.com/gradio-app/gradio/pull/13756, but not the statistics switched off.
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "10"


@contextlib.contextmanager
def without_stubs() -> Iterator[None]:
    """Import gradio, or derive from its classes, without rewriting type stubs.

    For each component class gradio parses its source and writes a `.pyi` beside it, which takes two of the five
    seconds that importing it takes (https://github.com/gradio-app/gradio/issues/7791), and fails where its folder is
    read-only (https://github.com/gradio-app/gradio/issues/10121). It skips classes without a source file.
    """

    def getfile(thing: Any) -> str:
        if isinstance(thing, type):
            raise OSError
        return true_getfile(thing)

    true_getfile = inspect.getfile
    inspect.getfile = getfile  # type: ignore[assignment]
    try:
        yield
    finally:
        inspect.getfile = true_getfile


with without_stubs():
    import gradio as gr
    from gradio import route_utils, state_holder
    from gradio.context import Context, LocalContext
    from gradio.utils import get_function_description
    from gradio_client import Client
    from gradio_client.utils import json_schema_to_python_type, python_type_to_json_schema

#: Options of `launch`. Without this one, gradio requests its own page once the server is up and gives up after 3 s, too
#: few for a busy machine (https://github.com/gradio-app/gradio/issues/9817).
LAUNCH_OPTIONS: dict[str, Any] = {"_frontend": False}


# --- Which request, which page ---


def event_request() -> gr.Request | None:
    """Return the request of the event that is being handled, or None outside of events.

    Documented is only a parameter of type `gr.Request`, which every handler and everything that it calls would have to
    pass on. No upstream issue found.
    """
    return LocalContext.request.get(None)


def page_being_built() -> gr.Blocks:
    """Return the page of the innermost `with gr.Blocks()`, for its `load` event. No upstream issue found."""
    assert Context.root_block is not None
    return Context.root_block


V = TypeVar("V")


with without_stubs():

    class BlocksWithVariants(gr.Blocks, Generic[V]):
        """A page that is laid out once per variant, such as a language, with one set of event handlers behind all.

        gradio's `I18n` translates labels of components, but no HTML, no choices and nothing that handlers return
        (https://github.com/gradio-app/gradio/issues/2465). So the page's configuration, which a browser loads first,
        is replaced by that of a page laid out in the variant. The variants differ in texts only.
        """

        _variant: Callable[[], V | None] = staticmethod(lambda: None)
        _build: Callable[[], gr.Blocks]
        _explain: Callable[[Exception], gr.Error] | None = None

        def set_variants(self, variant: Callable[[], V | None], build: Callable[[], gr.Blocks]) -> None:
            """Offer variants beside the page itself.

            Args:
                variant: returns which variant the present request gets; None for the page itself.
                build: lays out the page in that variant, when it is requested for the first time.
            """
            self._variant, self._build = variant, build

        @property
        def config(self) -> Any:
            """The configuration that a browser loads."""
            variant = self._variant()
            if variant is None:
                return self._own_config
            with self._variants_lock:
                if variant not in self._variants:
                    self._variants[variant] = self._with_own_numbers(self._build().config["components"])
            return {**self._own_config, "components": self._variants[variant]}

        @config.setter
        def config(self, config: Any) -> None:
            self._own_config, self._variants_lock = config, threading.Lock()
            self._variants: dict[V, list[dict[str, Any]]] = {}

        def set_explanation(self, explain: Callable[[Exception], gr.Error]) -> None:
            """Let visitors and the log learn of unexpected errors by one sentence each.

            gradio prints a traceback, which may quote a visitor's text, and answers with no reason. No upstream issue
            found.
            """
            self._explain = explain

        async def process_api(self, *args: Any, **options: Any) -> dict[str, Any]:
            """Answer an event."""
            try:
                return await super().process_api(*args, **options)
            except Exception as error:
                if self._explain is None or isinstance(error, gr.Error):
                    raise
                raise self._explain(error) from None

        def validate_inputs(self, block_fn: Any, inputs: list[Any]) -> None:
            """Refuse a wrong number of values by one sentence; gradio ignores further ones."""
            if len(inputs) != len(block_fn.inputs):
                raise CinnError(
                    "The endpoint takes {wanted} values, not {given}: /gradio_api/openapi.json lists them.",
                    wanted=len(block_fn.inputs),
                    given=len(inputs),
                )

        def _with_own_numbers(self, components: list[dict[str, Any]]) -> list[dict[str, Any]]:
            """Give the components of another page the numbers that this page's event handlers know."""
            pairs = zip(components, self._own_config["components"], strict=True)
            return [{**component, "id": own["id"]} for component, own in pairs]


# --- The queue, and what pages leave behind ---


def queued_requests(page: gr.Blocks) -> list[tuple[str, Scope]]:
    """Return the session hash and the request of each event that waits. No upstream issue found."""
    return [_origin(event) for queue in _queues(page) for event in list(queue.queue)]


def let_take_turns(page: gr.Blocks, *owners: Callable[[str, Scope], Any]) -> None:
    """Reorder the events that wait, which gradio answers in the order of their arrival. No upstream issue found.

    Args:
        page: its queue is used.
        owners: find whose turn an event is, by its session hash and request. The last one counts most: each of its
            owners gets a turn before any gets another.
    """
    for queue in _queues(page):
        events = list(queue.queue)
        for owner in owners:
            turns = Counter[Any]()

            def turn(event: Any, owner: Any = owner, turns: Counter[Any] = turns) -> int:
                key = owner(*_origin(event))
                turns[key] += 1
                return turns[key]

            events.sort(key=turn)
        queue.queue[:] = events


def busy_sessions(page: gr.Blocks) -> set[str]:
    """Return the session hashes that have an event waiting or running. No upstream issue found."""
    running = [event for job in page._queue.active_jobs if job for event in job]
    return {session for session, _ in (*map(_origin, running), *queued_requests(page))}


def _queues(page: gr.Blocks) -> list[Any]:
    return list(page._queue.event_queue_per_concurrency_id.values())


def _origin(event: Any) -> tuple[str, Scope]:
    return event.session_hash, event.request.scope


class _LightSession(state_holder.SessionState):
    """A session that does not copy the page's configuration.

    The copy takes a third of a second and half a megabyte, so that whoever sends made-up session hashes stops the
    server. It serves deep links only, which the studio has none of. No upstream issue found.
    """

    def __init__(self, blocks: gr.Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks=()))  # type: ignore[arg-type]


state_holder.SessionState = _LightSession  # type: ignore[misc]


def sessions_with_state(page: gr.Blocks) -> set[str]:
    """Return the session hashes that gradio keeps a record of."""
    return set(page.state_holder.session_data)


def delete_session_state(page: gr.Blocks, session: str) -> None:
    """Delete the `gr.State`s of a session at once, and call their `delete_callback`.

    gradio does so an hour after the page was closed, and keeps an empty record forever
    (https://github.com/gradio-app/gradio/issues/3852).
    """
    states = page.state_holder
    states.delete_state(session)
    states.session_data.pop(session, None)
    states.time_last_used.pop(session, None)


def forget_unfetched(page: gr.Blocks) -> None:
    """Forget the numbers of answers that nobody fetched and that are gone themselves. No upstream issue found."""
    queue = page._queue
    for session in queue.pending_event_ids_session.keys() - queue.pending_messages_per_session.keys():
        queue.pending_event_ids_session.pop(session, None)


async def hear_out(
    app: ASGIApp, scope: Scope, session: str, closed: asyncio.Event, tell: Callable[[bytes], None]
) -> None:
    """Pass on what gradio tells a page, until nothing of the page's is pending.

    The connection of the page may end meanwhile. gradio would drop what the page waits for, see `lines.py`; streams
    that resume (https://github.com/gradio-app/gradio/pull/13585) would make this unnecessary.

    Args:
        app: gradio.
        scope: of a request of the page's for ``line/HASH``.
        session: the page's session hash.
        closed: set when the page is gone for good.
        tell: is given each message as the stream has it.
    """
    path = scope["path"].removesuffix(f"line/{session}") + "queue/data"
    headers = [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]
    query = f"session_hash={quote(session)}".encode()
    stream = {**scope, "path": path, "raw_path": path.encode(), "query_string": query, "headers": headers}

    async def receive() -> Message:
        await closed.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        body = message.get("body", b"")
        if body and not closed.is_set() and not body.startswith(_OF_STREAMS):
            tell(body)

    await app(stream, receive, send)


# What gradio tells of the stream itself. A page that is told of the last two would load itself anew.
_OF_STREAMS = tuple(
    f'data: {{"msg":"{message}'.encode()
    for message in (
        "heartbeat",
        "close_stream",
        'unexpected_error","event_id":null,"message":"Server stopped',
        'unexpected_error","event_id":null,"message":"404',
    )
)


Part: TypeAlias = dict[Any, Any]


def cumulative(handler: Callable[..., Iterator[Part]]) -> Callable[..., Iterator[Part]]:
    """Let every part that a generator yields repeat the parts before it.

    The server sends each part as its difference from the part before, and a page that receives two parts at once shows
    only the second. What the second leaves out would never be shown. No upstream issue found.
    """

    @functools.wraps(handler)
    def repeat(*inputs: Any) -> Iterator[Part]:
        shown: Part = {}
        for part in handler(*inputs):
            shown = {**shown, **part}
            yield shown

    return repeat


# --- Connections and logins ---


def limit_connections(page: gr.Blocks, protocol: type[asyncio.Protocol]) -> None:
    """Let a launched page's server use a protocol of ours. No upstream issue found."""
    page.server.config.http_protocol_class = protocol


class _BoundedParser(route_utils.GradioMultiPartParser):
    """Reads uploads with bounds for all but the files themselves; gradio keeps whole fields in memory.

    Browsers send a quotation mark in a file's name as %22, which gradio would keep. No upstream issues found.
    """

    #: Files of one upload, each of which is open until all are there; bytes of a field, of which a page sends none.
    MAX_FILES, MAX_FIELD = 200, 1000

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "max_files": self.MAX_FILES})

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        part = self._current_part
        if part.file is None and len(part.data) + end - start > self.MAX_FIELD:
            raise MultiPartException("A field exceeded its maximum allowed size.")
        super().on_part_data(data, start, end)

    def on_headers_finished(self) -> None:
        super().on_headers_finished()
        file = self._current_part.file
        if file and file.filename:
            file.filename = file.filename.replace("%22", '"')  # which gradio leaves out


route_utils.GradioMultiPartParser = _BoundedParser  # type: ignore[misc]


def is_logged_in(page: gr.Blocks, cookies: Mapping[str, str]) -> bool:
    """Return whether cookies are those of a visitor who has given the password. No upstream issue found."""
    return cookies.get(_cookie(page)) in page.server_app.tokens


def admit(page: gr.Blocks, name: str, token: str | None = None) -> tuple[str, str]:
    """Log a visitor in, and return the name and the value of the cookie that shows it.

    gradio sets two cookies, one of which goes over unencrypted lines, too, and any website may let browsers send the
    other; no upstream issue found. It knows no other way in (https://github.com/gradio-app/gradio/issues/5398).

    Args:
        page: that is launched.
        name: of the visitor.
        token: the value of the cookie; by default a new one.
    """
    token = token or secrets.token_urlsafe()
    page.server_app.tokens[token] = name
    return _cookie(page), token


def expel(page: gr.Blocks, cookies: Mapping[str, str]) -> list[str]:
    """Log a visitor out, and return the names of the cookies that are of no use any more.

    gradio's own logout ends all visits under the same name. No upstream issue found.
    """
    page.server_app.tokens.pop(cookies.get(_cookie(page)), None)
    return [_cookie(page)]


def _cookie(page: gr.Blocks) -> str:
    return f"access-token-{page.server_app.cookie_id}"


# --- gradio's scripts ---

_FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
#: The folder of gradio's scripts, styles and fonts, whose names change with their contents.
ASSETS = _FRONTEND / "assets"


def needed_assets(page: gr.Blocks) -> tuple[list[str], list[str]]:
    """Return the scripts and the styles in :data:`ASSETS` that a page loads at first.

    Styles that the page itself names are left out.

    It is read from the scripts, which list the files that each of their parts needs. Where gradio is built in another
    way, the list is shorter, and the page slower. No upstream issue found.
    """
    document = (_FRONTEND / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="\./assets/([\w.-]+)"', document)
    found = dict.fromkeys(named)  # an ordered set
    kinds = {component["type"] for component in page.config["components"]}
    parts = (
        [r"import\(`\./Index-", r"import\(`\./core-"],
        [r"import\(`\./Blocks-"],
        [rf"[{{,]{re.escape(kind)}:{{[^{{}}]*?component:" for kind in sorted(kinds)],
    )
    for part in parts:
        for script in [(ASSETS / name).read_text("utf-8") for name in found if name.endswith(".js")]:
            listed = re.search(r"\bm\.f=(\[.*?\])", script)
            names = json.loads(listed[1]) if listed else []
            for pattern in part if names else ():
                if needed := re.search(pattern + r".*?__vite__mapDeps\(\[([\d,]+)\]", script):
                    found |= dict.fromkeys(names[int(number)].removeprefix("./") for number in needed[1].split(","))
    files = [name for name in found if (ASSETS / name).is_file()]
    scripts = [name for name in files if name.endswith(".js")]
    return scripts, [name for name in files if name.endswith(".css") and name not in named]


def without_streaming(name: str, content: bytes) -> bytes:
    """Empty the script that plays streams of videos, a third of all that a page with a gallery loads.

    The studio has no videos. The script's names are kept, without values. No upstream issue found.
    """
    names = re.search(rb"export\{([^{}]*)\};?\s*$", content) if re.fullmatch(r"hls-[\w-]+\.js", name) else None
    if names is None:
        return content
    exported = (one.split()[-1] for one in names[1].split(b","))
    return b"let none;export{" + b",".join(b"none as " + one for one in exported) + b"};"


# --- Endpoints for programs ---

#: How gradio's clients recognise a file, which they upload before they name it.
FILE_SCHEMA = {**python_type_to_json_schema(gr.FileData), "required": ["path", "meta"]}


class Value(NamedTuple):
    """A parameter or a result of an endpoint.

    Attributes:
        name: as in calls.
        schema: its type, in JSON Schema.
        text: what it means.
    """

    name: str
    schema: dict[str, Any]
    text: str


def type_name(schema: dict[str, Any]) -> str:
    """Name a type of JSON Schema as gradio's Python client does, such as ``filepath``."""
    return str(json_schema_to_python_type(schema))


def describe_endpoint(page: gr.Blocks, endpoint: Any, parameters: Sequence[Value], results: Sequence[Value]) -> None:
    """Add to what `gr.api` tells clients: names of results, bounds and meanings of all values.

    gradio derives types only (https://github.com/gradio-app/gradio/issues/672).

    Args:
        page: that is being built.
        endpoint: what `gr.api` returned.
        parameters, results: in the order of the function's.
    """
    for numbers, values in ((endpoint["inputs"], parameters), (endpoint["outputs"], results)):
        for number, value in zip(numbers, values, strict=True):
            component: Any = page.blocks[number]
            component.label = value.name
            component._api_info = {**value.schema, "description": value.text, "additional_description": value.text}


def fix_mcp_server(page: gr.Blocks, preview_side: int, headers: Mapping[str, str]) -> None:
    """Let the MCP tools of a launched page take uploads by their addresses, and return results one by one.

    gradio would download pictures by their addresses, but refuses addresses of its own computer, where uploads are
    (https://github.com/gradio-app/gradio/issues/9828, closed as intended). It joins several results into one text,
    unless a client asked for progress, and sends pictures at full size; no upstream issue found for either.

    Args:
        page: launched with ``mcp_server=True``.
        preview_side: longer side in pixels of the pictures that are sent; the address of the whole one stands beside.
        headers: by which the server's own client, through which it calls tools, is let in. gradio's has no password
            (https://github.com/gradio-app/gradio/issues/11465).

    Raises:
        CinnError: if gradio could not start the server.
    """
    server: Any = page.mcp_server_obj
    if server is None:
        raise CinnError(
            '{reason}: install the version that fits with pip install "cinn-app[mcp]".', reason=page.mcp_error
        )
    get_whole_image = server.get_image

    async def execute(job: Any) -> list[Any]:
        result = await run_sync(job.result)
        return list(result) if isinstance(result, tuple) else [result]

    def get_preview(path: str) -> Image.Image | None:
        picture: Image.Image | None = get_whole_image(path)
        if picture is not None:
            picture.thumbnail((preview_side, preview_side))
        return picture

    # Unchanged: the endpoints read addresses, paths and data: themselves, and accept nothing but uploads.
    server.convert_strings_to_filedata = lambda arguments, _: arguments
    server._execute_tool_without_progress = execute
    server.get_image = get_preview
    server._client_instance = Client(
        page.local_url,
        download_files=False,
        verbose=False,
        analytics_enabled=False,
        _skip_components=False,
        headers={"x-gradio-user": "mcp", **headers},
    )
