"""What a page does to whom answers come late, in headless Chromium."""

from pathlib import Path

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from digit_page import changed, pictures
from playwright.sync_api import expect  # after the check that it is there

DELAY = 120
# What the server tells of its own accord arrives late, while what it is asked is confirmed at once.
LATE = f"""
const soon = window.fetch;
window.fetch = async (request, ...rest) => {{
    const answer = await soon(request, ...rest);
    if (!String(request.url ?? request).includes("/line/")) return answer;
    const late = new TransformStream({{
        async transform(part, controller) {{
            await new Promise((done) => setTimeout(done, {DELAY}));
            controller.enqueue(part);
        }},
    }});
    return new Response(answer.body.pipeThrough(late), {{ status: answer.status, headers: answer.headers }});
}};
"""
# What the server is asked is confirmed when all has been answered.
UNCONFIRMED = """
const soon = window.fetch;
window.fetch = async (request, ...rest) => {
    const answer = await soon(request, ...rest);
    if (String(request.url ?? request).includes("queue/join")) await new Promise((done) => setTimeout(done, 3000));
    return answer;
};
"""


def test_what_is_asked_while_the_last_answer_still_arrives_is_answered(open_digits) -> None:
    page = open_digits()
    page.add_init_script(LATE)
    page.reload()
    page.get_by_role("tab", name="Digits").click()
    for number, pause in enumerate(range(0, 480, 80), start=1):
        page.locator(".step input[type=range]").first.fill(f"{number / 10:.1f}")
        page.wait_for_timeout(pause)
        digit = page.locator("#grid button").nth(number)
        digit.click()
        expect(digit).to_have_attribute("data-mark", "B")


def test_an_answer_in_parts_that_arrive_at_once_is_shown_whole(open_digits, photograph: Path) -> None:
    page = open_digits()
    page.add_init_script(UNCONFIRMED)
    page.reload()
    page.get_by_role("tab", name="Digits").click()
    before, way = pictures(page, "#grid img"), pictures(page, "#between img")
    page.locator("#digit-dice").click()
    changed(page, "#grid img", before)
    changed(page, "#between img", way)

    page.get_by_role("tab", name="Colour").click()
    page.locator("#upload input[type=file]").set_input_files(photograph)
    expect(page.locator("#colourings img")).to_have_count(4)
    four = pictures(page, "#colourings img")
    page.locator("#vividness input[type=range]").fill("0.2")
    page.locator("#vividness input[type=range]").press("ArrowRight")  # fill alone is no release
    changed(page, "#colourings img", four)
