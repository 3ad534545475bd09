"""The studio's first page on a slow line: when it can be used, when nothing is loaded any more, and what was sent.

python benchmarks/studio_line.py            # 1 Mbit/s, 300 ms
python benchmarks/studio_line.py 4 100      # Mbit/s, milliseconds
"""

import sys
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Browser, sync_playwright
from studio_page import PATIENCE_MS, launch, studio, wait_for_page

#: Seconds without an answer on its way after which the line counts as quiet.
QUIET = 0.5
# These stay open.
STREAMS = ("/heartbeat/", "/queue/data")


@dataclass
class Request:
    """What was asked for, when it was there, and how many bytes it took; times are those of the browser."""

    url: str
    asked: float
    there: float | None = None
    size: float = 0


def load(browser: Browser, address: str, megabits: float, latency: float) -> tuple[float, list[Request]]:
    """Open the page as a new visitor; return the seconds until its first button can be pressed, and all requests."""
    with browser.new_context(viewport={"width": 1280, "height": 720}) as context:
        page = context.new_page()
        line = context.new_cdp_session(page)
        speed = megabits * 1e6 / 8
        line.send("Network.enable")
        line.send(
            "Network.emulateNetworkConditions",
            {"offline": False, "latency": latency, "downloadThroughput": speed, "uploadThroughput": speed},
        )
        requests: dict[str, Request] = {}

        def ask(event: dict) -> None:
            url = event["request"]["url"]
            if url.startswith("http") and not any(stream in url for stream in STREAMS):
                requests[event["requestId"]] = Request(url, event["timestamp"])

        def finish(event: dict) -> None:
            if request := requests.get(event["requestId"]):
                request.there, request.size = event["timestamp"], event["encodedDataLength"]

        line.on("Network.requestWillBeSent", ask)
        line.on("Network.loadingFinished", finish)
        begun = time.monotonic()
        page.goto(address, wait_until="commit", timeout=PATIENCE_MS)
        page.locator("#upload button").first.click(trial=True, timeout=PATIENCE_MS)
        usable = time.monotonic() - begun
        since = time.monotonic()
        while time.monotonic() - since < QUIET:
            page.wait_for_timeout(50)
            if any(request.there is None for request in requests.values()):
                since = time.monotonic()
        return usable, list(requests.values())


def main() -> None:
    """Measure twice, since the server compresses at the first time."""
    megabits, latency = (float(given) for given in sys.argv[1:] or ("1", "300"))
    with studio() as address, sync_playwright() as playwright:
        browser = launch(playwright)
        wait_for_page(browser.new_page(), address)
        usable, requests = min((load(browser, address, megabits, latency) for _ in range(2)), key=lambda one: one[0])
        browser.close()
    begun, sizes = requests[0].asked, sum(request.size for request in requests)
    quiet = max(request.there or 0 for request in requests) - begun
    print(f"usable after {usable:.1f} s, quiet after {quiet:.1f} s: {len(requests)} requests, {sizes / 1000:.0f} KB")
    for request in sorted(requests, key=lambda request: -request.size)[:15]:
        there, path = (request.there or 0) - begun, urlsplit(request.url).path
        print(f"{request.size / 1000:7.1f} KB at {there:5.2f} s  {path[-60:]}")


if __name__ == "__main__":
    main()
