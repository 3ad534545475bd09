"""Many at once: does each visitor get answers to their own photographs, and does the server's memory stay what it was?

python benchmarks/studio_load.py [--clients 20] [--requests 200] [--model NAME] [--json FILE]

Each client does what the page in a browser does: it keeps a connection open, uploads a photograph that no other one
has, waits for its four colourings and fetches them. An answer is wrong if the lightness of one of its pictures is not
that of the photograph it was given; it is lost if none comes. Memory is what `/metrics` says of the server's process.
"""

import argparse
import functools
import io
import json
import secrets
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from gradio_client.utils import apply_diff
from PIL import Image
from rich.console import Console
from rich.table import Table
from studio_page import studio
from torch import Tensor
from torch.nn import functional

from cinn_app.imaging import read_photograph, sample_photographs

PATIENCE = 1800
SIZE = (480, 360)
#: Mean difference in CIE L of 100, which colours leave as it is; two different photographs are further apart.
SAME = 2.0


class Visitor:
    """One open page: the values of its components, and the events that its elements set off.

    Args:
        address: of the studio.
    """

    def __init__(self, address: str) -> None:
        self.http = httpx.Client(base_url=address, timeout=PATIENCE, trust_env=False)
        self.session = secrets.token_hex(6)
        config = self.http.get("config").raise_for_status().json()
        self.ids = {c["props"].get("elem_id"): c["id"] for c in config["components"]}
        self.values = {c["id"]: c["props"].get("value") for c in config["components"]}
        self.events = config["dependencies"]

    @contextmanager
    def staying(self) -> Iterator[None]:
        """Keep the connection by which the studio knows that the page is open."""
        with self.http.stream("GET", f"gradio_api/heartbeat/{self.session}"):
            yield

    def give(self, name: str, file: bytes) -> None:
        """Drop a file on the upload, and wait for all that follows."""
        answer = self.http.post("gradio_api/upload", files={"files": (name, file)}).raise_for_status()
        upload = self.ids["upload-button"]
        payload = {"path": answer.json()[0], "orig_name": name, "meta": {"_type": "gradio.FileData"}}
        self.values[upload] = [payload]
        first = next(event for event in self.events if [upload, "upload"] in map(list, event["targets"]))
        self._run(first)

    def colourings(self) -> list[bytes]:
        """Fetch the pictures that are shown side by side."""
        shown = self.values[self.ids["colourings"]] or []
        return [self.http.get(f"gradio_api/file={item['image']['path']}").raise_for_status().content for item in shown]

    def _run(self, event: dict[str, Any]) -> None:
        """Run an event and those that come after it."""
        if event["backend_fn"]:
            self._ask(event)
        for follower in self.events:
            if follower.get("trigger_after") == event["id"]:
                self._run(follower)

    def _ask(self, event: dict[str, Any]) -> None:
        asked = {
            "data": [self.values.get(number) for number in event["inputs"]],
            "fn_index": event["id"],
            "session_hash": self.session,
        }
        response = self.http.post("gradio_api/queue/join", json=asked)
        if response.status_code != 200:
            raise RuntimeError(f"refused: {response.text}")
        shown: list[Any] = []  # the first message has it whole, later ones only what has changed
        for message in self._messages():
            if message["msg"] == "process_generating":
                data = message["output"]["data"]
                shown = [apply_diff(old, new) for old, new in zip(shown, data, strict=True)] if shown else data
                self._take(event, shown)
            elif message["msg"] == "process_completed":
                if not message["success"]:
                    raise RuntimeError(f"failed: {message['output']}")
                if not shown:
                    self._take(event, message["output"]["data"])
                return
        raise RuntimeError("the answer broke off")

    def _messages(self) -> Iterator[dict[str, Any]]:
        query = {"session_hash": self.session}
        with self.http.stream("GET", "gradio_api/queue/data", params=query) as stream:
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    yield json.loads(line[5:])

    def _take(self, event: dict[str, Any], data: list[Any]) -> None:
        """Keep what an event puts into components: a value, or a change that may have one."""
        for number, value in zip(event["outputs"], data, strict=True):
            if not isinstance(value, dict) or value.get("__type__") != "update":
                self.values[number] = value
            elif "value" in value:
                self.values[number] = value["value"]


