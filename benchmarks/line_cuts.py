"""Cuts of the line between page and studio at random moments: is anything lost, is the page deaf afterwards?

python benchmarks/line_cuts.py [--tab Colour] [--cuts 100] [--seed 0] [--firefox FOLDER] [--model FILE] [--json FILE]

Before or during each cut of a quarter second to ten seconds, the page is asked something. With photographs, that is
four more, a hint, a slider, a choice, another photograph, three more, or a download, which arrives whole or not at all;
with digits, a throw of the dice, a click on one, an upload whose picture it then shows. An answer is lost if it has not
come 60 s after the line was whole again. At the end the page is loaded again, then the studio is started anew under it:
what was in the album is counted, and buttons have to say what is wrong. Chromium is driven by Playwright; FOLDER is
where `npm install puppeteer-core` was run, for stock Firefox.
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
from relay import Relay, relayed
from rich.console import Console
from studio_page import launch, studio

PATIENCE = 60.0
SHORTEST, LONGEST = 0.25, 10.0
#: Seconds before a cut in which the page is asked.
BEFORE = 2.0
#: Seconds after which a button that was pressed after a restart should have had an effect.
PRESSED = 10.0

# What is done on the page. Each returns a function that says whether it is answered; null if it cannot be done now.
TOASTS = """
window.toasts = [];
new MutationObserver((changes) => {
    for (const { addedNodes } of changes)
        for (const node of addedNodes) {
            const toast = node.querySelector?.(".toast-body");
            if (toast) toasts.push(toast.textContent);
        }
}).observe(document, { childList: true, subtree: true });
"""
DIGITS = """
window.sources = () => [...document.querySelectorAll("#grid img")].map((one) => one.src).join();
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
COLOUR = """
const one = (selector) => document.querySelector(selector);
const all = (selector) => [...document.querySelectorAll(selector)];
const four = () => all("#colourings .thumbnail-item img").map((one) => one.src);
const strip = () => all("#photographs .choose");
const pick = (list) => list[Math.floor(Math.random() * list.length)];
let given = 0;
window.confirm = () => true;
// Whether all is there, of one state, and other than before.
window.settled = (before = []) => {
    const shown = [one("#stage .picture"), ...all("#colourings .thumbnail-item img")];
    const chosen = one("#colourings .selected img");
    return shown.length === 5 && chosen && shown.every((one) => one.complete && one.naturalWidth)
        && shown[0].src === chosen.src.replace("-small.", "-large.")
        && four().every((source) => !before.includes(source)) && !one("#download .opener").disabled;
};
window.give = async (count) => {
    const transfer = new DataTransfer(), input = one("#upload input[type=file]");
    for (let number = 0; number < count; number += 1) {
        const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
        const pen = canvas.getContext("2d");
        pen.fillStyle = "white";
        pen.fillRect(0, 0, 320, 240);
        for (let part = 0; part < 60; part += 1) {
            pen.fillStyle = `rgb(0 0 0 / ${0.3 * Math.random()})`;
            pen.fillRect(320 * Math.random(), 240 * Math.random(), 90 * Math.random(), 90 * Math.random());
        }
        const blob = await new Promise((go) => canvas.toBlob(go));
        transfer.items.add(new File([blob], `${given += 1}.png`));
    }
    input.files = transfer.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
};
// A download arrives as a browser fetches it: once.
window.saved = 0;
HTMLAnchorElement.prototype.click = function () {
    const download = new XMLHttpRequest();
    download.onload = () => saved += download.status === 200;
    download.open("GET", this.href);
    download.send();
};
window.actions = {
    dice() {
        const before = four();
        one("#dice").click();
        return () => settled(before);
    },
    hint() {
        const before = four(), marks = all(".marks button").length, board = one("#stage .board");
        const press = (key) => board.dispatchEvent(new KeyboardEvent("keydown", { key, shiftKey: true }));
        if (marks > 9) return null;
        for (let step = 0; step < 6; step += 1) press(pick(["ArrowLeft", "ArrowDown", "ArrowUp", "ArrowRight"]));
        press("Enter");
        pick(all(".palette [data-colour]")).click();
        return () => settled(before) && all(".marks button").length === marks + 1;
    },
    slider() {
        const before = four(), slider = one("#vividness input[type=range]");
        const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set;
        set.call(slider, pick([0.4, 0.6, 0.8, 1.2, 1.4].filter((one) => one !== Number(slider.value))));
        slider.dispatchEvent(new Event("input", { bubbles: true }));
        setTimeout(() => slider.dispatchEvent(new PointerEvent("pointerup", { bubbles: true })), 50);
        return () => settled(before);
    },
    choose() {
        const other = pick(all("#colourings .thumbnail-item:not(.selected)")), source = other.querySelector("img").src;
        other.click();
        return () => settled() && one("#colourings .selected img").src === source;
    },
    download() {
        const before = saved;
        one("#download .opener").click();
        one(`#download [data-kind=${pick(["this", "png", "all"])}]`).click();
        return () => saved > before && settled();
    },
    album() {
        const before = strip().length;
        if (before > 8) return null;
        give(3);
        return () => settled() && strip().length === before + 3 && strip()[before].ariaCurrent === "true"
            && one("#count").textContent.includes(`${before + 3} of ${before + 3} `);
    },
    turn() {
        const number = Math.floor(Math.random() * strip().length), button = strip()[number];
        if (button.ariaCurrent === "true") return null;
        button.click();
        return () => settled() && button.ariaCurrent === "true" && button.ariaBusy === "false";
    },
    remove() {
        const before = strip().length, number = Math.floor(Math.random() * before);
        if (before < 4) return null;
        all("#photographs .remove")[number].click();
        return () => settled() && strip().length === before - 1;
    },
};
give(3);
"""
#: What may be clicked after a restart of the studio.
BUTTONS = (
    "#dice",
    "#compare",
    "#colourings .thumbnail-item:not(.selected)",
    "#photographs .choose:not([aria-current=true])",
    "#download [data-kind=this]",
    "#download [data-kind=all]",
    "#take-reference",
    "#clear-photographs",
    "#export-settings",
)
#: Asks for something at random that can be done.
ASK = """(() => {
    const names = Object.keys(actions);
    do {
        window.asked = names[Math.floor(Math.random() * names.length)];
        window.answered = actions[window.asked]();
    } while (!window.answered);
})()"""
#: By the title of the tab: the script, and the condition by which it is ready.
TABS = {"Colour": (COLOUR, "window.settled()"), "Digits": (DIGITS, "document.querySelector('#grid img')")}
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


