"""The studio for everyone: what axe-core finds in its states, by day and by night, and what the keyboard reaches."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
pytest.importorskip("axe_playwright_python", reason="axe-core is missing: pip install axe-playwright-python")
from axe_playwright_python.base import AXE_SCRIPT  # after the checks that they are there
from colour_page import coloured, draw, give, open_details
from playwright.sync_api import Page, expect

DAY, NIGHT = ({"width": 1280, "height": 900}, "light"), ({"width": 390, "height": 844}, "dark")
# Whether a finger hits what it means to is of WCAG 2.2, and not looked for unless it is asked for.
RUN_AXE = """(part) => axe.run(part, {
    resultTypes: ["violations", "incomplete"], rules: { "target-size": { enabled: true } },
})"""
# Texts whose ground axe-core cannot tell, such as those over pictures: their contrast with the nearest opaque ground,
# where it is below what WCAG asks for.
FAINT = """(selectors) => {
    const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [red, green, blue] = channels(colour).map((one) => one / 255)
            .map((one) => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05;
    };
    const opaque = (colour) => (channels(colour)[3] ?? 1) === 1;
    return selectors.flatMap((selector) => {
        const one = document.querySelector(selector);
        if (!one) return [];  // it has gone meanwhile
        let ground = one;
        while (ground && !opaque(getComputedStyle(ground).backgroundColor)) ground = ground.parentElement;
        const { color, fontSize, fontWeight } = getComputedStyle(one);
        const [dark, bright] = [color, getComputedStyle(ground ?? document.body).backgroundColor].map(light).sort();
        const large = parseFloat(fontSize) >= (fontWeight >= 700 ? 18.66 : 24);
        return bright / dark < (large ? 3 : 4.5) ? [`${one.textContent.trim()}: ${(bright / dark).toFixed(2)}`] : [];
    });
}"""
# Colours change by and by. Transitions begin with the next frame; bars and rings of progress never end.
SETTLED = """async () => {
    for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame);
    const changing = document.getAnimations().filter((one) => one instanceof CSSTransition);
    await Promise.allSettled(changing.map((one) => one.finished));
}"""
# What has the focus: a name to tell it by, its number among all that can have it, and whether an outline shows it.
FOCUSED = """() => {
    const reachable = "a[href], button, input, select, textarea, summary, [tabindex]";
    const all = [...document.querySelectorAll(reachable)].filter((one) => one.tabIndex >= 0 && !one.disabled
        && one.checkVisibility({ visibilityProperty: true }));
    const one = document.activeElement, shown = [one, one.closest("label") ?? one].some((at) => {
        const { outlineStyle, outlineWidth } = getComputedStyle(at);
        return outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
    });
    const text = one.ariaLabel || one.innerText || one.labels?.[0]?.innerText || one.title;
    return one === document.body ? null : { text, number: all.indexOf(one), count: all.length, shown };
}"""


@pytest.fixture
def photographs(photograph: Path, tmp_path: Path) -> list[Path]:
    """Two of them."""
    Image.radial_gradient("L").resize((300, 200)).save(tmp_path / "uncle.png")
    return [photograph, tmp_path / "uncle.png"]


def photograph_states(page: Page, photographs: list[Path], letter: Path) -> Iterator[tuple[str, str]]:
    """Go through the states of the first tab; give the name of each, and the part of the page that it changes."""
    give(page, letter)
    expect(page.locator("#notice.error")).to_be_visible()
    yield "nothing but an error", "body"
    give(page, *photographs)
    four = coloured(page)
    expect(page.locator("#count")).to_have_text("2 of 2 coloured")
    open_details(page)
    page.locator("#axis-strips summary").click()
    page.locator("#way .ends button").nth(1).click()
    expect(page.locator("#axis-strips img[src]")).to_have_count(20)
    expect(page.locator("#way .steps img[src]")).to_have_count(7)
    page.locator("#one-by-one input").check()
    yield "coloured, with a notice and all details", "body"
    page.locator("#one-by-one input").uncheck()
    page.locator("#axis-strips summary").click()
    page.locator(".board").click(position={"x": 50, "y": 50})
    expect(page.locator(".palette")).to_be_visible()
    yield "pointing", "#results"
    page.locator(".swatch").nth(3).click()
    coloured(page, four)
    expect(page.locator(".marks button")).to_have_count(1)
    page.locator("[data-over=map]").click()
    page.locator("#take-reference").click()
    expect(page.locator("#reference")).to_be_visible()
    page.locator("#download .opener").click()
    yield "a hint, a map, lent colours and a menu", "body"
    page.keyboard.press("Escape")
    page.locator("[data-over=map]").click()
    page.locator("[data-over=split]").click()
    yield "divided", "#results"
    page.locator("[data-over=split]").click()
    page.locator(".clear").click()
    page.locator(".keep").click()
    draw(page, (0.2, 0.2), (0.4, 0.4))
    page.locator("#save-hints").click()
    expect(page.locator(".toast-body.warning")).to_be_visible()
    yield "a part to keep, and a warning", "body"
    page.locator("[data-for=keep] .cancel").click()
    page.locator(".to-crop").click()
    yield "cropping", "#results"
    page.locator("[data-for=crop] .cancel").click()
    page.locator("#compare").click()
    page.locator(".pair img").first.wait_for()
    yield "two side by side", "#results"
    page.locator(".pair .back").click()


def other_states(page: Page) -> Iterator[tuple[str, str]]:
    """The same for the other tabs."""
    page.get_by_role("tab", name="Digits").click()
    pad = page.locator("#pad canvas")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 50)
    page.mouse.down()
    page.mouse.move(box["x"] + 120, box["y"] + 200, steps=5)
    page.mouse.up()
    page.locator("#similar-grid .handwriting").first.wait_for()
    yield "digits, one's own among them", "body"
    page.get_by_role("tab", name="Film", exact=True).click()
    page.locator("#film .screen img").wait_for()
    yield "a film of digits", "#digit-panels"
    page.get_by_role("tab", name="Map", exact=True).click()
    page.locator("#here img").first.wait_for()
    yield "a map of digits", "#digit-panels"
    page.get_by_role("tab", name="Inference").click()
    page.locator("#curves svg").wait_for()
    yield "an arm", "body"
    page.locator("#inverse-problem label").get_by_text("Tissue optics").click()
    page.locator(".handle").first.wait_for()
    yield "tissue", "#inverse-tab"
    page.get_by_role("tab", name="Models").click()
    page.locator("#models-tab .card > button").first.click()
    page.locator("#models-tab .card img").first.wait_for()
    page.locator("#models-tab summary").first.click()
    yield "models, a card and an endpoint", "body"


def is_small(page: Page, control: str) -> bool:
    """Say whether a control is too small also where the bar of a telephone's tools does not cover a part of it."""
    page.locator(control).evaluate("one => one.scrollIntoView({ block: 'center' })")
    return any(rule["id"] == "target-size" for rule in page.evaluate(RUN_AXE, control)["violations"])


