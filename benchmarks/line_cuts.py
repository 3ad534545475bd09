"""Cuts of the line between page and studio at random moments: is anything lost, is the page deaf afterwards?

python benchmarks/line_cuts.py [--cuts 100] [--seed 0] [--firefox FOLDER] [--json FILE]

Before or during each cut of a quarter second to ten seconds, the page is asked something: a throw of the dice, a click
on a digit, an upload whose picture it then shows. An answer is lost if it has not come 60 s after the line was whole
again. Chromium is driven by Playwright; FOLDER is where `npm install puppeteer-core` was run, for stock Firefox.
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import sync_playwright
from relay import relayed
from rich.console import Console
from studio_page import launch, studio

PATIENCE = 60.0
SHORTEST, LONGEST = 0.25, 10.0
#: Seconds before a cut in which the page is asked.
BEFORE = 2.0

# What is done on the page. Each returns a function that says whether it is answered.
PAGE = """
window.sources = () => [...document.querySelectorAll("#grid img")].map((one) => one.src).join();
window.toasts = 0;
new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
        for (const node of addedNodes) toasts += node.querySelector?.(".toast-body") ? 1 : 0;
}).observe(document, { childList: true, subtree: true });
window.actions = {
    dice() {
        const before = sources();
        document.querySelector("#digit-dice").click();
        return () => sources() !== before;
    },
    digit() {
        const all = [...document.querySelectorAll("#grid button:not([data-mark])")];
        const cell = all[Math.floor(Math.random() * all.length)].dataset.cell;
        document.querySelector(`#grid [data-cell="${cell}"]`).click();
        return () => document.querySelector(`#grid [data-cell="${cell}"]`).dataset.mark === "B";
    },
    upload() {
        const picture = document.createElement("img"), canvas = document.createElement("canvas");
        document.body.append(picture);
        canvas.toBlob(async (file) => {
            const body = new FormData();
            body.append("files", file, "a.png");
            const [path] = await (await fetch("gradio_api/upload", { method: "POST", body })).json();
            picture.src = `gradio_api/file=${path}`;
        });
        return () => picture.naturalWidth > 0 && (picture.remove(), true);
    },
};
"""
FIREFOX = """
const puppeteer = require("puppeteer-core"), readline = require("readline");
(async () => {
    const browser = await puppeteer.launch({ browser: "firefox", executablePath: process.argv[1], headless: true });
    const page = await browser.newPage();
    for await (const line of readline.createInterface({ input: process.stdin })) {
        const { goto, evaluate } = JSON.parse(line);
        const value = goto ? void await page.goto(goto) : await page.evaluate(evaluate);
        console.log(JSON.stringify(value ?? null));
    }
    await browser.close();
})();
"""

Evaluate = Callable[[str], Any]


@contextmanager
def chromium(address: str) -> Iterator[Evaluate]:
    """Open the page in Chromium, and give what evaluates JavaScript there."""
    with sync_playwright() as playwright, launch(playwright) as browser:
        page = browser.new_page()
        page.goto(address)
        yield page.evaluate


@contextmanager
def firefox(address: str, folder: Path) -> Iterator[Evaluate]:
    """Open the page in Firefox, and give what evaluates JavaScript there."""
    command = ["node", "-e", FIREFOX, shutil.which("firefox") or "firefox"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=folder) as node:
        assert node.stdin and node.stdout

        def ask(**what: str) -> Any:
            node.stdin.write(json.dumps(what) + "\n")
            node.stdin.flush()
            return json.loads(node.stdout.readline())

        ask(goto=address)
        yield lambda script: ask(evaluate=script)
        node.stdin.close()


def wait_for(evaluate: Evaluate, condition: str) -> float | None:
    """Return after how many seconds something became true, or None if it did not."""
    begun = time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        if evaluate(f"Boolean({condition})"):
            return time.monotonic() - begun
        time.sleep(0.05)
    return None


def main() -> None:
    """Cut, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--firefox", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng, console = random.Random(arguments.seed), Console()
    waits: list[float | None] = []
    with studio() as address, relayed(urlsplit(address).port or 0) as relay:
        while not answers(address):
            time.sleep(0.5)
        open_page = firefox(relay.address, arguments.firefox) if arguments.firefox else chromium(relay.address)
        with open_page as evaluate:
            wait_for(evaluate, "document.querySelectorAll('[role=tab]').length > 1")
            evaluate(
                "[...document.querySelectorAll('[role=tab]')].find((one) => /Digits/.test(one.textContent)).click()"
            )
            wait_for(evaluate, "document.querySelector('#grid img')")
            evaluate(f"(() => {{ {PAGE} }})()")
            for number in range(arguments.cuts):
                seconds = SHORTEST * (LONGEST / SHORTEST) ** rng.random()
                moment = rng.uniform(-BEFORE, seconds)
                action = rng.choice(("dice", "digit", "upload"))
                asking = f"void (window.answered = actions.{action}())"
                steps = [(0.0, relay.cut), (moment, partial(evaluate, asking)), (seconds, relay.mend)]
                begun = time.monotonic() + BEFORE
                for step, act in sorted(steps, key=lambda step: step[0]):
                    time.sleep(max(begun + step - time.monotonic(), 0))
                    act()
                waits.append(wait_for(evaluate, "window.answered()"))
                console.print(f"{number + 1}: {action} at {moment:.2f} s, {seconds:.2f} s: {waits[-1]}", style="dim")
                if waits[-1] is None and not evaluate("Boolean(window.actions)"):
                    break
            whole = wait_for(evaluate, "document.getElementById('line').textContent === ''") is not None
            result = {
                "cuts": len(waits),
                "lost": waits.count(None),
                "median wait": statistics.median(wait for wait in waits if wait is not None),
                "longest wait": max(wait for wait in waits if wait is not None),
                "errors shown": evaluate("window.toasts"),
                "reloaded": not evaluate("Boolean(window.actions)"),
                "whole at the end": whole,
            }
    console.print(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def answers(address: str) -> bool:
    """Return whether the studio is there."""
    try:
        urllib.request.urlopen(f"{address}health", timeout=5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
