"""Hostile requests to a studio without login: does its memory stay, and do visitors get their page?"""

import argparse
import itertools
import json
import secrets
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit

import httpx
from studio_load import burden, memory, wait_for
from studio_page import studio

from hostile_parts import Figure

ROUTES = ["cancel", "reset", "vibe-code/", "component_server", "queue/join", "call/digits", "run/models", "nowhere"]
#: Seconds for which a page may keep a visitor waiting; megabytes by which the studio may grow.
PATIENCE, GROWTH = 2.0, 100


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--clients", type=int, default=20, help="how many send at once")
    parser.add_argument("--model", help="a model or checkpoint in place of the installed one")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Send hostile requests, while a visitor opens the page again and again."""
    with studio(options.model) as address:
        wait_for(address)
        burden(address, 2, 4)  # both models have worked by then, as in any studio that is used
        write_digits(address)
        before = memory(address)
        in_peace = [visit(address)[0] for _ in range(5)]
        context = get_context("spawn")  # a visitor whom the work of the attackers does not hold up
        done, seen = context.Event(), context.SimpleQueue()
        visitor = context.Process(target=visit_until, args=(address, done, seen))
        visitor.start()
        kinds = itertools.cycle(enumerate(KINDS))
        answers = Counter[str]()
        with ThreadPoolExecutor(options.clients) as pool:
            sent = [pool.submit(attack, address, *next(kinds)) for _ in range(options.requests)]
            for one in sent:
                answers[one.result()] += 1
        done.set()
        waited, held = map(list, zip(*seen.get(), strict=True))
        visitor.join()
        time.sleep(5)
        after = memory(address)
    slow = [f"{seconds:.1f} s" for seconds in waited if seconds > PATIENCE]
    return [
        Figure("requests", options.requests),
        *(Figure(f"answers {answer}", count) for answer, count in sorted(answers.items())),
        Figure("visits meanwhile", len(waited)),
        Figure(f"visits that took more than {PATIENCE:.0f} s", len(slow), True, tuple(slow[:5])),
        Figure("milliseconds that a visit took in peace, at most", round(1000 * max(in_peace))),
        Figure("milliseconds that the median visit took", round(1000 * statistics.median(waited))),
        Figure("milliseconds that the slowest visit took", round(1000 * max(waited))),
        Figure("MB of memory before", round(before)),
        Figure("MB at most", round(max(held))),
        Figure("MB after", round(after)),
        Figure(f"MB beyond {GROWTH} more than before", max(0, round(after - before - GROWTH)), True),
    ]


def write_digits(address: str) -> None:
    """Ask for a sheet of digits, and wait for it."""
    url = f"{address}gradio_api/call/digits"
    event = httpx.post(url, json={"data": [7, 1, 0.8, 0, None, None]}, trust_env=False).raise_for_status().json()
    httpx.get(f"{url}/{event['event_id']}", trust_env=False, timeout=60).raise_for_status()


def visit(address: str) -> tuple[float, float]:
    """Open the page; return the seconds that it took, and the megabytes that the studio has."""
    begun, megabytes = time.monotonic(), 0.0
    with suppress(httpx.HTTPError):  # it took that long all the same
        httpx.get(address, trust_env=False, timeout=60)
    seconds = time.monotonic() - begun
    with suppress(httpx.HTTPError):
        megabytes = memory(address)
    return seconds, megabytes


def visit_until(address: str, done: Any, seen: Any) -> None:
    """Open the page again and again."""
    visits = [visit(address)]
    while not done.wait(0.5):
        visits.append(visit(address))
    seen.put(visits)


def attack(address: str, number: int, send: Callable[[httpx.Client, str], httpx.Response | None]) -> str:
    """Send one request, and name what came back."""
    route = ROUTES[number % len(ROUTES)] if number % 3 else secrets.choice(ROUTES)
    try:
        with httpx.Client(base_url=f"{address}gradio_api/", trust_env=False, timeout=120) as http:
            answer = send(http, route)
            return str(answer.status_code) if answer else "none"
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        return type(error).__name__


def chunks(size: int, piece: bytes = b"x" * 2**16) -> Iterator[bytes]:
    """Yield a body of unknown length."""
    for _ in range(size // len(piece)):
        yield piece


def raw(http: httpx.Client, content: bytes, drops: int = 0) -> None:
    """Send bytes that need not be HTTP, some of them slowly, and leave."""
    host, _, port = urlsplit(str(http.base_url)).netloc.partition(":")
    with socket.create_connection((host, int(port)), 30) as line:
        line.sendall(content)
        for _ in range(drops):
            time.sleep(0.3)
            line.sendall(b"x")


def joined(session: str, value: object) -> dict[str, object]:
    """Write what a page sends."""
    return {"data": [value], "fn_index": secrets.randbelow(60), "session_hash": session}


def text(size: int) -> bytes:
    """Write JSON with a long text."""
    return b'{"data": ["' + b"x" * size + b'"], "session_hash": "a"}'


KINDS: list[Callable[[httpx.Client, str], httpx.Response | None]] = [
    lambda http, route: http.post(route, content=chunks(200_015_872), headers={"content-length": "200015872"}),
    lambda http, route: http.post(route, content=chunks(100_000_000)),
    lambda http, route: http.post(route, content=text(200_000_000 if route == "cancel" else 15_000_000)),
    lambda http, _: http.post("call/digits", content=text(15_000_000)),
    lambda http, route: http.post(route, content=b"[" + b"[]," * 5_000_000),
    lambda http, route: http.post(route, content=b"[" * 1_000_000),
    lambda http, route: http.post(route, content=b"\xff\x00" * 1000),
    lambda http, route: http.get(route, headers={"x": "y" * 100_000}),
    lambda http, route: http.get(f"{route}/{'z' * 10_000}?{'q=1&' * 1000}"),
    lambda http, _: http.post("upload", files={"files": (None, b"x" * 20_000_000)}),
    lambda http, _: http.post("upload", files=[("files", (f"{n}", b"x")) for n in range(500)]),
    lambda http, _: http.post("upload", content=chunks(20_000_000), headers={"content-type": "multipart/form-data"}),
    lambda http, _: http.post("queue/join", json=joined(secrets.token_hex(6), {"path": "/etc/passwd"})),
    lambda http, _: http.post("queue/join", json=joined(secrets.token_hex(6), "x")),
    lambda http, _: http.post("queue/join", json=joined("x" * 60_000, None)),
    lambda http, _: http.post("call/digits", json={"data": [7, 1, 0.8, secrets.randbelow(99), None, None]}),
    lambda http, _: http.post("call/digits", json={"data": list(range(500))}),
    lambda http, _: http.post(f"call/v2/{secrets.token_hex(6)}", json={"a\n": json.loads("[" * 90 + "]" * 90)}),
    lambda http, _: http.get("queue/data", params={"session_hash": secrets.token_hex(6)}),
    lambda http, route: http.request("BREW", route, content=b"coffee"),
    lambda http, _: raw(http, b"POST /gradio_api/cancel HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n", 5),
    lambda http, _: raw(http, b"GET / HTTP/1.1\r\nHost: x\r\nx: ", 5),
    lambda http, _: raw(http, secrets.token_bytes(1000)),
    lambda http, _: raw(http, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 50),
]
