"""The line by which a page gets all answers, and which cuts of the network do not end; `line.html` is its other end.

gradio tells a page its answers by a stream that ends with the last one, and a second one says that the page is open.
If either breaks, waiting jobs are dropped, answers on their way are lost, and the page hears nothing more or loads
itself anew. So a page has one line instead of both. What the studio tells is numbered and kept until the page says that
it has it. A page that was cut off asks for what it lacks; requests whose confirmation was lost come again, and are not
run again.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path

from starlette.datastructures import Headers, QueryParams
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cinn_app.studio.clients import Clients
from cinn_app.studio.gradio_workarounds import hear_out
from cinn_app.studio.language import later
from cinn_app.studio.refusals import RefusalError, route_of

__all__ = ["GONE", "HEAD", "MAX_KEPT", "ONCE", "PING", "Lines"]

#: The page's end, in HTML.
HEAD = Path(__file__).with_name("line.html").read_text(encoding="utf-8")
#: Header of a page's request: its own number for it. A second header says which message the page has heard last.
ONCE, HEARD = "x-line-once", "x-line-heard"
#: Seconds after which the studio says something even if there is nothing to tell; `line.html` expects that.
PING = 5.0
#: Bytes of messages that are kept for one page, and confirmations of its last requests.
MAX_KEPT, MAX_ANSWERS = 16 * 2**20, 32

GONE = later("The studio does not know this page any more, after a restart or a long pause: load the page again.")


class _Line:
    """What one page is told."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.closed = asyncio.Event()
        self.listening: asyncio.Task[None] | None = None
        self.answers: dict[str, asyncio.Task[list[Message]]] = {}
        self.asked = False
        self._messages = deque[tuple[int, bytes]]()
        self._number = self._size = 0
        self._news = asyncio.Event()
        self._reader: object = None

    def tell(self, message: bytes) -> None:
        self._number += 1
        self._messages.append((self._number, message))
        self._size += len(message)
        while self._size > MAX_KEPT:
            self._drop_first()
        self._wake()

    def drop(self, heard: int) -> None:
        """Drop what the page has."""
        while self._messages and self._messages[0][0] <= heard:
            self._drop_first()

    def lacks(self, heard: int) -> bool:
        """Return whether a page that has heard so much can hear no more all that followed."""
        return heard < (self._messages[0][0] - 1 if self._messages else self._number)

    async def read(self, heard: int) -> AsyncIterator[bytes]:
        """Tell a page what it has not heard, until it connects again or the line is closed."""
        self._reader = me = object()
        self._wake()  # a connection that the page believes to be broken
        yield b":\n\n"
        while self._reader is me and not self.closed.is_set():
            news = self._news
            for number, message in [kept for kept in self._messages if kept[0] > heard]:
                yield b"id: %d\n%b" % (number, message)
                heard = number
            try:
                async with asyncio.timeout(PING):
                    await news.wait()
            except TimeoutError:
                yield b":\n\n"

    def close(self) -> None:
        self.closed.set()
        self._wake()

    def _drop_first(self) -> None:
        self._size -= len(self._messages.popleft()[1])

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


class Lines:
    """The lines of all pages.

    Args:
        clients: learn which pages are open.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._lines: dict[str, _Line] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    async def connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a page on ``line/HASH`` with all that it is told; it leaves with a POST.

        The query says as ``heard`` which message was its last, if the page has been connected before.

        Raises:
            RefusalError: if the studio cannot continue where the page was cut off.
        """
        session = route_of(scope).partition("/")[2]
        if scope["method"] == "POST":
            self._forget([session])
            await Response(status_code=204)(scope, receive, send)
            return
        self._loop = asyncio.get_running_loop()
        heard, line = QueryParams(scope["query_string"]).get("heard"), self._lines.get(session)
        if heard is not None and (line is None or line.lacks(int(heard))):
            raise RefusalError(410, GONE)
        if line is None:
            line = self._lines[session] = _Line(scope)
        line.scope = scope
        answer = StreamingResponse(line.read(int(heard or 0)), media_type="text/event-stream")
        with self._clients.connected(session):
            await answer(scope, receive, send)

    async def once(self, session: str | None, scope: Scope, send: Send, run: Callable[[Send], Awaitable[None]]) -> None:
        """Run a page's request, or give the answer to it again if it has been run already.

        Raises:
            RefusalError: if the page has no line.
        """
        headers, line = Headers(scope=scope), self._lines.get(session or "")
        if line is None:
            raise RefusalError(410, GONE)
        line.drop(int(headers[HEARD]))
        number = headers[ONCE]
        if number not in line.answers:
            line.answers[number] = asyncio.create_task(_collect(run))
            for old in list(line.answers)[:-MAX_ANSWERS]:
                del line.answers[old]
        for message in await asyncio.shield(line.answers[number]):
            await send(message)

    def listen(self, app: ASGIApp, session: str | None) -> None:
        """Tell a page, if it has a line, all that gradio has to say about what was put into its queue."""
        line = self._lines.get(session or "")
        if line is not None and session is not None:
            line.asked = True
            if line.listening is None:
                line.listening = asyncio.create_task(_listen(app, session, line))

    def forget(self, sessions: Iterable[str]) -> None:
        """Close the lines of pages for good, from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._forget, list(sessions))

    def close(self) -> None:
        """Close all lines, so that the server can stop."""
        self.forget(self._lines)

    def _forget(self, sessions: Iterable[str]) -> None:
        for session in sessions:
            if line := self._lines.pop(session, None):
                line.close()


async def _listen(app: ASGIApp, session: str, line: _Line) -> None:
    while line.asked and not line.closed.is_set():
        line.asked = False
        with suppress(Exception):  # gradio has told the page
            await hear_out(app, line.scope, session, line.closed, line.tell)
    line.listening = None


async def _collect(run: Callable[[Send], Awaitable[None]]) -> list[Message]:
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    await run(keep)
    return messages
