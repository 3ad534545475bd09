"""A random walk through the tab that colours photographs: do page, server and downloads agree all the way?

python benchmarks/studio_walk.py [--actions 2000] [--seed 0] [--model FILE] [--json FILE]

A visitor in Chromium adds and removes photographs, chooses among four, points at colours, keeps parts, crops and turns,
lends colours, sets sliders, draws again, undoes and redoes, mostly before the last answer is there. After every 25
actions the page has to come to rest, downloads have to be what the page shows, and after a reload the page has to show
the same. An action that cannot be done, such as undo on an untouched photograph, is left out.
"""

import argparse
import io
import json
import random
import tempfile
import time
import zipfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import ConsoleMessage, Page, TimeoutError, sync_playwright
from rich.console import Console
from studio_page import launch, studio, wait_for_page

from cinn_app.imaging import sample_photographs

EVERY, MOST = 25, 12
#: Seconds in which nothing may change for the page to be at rest, and after which it should have come to rest.
REST, PATIENCE = 1.5, 120.0
#: Mean difference of 8-bit values between a download and the large JPEG of the page, which is all that JPEG changes.
SAME = 4.0
#: Keeps the numbers of the requests that are not answered yet.
LISTENING = """
window.unanswered = new Set();
const answered = new Set(), ask = window.fetch;
const listen = async (stream) => {
    let rest = "";
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
        const messages = (rest + part).split("\\n\\n");
        rest = messages.pop();
        for (const message of messages.filter((one) => one.includes("process_completed"))) {
            const number = /"event_id": *"(\\w+)"/.exec(message)[1];
            answered.add(number);
            unanswered.delete(number);
        }
    }
};
window.said = new Set();
const hear = () => document.querySelectorAll(".toast-body, #notice.error").forEach((one) => said.add(one.innerText));
setInterval(hear, 200);
window.fetch = async (resource, options) => {
    const answer = await ask(resource, options), address = String(resource.url ?? resource);
    if (address.includes("queue/join") && answer.ok)
        answer.clone().json().then(({ event_id: number }) => answered.has(number) || unanswered.add(number));
    if (!address.includes("/line/") || !answer.body) return answer;
    const [one, other] = answer.body.tee();
    listen(other).catch(() => {});
    return new Response(one, answer);
};
"""
#: Everything that a visitor sees of the photographs.
SEEN = """() => ({
    shown: Boolean(document.querySelector("#results")?.offsetParent),
    large: document.querySelector("#stage .picture")?.src,
    four: [...document.querySelectorAll("#colourings .thumbnail-item img")].map((one) => one.src),
    chosen: [...document.querySelectorAll("#colourings .thumbnail-item")].findIndex((one) => one.matches(".selected")),
    strip: [...document.querySelectorAll("#photographs .choose")].map((one) =>
        [one.title, one.ariaCurrent, one.matches(".ticked"), one.querySelector("img").src]),
    marks: [...document.querySelectorAll("#stage .marks button")].map((one) => one.ariaLabel),
    opening: document.querySelectorAll("#photographs [aria-busy=true]").length,
    unanswered: unanswered.size,
    count: document.querySelector("#count")?.innerText,
    chip: document.querySelector("#reference")?.innerText,
    settings: [...document.querySelectorAll("#vividness input, #tool-axes input")].map((one) => one.value),
})"""