def problems(page: Page, part: str) -> list[Any]:
    """Say what is seriously wrong in a part of the page."""
    found = page.evaluate(RUN_AXE, part)
    undecided = [
        node["target"][0] for rule in found["incomplete"] if rule["id"] == "color-contrast" for node in rule["nodes"]
    ]
    wrong = [
        (rule["help"], node["target"], node["html"][:200])
        for rule in found["violations"]
        if rule["impact"] in ("serious", "critical")
        for node in rule["nodes"]
        if rule["id"] != "target-size" or is_small(page, node["target"][0])
    ]
    return wrong + page.evaluate(FAINT, undecided)


def test_axe_finds_nothing_serious_by_day_on_a_desk_or_by_night_on_a_telephone(
    open_studio, photographs: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "letter.jpg").write_text("Dear Grandma,")
    page = open_studio(reduced_motion="reduce")
    page.evaluate(AXE_SCRIPT)
    for state, part in itertools.chain(
        photograph_states(page, photographs, tmp_path / "letter.jpg"), other_states(page)
    ):
        for size, scheme in (NIGHT, DAY):
            page.set_viewport_size(size)
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            expect(page.locator("body.dark")).to_have_count(int(scheme == "dark"))
            page.evaluate(SETTLED)
            assert problems(page, part) == [], (state, scheme)


def test_the_keyboard_reaches_all_from_top_to_bottom_and_shows_where_it_is(
    open_studio, photographs: list[Path]
) -> None:
    page = open_studio()
    give(page, *photographs)
    coloured(page)
    expect(page.locator("#count")).to_have_text("2 of 2 coloured")
    open_details(page)
    page.evaluate("document.body.tabIndex = -1; document.body.focus(); document.body.removeAttribute('tabindex')")
    reached = []
    while True:
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused is None:
            break
        assert focused["shown"], focused
        reached.append(focused)
    assert [one["number"] for one in reached] == list(range(reached[-1]["count"]))
    texts = "\n".join(one["text"] for one in reached)
    order = ["Colour", "The photograph", "Before", "Divide", "Unsure", "Keep a part", "Larger", "best", "Four more"]
    order += ["Compare two", "Vivid", "Warm", "Green", "Another picture's", "Use these", "Download", "grandma"]
    order += ["Remove: grandma", "uncle", "Remove all", "Add", "Details", "Variety", "Seed", "Reset", "Save", "Load"]
    places = list(itertools.accumulate(order, lambda place, text: texts.index(text, place), initial=0))
    assert places == sorted(places)
