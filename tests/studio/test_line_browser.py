"""A page whose line to the studio is cut, in headless Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
from colour_page import coloured, give
from digit_page import changed, pictures
from PIL import Image
from playwright.sync_api import Page, expect  # after the check that it is there
from relay import Relay, relayed


@pytest.fixture
def relay(studio: str) -> Iterator[Relay]:
    with relayed(urlsplit(studio).port) as relay:
        yield relay


def test_a_page_survives_cuts_and_says_if_the_studio_has_forgotten_it(usual_context, relay: Relay) -> None:
    page: Page = usual_context.new_page()
    page.set_default_timeout(180_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(relay.address)
    page.get_by_role("tab", name="Digits").click()
    page.locator("#grid img").first.wait_for()
    banner, before = page.locator("#line"), pictures(page, "#grid img")

    relay.cut()  # nobody waits
    expect(banner).to_have_text("The connection is lost; trying again …")
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 800})
        expect(banner).to_be_visible()
    page.locator("#digit-dice").click()
    relay.mend()
    before = changed(page, "#grid img", before)
    expect(banner).to_have_text("")

    for moment in (b'"event_id"', b"process_starts", b"process_completed", b'"event_id"'):
        relay.cut_at(moment)  # the confirmation, the beginning or the end of an answer does not arrive
        page.locator("#digit-dice").click()
        assert relay.broken.wait(60)
        page.wait_for_timeout(300)
        relay.mend()
        before = changed(page, "#grid img", before)

    # The studio was started anew, and knows nothing of the page.
    refusal = {"status": 410, "content_type": "application/json", "body": json.dumps({"detail": "Unknown."})}
    page.route("**/line/*", lambda route: route.fulfill(**refusal))
    relay.cut_at(b'"event_id"')
    page.locator("#digit-dice").click()
    assert relay.broken.wait(60)
    relay.mend()
    expect(banner).to_contain_text("Unknown.")
    page.locator("#reset").click()  # no button is silently dead
    expect(page.locator(".toast-body")).to_contain_text("Unknown.")
    page.unroute("**/line/*")
    banner.get_by_role("button", name="Load the page again").click()
    expect(banner).to_have_text("")
    assert not errors
    page.close()


def test_a_download_that_is_cut_off_arrives_whole(usual_context, relay: Relay, photograph: Path) -> None:
    page: Page = usual_context.new_page()
    page.set_default_timeout(180_000)
    page.goto(relay.address)
    give(page, photograph)
    coloured(page)
    relay.cut_at(b"urn:cinn-app")  # in the record of what is saved
    with page.expect_download() as saved:
        page.locator("#download .opener").click()
        page.locator("#download [data-kind=this]").click()
        assert relay.broken.wait(60)
        relay.mend()
    with Image.open(saved.value.path()) as picture, Image.open(photograph) as given:
        picture.load()
        assert picture.size == given.size and saved.value.suggested_filename == "grandma 1932-coloured-0-1.jpg"
    page.close()