class Visitor:
    """Acts on a page at random.

    Args:
        page: with the tab open.
        rng: decides.
        folder: with photographs to choose from, and for downloads.
    """

    def __init__(self, page: Page, rng: random.Random, folder: Path) -> None:
        self.page, self.rng, self.folder = page, rng, folder
        self.photographs = sorted(folder.glob("*.jpg"))
        self.done: Counter[str] = Counter()
        self.actions = {
            "add": 3, "remove": 1, "turn to": 8, "choose": 8, "hint": 8, "undo": 6, "redo": 3, "four more": 3,
            "slider": 6, "crop": 1, "turn": 1, "whole": 1, "lend": 1, "take off": 1, "for all": 1, "keep": 2,
            "compare": 1, "clear hints": 1, "let go": 1, "before": 2,
        }  # fmt: skip

    def act(self) -> None:
        """Do something that can be done, and wait for a moment."""
        names = list(self.actions)
        while True:
            (name,) = self.rng.choices(names, list(self.actions.values()))
            if getattr(self, "_" + name.replace(" ", "_"))():
                break
        self.done[name] += 1
        self.page.wait_for_timeout(self.rng.choice((0, 0, 50, 200, 600)))

    def click(self, selector: str, number: int | None = None) -> bool:
        """Click on one of what is there, if any can be clicked now."""
        found = self.page.locator(f"{selector}:visible:not(:disabled)")
        count = found.count()
        if count == 0:
            return False
        try:
            found.nth(self.rng.randrange(count) if number is None else number).click(timeout=2000)
        except TimeoutError:  # an answer has taken it away
            return False
        return True

    def _point(self) -> tuple[float, float] | None:
        box = self.page.locator(".board:visible").bounding_box() if self._shown() else None
        across, down = self.rng.uniform(0.05, 0.95), self.rng.uniform(0.05, 0.95)
        return box and (box["x"] + box["width"] * across, box["y"] + box["height"] * down)

    def _shown(self) -> bool:
        return self.page.locator(".board:visible").count() > 0

    def _add(self) -> bool:
        if self.page.locator("#photographs .choose").count() >= MOST:
            return False
        files = self.rng.sample(self.photographs, self.rng.choice((1, 1, 2, 3)))
        self.page.locator("#upload input[type=file]").set_input_files(files)
        return True

    def _remove(self) -> bool:
        entries = self.page.locator("#photographs .entry")
        if entries.count() < 3:
            return False
        entry = entries.nth(self.rng.randrange(entries.count()))
        entry.hover()
        entry.locator(".remove").click()
        return True

    def _turn_to(self) -> bool:
        return self.click("#photographs .choose")

    def _choose(self) -> bool:
        return self.click("#colourings .thumbnail-item")

    def _hint(self) -> bool:
        place = self._point()
        if place is None:
            return False
        self.page.mouse.click(*place)
        return self.click(".palette .swatch") or self.click(".palette .close")

    def _undo(self) -> bool:
        return self.click("#stage .undo")

    def _redo(self) -> bool:
        return self.click("#stage .redo")

    def _four_more(self) -> bool:
        return self.click("#dice")

    def _slider(self) -> bool:
        slider = self.page.locator(":is(#vividness, #tool-axes) input[type=range]:visible")
        if slider.count() == 0:
            return False
        one = slider.nth(self.rng.randrange(slider.count()))
        one.focus()
        one.press(self.rng.choice(("ArrowLeft", "ArrowRight", "PageUp", "PageDown")))
        return True

    def _crop(self) -> bool:
        if not self.click("#stage .to-crop"):
            return False
        self.page.keyboard.press("Shift+ArrowDown")
        return self.click("#stage .apply") or self.click("[data-for=crop] .cancel")

    def _turn(self) -> bool:
        return self.click("#stage .to-crop") and self.click("#stage .turn")

    def _whole(self) -> bool:
        return self.click("#stage .whole")

    def _lend(self) -> bool:
        return self.click("#take-reference")

    def _take_off(self) -> bool:
        return self.click("#reference .take-off")

    def _for_all(self) -> bool:
        return self.click("#reference input[type=checkbox]")

    def _keep(self) -> bool:
        if not self.click("#stage .keep"):
            return False
        for number in range(3):
            place = self._point()
            if place:
                self.page.mouse.move(*place, steps=3)
                if number == 0:
                    self.page.mouse.down()
        self.page.mouse.up()
        return self.click("#stage .redraw") or self.click("[data-for=keep] .cancel")

    def _compare(self) -> bool:
        if not self.click("#compare"):
            return False
        self.page.wait_for_timeout(500)
        self.click("#stage .pair .take") if self.rng.random() < 0.5 else self.click("#stage .pair .back")
        return True

    def _clear_hints(self) -> bool:
        return self.click("#stage .clear")

    def _let_go(self) -> bool:
        return self.click("#stage .release")

    def _before(self) -> bool:
        if not self._shown():
            return False
        self.page.locator(".board").focus()
        self.page.keyboard.press("Space", delay=100)
        return True

    def rest(self) -> dict[str, Any] | None:
        """Wait until nothing changes any more, and return what is seen; None if it does not end."""
        begun = changed = time.monotonic()
        seen: dict[str, Any] = {}
        while time.monotonic() - begun < PATIENCE:
            now = self.page.evaluate(SEEN)
            if now != seen:
                seen, changed = now, time.monotonic()
            whole = now["four"] and now["chosen"] >= 0 and now["large"] == now["four"][now["chosen"]].replace(
                "-small.", "-large."
            )  # fmt: skip
            coloured = not now["count"] or len(set(now["count"].split()[0:3:2])) == 1
            if (
                time.monotonic() - changed > REST
                and (not now["shown"] or whole)
                and coloured
                and not now["opening"]
                and not now["unanswered"]
            ):
                return seen
            time.sleep(0.1)
        return None

    def disagreements(self) -> list[str]:
        """Come to rest, and compare what is seen with the downloads, and with the page after a reload."""
        seen = self.rest()
        if self.page.locator(".pair:visible").count():  # it may have come late
            self.click("#stage .pair .back")
        if seen is None:
            return [f"no rest: {self.page.evaluate(SEEN)}"]
        if not seen["shown"]:
            return []
        found = []
        if difference(self._saved("this"), self._picture(seen["large"])) > SAME:
            found.append("the download is not what is seen")
        if len(seen["strip"]) > 1:
            found += self._of_all(seen)
        self.page.reload()
        self.page.locator("#stage .picture[src]:visible").wait_for(timeout=1000 * PATIENCE)
        after = self.rest()
        if after != seen:
            changed = {
                key: (value, after and after[key]) for key, value in seen.items() if not after or value != after[key]
            }
            found.append(f"changed by a reload: {changed}")
        return found

    def _of_all(self, seen: dict[str, Any]) -> list[str]:
        with zipfile.ZipFile(io.BytesIO(self._saved("all"))) as archive:
            pictures = {name: archive.read(name) for name in archive.namelist()}
        titles = [title for title, *_ in seen["strip"]]
        if len(pictures) != len(titles):
            return [f"of {titles} were downloaded {list(pictures)}"]
        return [
            f"the download of {title} is {apart:.1f} from what the strip shows"
            for picture, (title, *_, shown) in zip(pictures.values(), seen["strip"], strict=True)
            if (apart := difference(picture, self._picture(shown))) > SAME
        ]

    def _saved(self, kind: str) -> bytes:
        self.page.locator("#download .opener").click()
        with self.page.expect_download(timeout=1000 * PATIENCE) as caught:
            self.page.locator(f"#download [data-kind={kind}]").click()
        caught.value.save_as(self.folder / "download.bin")
        return (self.folder / "download.bin").read_bytes()

    def _picture(self, address: str) -> bytes:
        return self.page.request.get(address).body()


