"""What a visitor of the digits tab does and sees, in headless Chromium."""

import base64
import io

import numpy as np
from PIL import Image
from playwright.sync_api import Page


def pictures(page: Page, selector: str) -> list[str]:
    """The addresses of pictures, which hold the pictures themselves."""
    return page.eval_on_selector_all(selector, "all => all.map(one => one.src)")


def changed(page: Page, selector: str, before: list[str]) -> list[str]:
    """Wait until the pictures are others than before, and return them as they are at that moment."""
    found = page.wait_for_function(
        """([selector, before]) => {
            const now = [...document.querySelectorAll(selector)].map(one => one.src);
            return now.length && JSON.stringify(now) !== JSON.stringify(before) ? now : null;
        }""",
        arg=[selector, before],
    )
    return found.json_value()


def settled(page: Page, selector: str, expected: list[str]) -> None:
    """Wait until the pictures are the expected ones."""
    page.wait_for_function(
        """([selector, expected]) => JSON.stringify([...document.querySelectorAll(selector)].map(one => one.src))
            === JSON.stringify(expected)""",
        arg=[selector, expected],
    )


def decode(address: str) -> np.ndarray:
    """Read a picture out of its address."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))), int)
