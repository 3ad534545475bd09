"""The studio in Chinese and in English, in headless Chromium: each page in one language, and the way to the other."""

import re
from pathlib import Path

import httpx
import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import coloured, give, open_details, point, shows  # after the check that it is there
from playwright.sync_api import Page, expect

from cinn_app.imaging import sample_photographs

# Names, keys and formats, which are the same in Chinese, and file names.
SAME = (
    r"grandma 1932\.jpg|cinn|English|OpenAPI|API|MCP|GIF|PNG|WebP|ZIP|NPZ|NPY|JSON|"
    r"Ctrl|Shift|Delete|Enter|Tab|Home|RRGGBB|rrggbb|[\w-]+\.\w{3,4}"
)
# What gradio has in no language but its own, for those who cannot see the page.
GRADIOS = (
    r"(number input|range slider) for .*|Reset to default value|Thumbnail \d+ of \d+|Fullscreen|More tabs|undo|Close|"
    r"Gradio footer navigation|File upload|Click to upload or drop files|Stop Recording|Empty value|Warning"
)
# All that is visible or read out. Descriptions for programs, names of models and licences are English.
TEXTS = """() => {
    const foreign = "script, style, #more td, #models-tab :is(details, pre, h2, dd), #terms span";
    const texts = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const element = walk.currentNode.parentElement;
        if (!element.closest(foreign) && element.checkVisibility()) texts.push(walk.currentNode.data);
    }
    for (const name of ["aria-label", "title", "alt", "placeholder"])
        for (const element of document.querySelectorAll(`[${name}]`))
            if (element.checkVisibility()) texts.push(element.getAttribute(name));
    return texts.map((text) => text.trim()).filter(Boolean);
}"""


#: What samples are read out as: their files' names.
SAMPLES = set(sample_photographs())


def english(page: Page) -> set[str]:
    """Find the texts that have an English word in them."""
    texts = {text for text in page.evaluate(TEXTS) if not re.fullmatch(GRADIOS, text)} - SAMPLES
    return {text for text in texts if re.search(r"[A-Za-z]{2,}", re.sub(rf"\b({SAME})\b", "", text, flags=re.ASCII))}


def chinese(page: Page) -> set[str]:
    """Find the texts that have a Chinese word in them."""
    return {text for text in page.evaluate(TEXTS) if re.search("[\u3000-\u9fff\uff00-\uffef]", text)}


def test_a_chinese_browser_gets_the_colorize_tab_in_chinese(open_studio, photograph: Path, tmp_path: Path) -> None:
    page = open_studio(390, 800, locale="zh-CN")
    assert page.evaluate("document.documentElement.lang") == "zh"
    assert page.locator("#empty h2").inner_text() == "让老照片重现色彩"
    assert english(page) == set()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390

    fake = tmp_path / "letter.jpg"
    fake.write_text("Dear Grandma,")
    page.locator("#upload input[type=file]").set_input_files(fake)
    expect(page.locator("#notice.error")).to_contain_text("letter.jpg 不是可读取格式的图片")

    give(page, photograph)
    coloured(page)
    expect(page.locator("#notice")).to_have_text("grandma 1932.jpg，330 × 240 像素。")
    expect(page.locator("#colourings .caption-label").first).to_have_text("最佳")
    expect(page.locator("#download .opener span")).to_have_text("下载")
    open_details(page)
    page.locator("[data-over=map]").click()
    page.locator("#download .opener").click()
    page.locator("#photographs .choose").hover()
    assert english(page) == set()
    page.keyboard.press("Escape")
    point(page, 0.3, 0.3)
    expect(page.locator(".palette")).to_be_visible()
    assert english(page) == set()
    page.keyboard.press("Escape")

    page.locator("#save-hints").click()
    expect(page.locator(".toast-body")).to_contain_text("还没有可保存的颜色标记")
    page.locator("#take-reference").click()
    expect(page.locator("#reference input")).to_be_checked()
    assert english(page) == set()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_chinese_browser_gets_digits_and_models_in_chinese(open_studio) -> None:
    page = open_studio(locale="zh-CN")
    page.get_by_role("tab", name="手写数字").click()
    page.locator("#grid img").first.wait_for()
    assert english(page) == set()
    page.locator("#pad canvas").click()
    page.locator("#written .probabilities").wait_for()
    page.locator("#similar .handwriting").first.wait_for()
    assert english(page) == set()
    page.locator("#digit label").nth(4).click()
    expect(page.locator("#digits-heading")).to_have_text(re.compile("数字 3"))
    page.locator("#pad .clear").click()
    expect(page.locator("#written")).to_contain_text("手写板是空的")
    for panel, shown in (("film", "#film img"), ("map", "#here img")):
        page.locator(f"#{panel}-panel-button").click()
        page.locator(shown).first.wait_for()
        assert english(page) == set()
    page.get_by_role("tab", name="模型").click()
    expect(page.locator("#models-tab")).to_contain_text("训练配方决定了模型的一切")
    assert english(page) == set()


def test_any_other_browser_gets_english(open_studio, photograph: Path) -> None:
    page = open_studio(locale="de-DE")
    assert page.evaluate("document.documentElement.lang") == "en"
    give(page, photograph)
    coloured(page)
    for tab in ("Colour", "Digits", "Models"):
        page.get_by_role("tab", name=tab).click()
        assert chinese(page) == {"中文"}


def test_the_header_changes_the_language_and_the_address_keeps_it(open_studio, photograph: Path) -> None:
    page = open_studio(locale="en-US")
    page.goto(f"{page.url}?seed=7")
    page.get_by_role("link", name="中文").click()
    page.wait_for_url(re.compile(r"(?=.*seed=7).*lang=zh"))
    expect(page.get_by_role("tab", name="照片上色")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "zh"

    give(page, photograph)
    coloured(page)
    open_details(page)
    expect(page.locator("#seed input")).to_have_value("7")
    expect(page.locator("#download .opener span")).to_have_text("下载")
    four = coloured(page)
    page.get_by_role("link", name="English").click()
    page.wait_for_url("**lang=en**")
    expect(page.get_by_role("tab", name="Colour")).to_be_visible()
    shows(page, four)


def test_refusals_are_in_the_language_of_the_visitor_and_in_english_for_programs(studio: str) -> None:
    def refused(**options: object) -> str:
        return httpx.post(f"{studio}gradio_api/queue/join", content="{", **options).json()["detail"]

    assert refused(headers={"Accept-Language": "zh-CN"}).startswith("请求不是 JSON")
    assert refused(params={"lang": "zh"}).startswith("请求不是 JSON")
    assert refused().startswith("This request is not JSON")
