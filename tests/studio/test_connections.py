"""Connections that say nothing end, and so do the longest idle ones if there are too many."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from cinn_app.studio import connections
from cinn_app.studio.connections import Connection

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Where a server listens, whose answer is large and late when asked for it."""
    monkeypatch.setattr(connections, "PATIENCE", 0.3)
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 3)

    def answer(request: Request) -> PlainTextResponse:
        if "late" in request.query_params:
            time.sleep(1)
        return PlainTextResponse("x" * int(request.query_params.get("size", 1)))

    config = uvicorn.Config(Starlette(routes=[Route("/", answer)]), port=0, http=Connection, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


def connect(port: int, sent: bytes = b"", buffer: int = 0) -> socket.socket:
    line = socket.socket()
    if buffer:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    line.settimeout(30)
    line.connect(("127.0.0.1", port))
    line.sendall(sent)
    return line


def received(line: socket.socket) -> bytes:
    """Return all that comes until the connection ends."""
    parts = []
    with contextlib.suppress(ConnectionResetError):
        while part := line.recv(2**16):
            parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"G", HEAD + b"x: y\r\n", HEAD + b"\r\n" + HEAD])
def test_a_connection_that_asks_nothing_ends(port: int, sent: bytes) -> None:
    with connect(port, sent) as line:
        start = time.monotonic()
        assert received(line).endswith(b"x" if HEAD + b"\r\n" in sent else b"")
        assert time.monotonic() - start < 20


def test_a_connection_that_takes_no_answer_ends_but_not_one_that_waits_for_it(port: int) -> None:
    whole = 40_000_000
    with connect(port, b"GET /?size=%d HTTP/1.1\r\nHost: x\r\n\r\n" % whole, 4096) as deaf:
        with connect(port, b"GET /?late=1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n") as patient:
            assert received(patient).endswith(b"x")
        assert len(received(deaf)) < whole


def test_the_longest_idle_connection_makes_room(port: int) -> None:
    with contextlib.ExitStack() as lines:
        opened = [lines.enter_context(connect(port)) for _ in range(4)]
        start = time.monotonic()
        assert received(opened[0]) == b""
        opened[3].sendall(HEAD + b"Connection: close\r\n\r\n")
        assert received(opened[3]).endswith(b"x")
        assert time.monotonic() - start < 20


@pytest.mark.parametrize(
    "headers",
    [
        b"x: %s\r\n\r\n" % (b"y" * 17_000),
        b"x: %s\r\n\r\n" % (b"y" * 100_000),
        b"x: y\r\n" * 20_000 + b"\r\n",
        b"x: " + b"y" * 100_000,  # without an end
        b"x: %s\r\n\r\n" % (b"y" * 5_000_000),
    ],
    ids=["17 KB", "100 KB", "20,000 lines", "endless", "5 MB"],
)
def test_long_headers_are_refused(port: int, headers: bytes) -> None:
    with connect(port, HEAD + headers) as line:
        answer = received(line)
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert answer.endswith(b"The headers of this request are too long: send at most 16384 bytes.")


def test_headers_up_to_the_limit_are_accepted(port: int) -> None:
    with connect(port, HEAD + b"Connection: close\r\nx: %s\r\n\r\n" % (b"y" * 16_000)) as line:
        assert received(line).startswith(b"HTTP/1.1 200 ")
    with connect(port, HEAD.replace(b"/ ", b"/?%s " % (b"y" * 17_000)) + b"\r\n") as line:
        assert received(line).startswith(b"HTTP/1.1 431 ")


def test_a_body_of_two_lengths_is_refused(port: int) -> None:
    for lengths in (
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Transfer-Encoding: chunked\r\nContent-Length: 0",
    ):
        with connect(port, HEAD.replace(b"GET", b"POST") + lengths + b"\r\n\r\n0\r\n\r\n") as line:
            assert received(line).startswith(b"HTTP/1.1 400 ")