def wait_for(evaluate: Evaluate, condition: str, patience: float = PATIENCE) -> float | None:
    """Return after how many seconds something became true, or None if it did not."""
    begun = time.monotonic()
    while time.monotonic() - begun < patience:
        if evaluate(f"Boolean({condition})"):
            return time.monotonic() - begun
        time.sleep(0.05)
    return None


def main() -> None:
    """Cut, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tab", choices=TABS, default="Colour")
    parser.add_argument("--model")
    parser.add_argument("--firefox", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng, console = random.Random(arguments.seed), Console()
    script, ready = TABS[arguments.tab]
    waits: list[float | None] = []
    with studio(arguments.model) as address, relayed(urlsplit(address).port or 0) as relay:
        wait_for_studio(address)
        open_page = firefox(relay.address, arguments.firefox) if arguments.firefox else chromium(relay.address)
        with open_page as evaluate:
            begin(evaluate, arguments.tab, script, ready)
            for number in range(arguments.cuts):
                seconds = SHORTEST * (LONGEST / SHORTEST) ** rng.random()
                moment = rng.uniform(-BEFORE, seconds)
                steps = [(0.0, relay.cut), (moment, partial(evaluate, ASK)), (seconds, relay.mend)]
                begun = time.monotonic() + BEFORE
                for step, act in sorted(steps, key=lambda step: step[0]):
                    time.sleep(max(begun + step - time.monotonic(), 0))
                    act()
                waits.append(wait_for(evaluate, "window.answered()"))
                action = evaluate("window.asked")
                console.print(f"{number + 1}: {action} at {moment:.2f} s, {seconds:.2f} s: {waits[-1]}", style="dim")
                if waits[-1] is None and not evaluate("Boolean(window.actions)"):
                    break
            whole = wait_for(evaluate, "document.getElementById('line').textContent === ''") is not None
            answered = [wait for wait in waits if wait is not None]
            result = {
                "cuts": len(waits),
                "lost": waits.count(None),
                "median wait": statistics.median(answered),
                "longest wait": max(answered),
                "errors shown": evaluate("window.toasts"),
                "reloaded": not evaluate("Boolean(window.actions)"),
                "whole at the end": whole,
            }
            if arguments.tab == "Colour":
                result |= restart(evaluate, relay, arguments.model)
    console.print(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def begin(evaluate: Evaluate, tab: str, script: str, ready: str) -> None:
    """Open a tab, and run its script there."""
    wait_for(evaluate, "document.querySelectorAll('[role=tab]').length > 1")
    evaluate(f"[...document.querySelectorAll('[role=tab]')].find((one) => /{tab}/.test(one.textContent)).click()")
    wait_for(evaluate, "document.querySelector('#grid img, #upload input[type=file]')")
    evaluate(f"(() => {{ {TOASTS} {script} }})()")
    if wait_for(evaluate, ready) is None:
        raise SystemExit("The page does not become ready.")


def restart(evaluate: Evaluate, relay: Relay, model: str | None) -> dict[str, Any]:
    """Load the page again, then start the studio anew under it, and say what became of the album each time."""
    photographs = "document.querySelectorAll('#photographs .choose').length"
    before = evaluate(photographs)
    evaluate("void location.reload()")
    time.sleep(3)
    came_back = wait_for(evaluate, f"{photographs} === {before} && document.querySelector('#colourings img')")
    with studio(model) as address:
        wait_for_studio(address)
        relay.cut()
        relay.lead_to(urlsplit(address).port or 0)
        relay.mend()
        evaluate(f"(() => {{ {TOASTS} }})()")
        told = wait_for(evaluate, "document.querySelector('#line button')")
        pressed, dead = [], []
        for button in BUTTONS:
            evaluate("document.querySelectorAll('.toast-close').forEach((one) => one.click())")
            wait_for(evaluate, "!document.querySelector('.toast-body')", PRESSED)
            press = "one?.click(); return Boolean(one);"
            if evaluate(f"(() => {{ const one = document.querySelector({button!r}); {press} }})()"):
                pressed.append(button)
                if wait_for(evaluate, "document.querySelector('.toast-body')", PRESSED) is None:
                    dead.append(button)
        evaluate("void document.querySelector('#line button').click()")
        time.sleep(3)
        usable = wait_for(evaluate, "document.querySelector('#upload input[type=file]')")
        time.sleep(5)
        return {
            "photographs": before,
            "there after a reload": came_back is not None,
            "told after a restart": told is not None,
            "buttons pressed": pressed,
            "silent": dead,
            "usable after it": usable is not None,
            "photographs after it": evaluate(photographs),
        }


def wait_for_studio(address: str) -> None:
    """Wait until a studio answers."""
    while not answers(address):
        time.sleep(0.5)


def answers(address: str) -> bool:
    """Return whether the studio is there."""
    try:
        urllib.request.urlopen(f"{address}health", timeout=5).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    main()