def note(errors: list[str], message: ConsoleMessage) -> None:
    """Note a message of the browser if it is an error."""
    if message.type == "error":
        errors.append(f"{message.text} {message.location['url']}")
        print(errors[-1])


def difference(one: bytes, other: bytes) -> float:
    """Return the mean difference of two pictures at the size of the smaller one; of unlike shapes it is infinite."""
    pictures = [Image.open(io.BytesIO(content)).convert("RGB") for content in (one, other)]
    (width, height), (other_width, other_height) = (picture.size for picture in pictures)
    if abs(width * other_height - height * other_width) > 2 * max(width, height, other_width, other_height):
        return float("inf")
    size = (min(width, other_width), min(height, other_height))
    first, second = (np.asarray(picture.resize(size, Image.Resampling.BOX), np.float32) for picture in pictures)
    return float(np.abs(first - second).mean())


def main() -> None:
    """Walk, and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--actions", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rng, console = random.Random(arguments.seed), Console()
    errors: list[str] = []
    problems: list[str] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        studio(arguments.model) as address,
        sync_playwright() as playwright,
        launch(playwright) as browser,
    ):
        for name, path in sample_photographs().items():
            for number, angle in enumerate((0, 90)):
                picture = Image.open(path).convert("L").rotate(angle, expand=True)
                picture.thumbnail((420, 420))
                picture.save(Path(folder) / f"{name}-{number}.jpg", quality=92)
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.add_init_script(LISTENING)
        page.on("dialog", lambda dialog: dialog.accept())
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", partial(note, errors))
        wait_for_page(page, address)
        visitor = Visitor(page, rng, Path(folder))
        visitor._add()
        page.locator("#colourings .thumbnail-item").first.wait_for()
        page.locator("#details > button").click()
        for number in range(1, arguments.actions + 1):
            visitor.act()
            if number % EVERY == 0:
                said = page.evaluate("[...said]")
                found = visitor.disagreements()
                found += [f"The page has said: {' | '.join(said)}"] if found and said else []
                problems += [f"{number}: {one}" for one in found]
                console.print(f"{number} actions, {len(problems)} disagreements, {len(errors)} errors", style="dim")
                for one in found:
                    console.print(one)
        done = visitor.done
    result = {"actions": done.total(), "disagreements": problems, "console errors": errors, "done": dict(done)}
    console.print(result)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
