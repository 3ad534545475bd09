"""The bounds on what requests send: on every route, and before anything reads it."""

import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from starlette.types import Message

from cinn_app.studio import bodies
from cinn_app.studio.bodies import MAX_HELD, MAX_OTHER, MAX_REQUEST, MAX_VALUES, TOO_LONG, TOO_SLOW, Bodies
from cinn_app.studio.refusals import Refusals

MAX_FILE = 2**21
LIMITS = {
    "gradio_api/cancel": MAX_OTHER,
    "gradio_api/reset": MAX_OTHER,
    "gradio_api/vibe-code/": MAX_OTHER,
    "gradio_api/component_server": MAX_OTHER,
    "login": MAX_OTHER,
    "nowhere": MAX_OTHER,
    "gradio_api/queue/join": MAX_REQUEST,
    "gradio_api/call/v2/colorize": MAX_REQUEST,
    "gradio_api/mcp/": MAX_REQUEST,
    "gradio_api/upload": 10 * MAX_FILE,
}
CHUNKED = {"transfer-encoding": "chunked"}


async def length(request: Request) -> JSONResponse:
    return JSONResponse(len(await request.body()))


@pytest.fixture
def app() -> Starlette:
    routes = [Route("/{path:path}", length, methods=["GET", "POST"])]
    return Starlette(routes=routes, middleware=[Middleware(Refusals), Middleware(Bodies, max_file=MAX_FILE)])


def in_own_loop(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a thread of its own: browser tests leave an event loop in this one."""
    with ThreadPoolExecutor(1) as executor:
        return executor.submit(asyncio.run, work).result()


class Exchange:
    """A request whose body comes in chunks, with pauses in seconds between them, and its answer."""

    def __init__(self, *chunks: bytes | float, address: str = "192.0.2.1") -> None:
        self.chunks, self.address, self.sent = list(chunks), address, list[Message]()
        self.taken = 0

    async def ask(self, app: Starlette, route: str, headers: dict[str, str] = CHUNKED) -> tuple[int, str]:
        """Return status and text of the answer; `taken` says how many bytes were taken before it."""
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        scope = {
            "type": "http", "method": "POST", "path": f"/{route}", "query_string": b"", "headers": raw,
            "client": (self.address, 1234),
        }  # fmt: skip
        await app(scope, self._receive, self._send)
        return self.sent[0]["status"], b"".join(part.get("body", b"") for part in self.sent).decode()

    async def _receive(self) -> Message:
        while self.chunks:
            chunk = self.chunks.pop(0)
            if isinstance(chunk, bytes):
                self.taken += 0 if self.sent else len(chunk)
                return {"type": "http.request", "body": chunk, "more_body": True}
            await asyncio.sleep(chunk)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def _send(self, message: Message) -> None:
        self.sent.append(message)


@pytest.mark.parametrize("route", LIMITS)
@pytest.mark.parametrize("method", ["POST", "GET"])
def test_a_body_that_says_it_is_too_long_is_not_read(app: Starlette, route: str, method: str) -> None:
    exchange = Exchange(b"x" * 1000)
    status, text = in_own_loop(exchange.ask(app, route, {"content-length": str(LIMITS[route] + 1)}))
    assert (status, exchange.taken) == (413, 0)
    assert text == (TOO_LONG if "upload" in route else json.dumps({"detail": TOO_LONG}, separators=(",", ":")))
    assert TestClient(app).request(method, route, content=b"x" * 1000).json() == 1000


@pytest.mark.parametrize("route", LIMITS)
def test_a_body_of_unknown_length_is_read_up_to_the_limit(app: Starlette, route: str) -> None:
    exchange = Exchange(*[b"x" * 2**16] * 400)
    status, text = in_own_loop(exchange.ask(app, route))
    assert status == 413 and TOO_LONG in text
    assert LIMITS[route] < exchange.taken <= LIMITS[route] + 2**16
    assert not exchange.chunks  # the rest is thrown away, so that the client sees the answer


def test_a_slow_body_is_given_up_and_a_slow_but_steady_one_is_not(
    app: Starlette, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "PATIENCE", 0.1)
    for drops in ([b"x", 0.3], [b"x", 0.03] * 10):
        status, text = in_own_loop(Exchange(*drops).ask(app, "gradio_api/cancel"))
        assert status == 408 and TOO_SLOW in text
    steady = Exchange(*[b"x" * 100, 0.03] * 10)
    assert in_own_loop(steady.ask(app, "gradio_api/cancel")) == (200, "1000")


def test_large_bodies_share_memory_and_one_address_has_half_of_it(app: Starlette) -> None:
    async def at_once(*addresses: str) -> list[int]:
        size = MAX_HELD // 4
        asked = [Exchange(b"x" * size, 0.1, address=address).ask(app, "gradio_api/queue/join") for address in addresses]
        return [status for status, _ in await asyncio.gather(*asked)]

    assert in_own_loop(at_once("a", "a", "a", "b", "c", "d")) == [200, 200, 503, 200, 200, 503]
    assert in_own_loop(at_once("a", "a")) == [200, 200]


def test_many_small_values_are_refused(app: Starlette) -> None:
    route = "gradio_api/queue/join"
    assert in_own_loop(Exchange(b"[" + b"[]," * MAX_VALUES).ask(app, route)) == (413, f'{{"detail":"{TOO_LONG}"}}')
    assert in_own_loop(Exchange(b"x" * 3 * MAX_VALUES).ask(app, route)) == (200, str(3 * MAX_VALUES))


def test_no_body_is_passed_on_as_it_is(app: Starlette) -> None:
    assert TestClient(app).get("/").json() == 0