def photographs(count: int) -> Iterator[tuple[str, bytes]]:
    """Cut pieces from the sample photographs, no two alike, and name them."""
    rng = np.random.default_rng(0)
    sources = [Image.open(path).convert("L") for path in sample_photographs().values()]
    for number in range(count):
        source = sources[number % len(sources)]
        width, height = (int(rng.uniform(0.4, 0.9) * side) for side in source.size)
        left, top = (int(rng.integers(0, side - part)) for side, part in zip(source.size, (width, height), strict=True))
        piece = source.crop((left, top, left + width, top + height)).resize(SIZE, Image.Resampling.LANCZOS)
        file = io.BytesIO()
        piece.save(file, "JPEG", quality=92)
        yield f"photograph-{number}.jpg", file.getvalue()


def difference(one: bytes, other: bytes) -> float:
    """Return how far apart two pictures' light and shade are: the mean of absolute differences, in CIE L of 100."""
    return float((_shades(one) - _shades(other)).abs().mean())


@functools.lru_cache(100)
def _shades(file: bytes) -> Tensor:
    return functional.adaptive_avg_pool2d(read_photograph(file).lightness, (90, 120))


def memory(address: str) -> float:
    """Return the megabytes that the studio's process holds."""
    lines = httpx.get(f"{address}metrics", trust_env=False).text.splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("process_resident_memory_bytes"))) / 1e6


def wait_for(address: str) -> None:
    """Wait until the studio is there."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{address}health", trust_env=False).text == "ok":
                return
        time.sleep(0.2)
    raise RuntimeError("The studio did not start: run 'python app.py' and see what it says.")


def burden(address: str, clients: int, requests: int) -> dict[str, Any]:
    """Let clients ask at once, each as often as its share, and look at what each of them got."""
    work, lock = iter(photographs(requests)), threading.Lock()
    wrong, lost, seconds, megabytes = [], [], [], {}
    begun = time.monotonic()

    def finish(name: str, verdict: list[str] | None, took: float) -> None:
        with lock:
            seconds.append(took)
            if verdict is not None:
                verdict.append(name)
            if len(seconds) in (clients, requests):
                megabytes[len(seconds)] = memory(address)

    def one_visitor() -> None:
        visitor = Visitor(address)
        with closing(visitor.http), visitor.staying():
            while True:
                with lock:
                    name, file = next(work, (None, b""))
                if name is None:
                    return
                started, verdict = time.monotonic(), None
                try:
                    visitor.give(name, file)
                    answers = visitor.colourings()
                    if len(answers) != 4 or any(difference(file, answer) > SAME for answer in answers):
                        verdict = wrong
                except (httpx.HTTPError, RuntimeError) as error:
                    print(f"{name}: {error}", file=sys.stderr)
                    verdict = lost
                finish(name, verdict, time.monotonic() - started)

    with ThreadPoolExecutor(clients) as pool:
        for done in [pool.submit(one_visitor) for _ in range(clients)]:
            done.result()
    return {
        "clients": clients,
        "requests": len(seconds),
        "wrong": wrong,
        "lost": lost,
        "median_s": statistics.median(seconds),
        "slowest_s": max(seconds),
        "total_s": time.monotonic() - begun,
        "megabytes": [megabytes[clients], megabytes[requests]],
    }


def main() -> None:
    """Measure and tell; the exit code is 1 if an answer was wrong or lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=20, help="how many ask at once")
    parser.add_argument("--requests", type=int, default=200, help="how many photographs they give together")
    parser.add_argument("--model", help="a model or checkpoint in place of the installed one")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    options = parser.parse_args()
    with studio(options.model) as address:
        wait_for(address)
        figures = burden(address, options.clients, options.requests)
    first, last = figures["megabytes"]
    table = Table("", "")
    for label, key in (("Clients", "clients"), ("Requests", "requests")):
        table.add_row(label, str(figures[key]))
    for label, key in (("Wrong answers", "wrong"), ("Lost answers", "lost")):
        table.add_row(label, str(len(figures[key])))
    for label, key in (("Answer, median", "median_s"), ("Answer, slowest", "slowest_s"), ("All together", "total_s")):
        table.add_row(label, f"{figures[key]:.1f} s")
    table.add_row(f"Memory after {options.clients} answers", f"{first:.0f} MB")
    table.add_row(f"Memory after {options.requests}", f"{last:.0f} MB ({last / first - 1:+.1%})")
    Console().print(table)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    sys.exit(bool(figures["wrong"] or figures["lost"]))


if __name__ == "__main__":
    main()
