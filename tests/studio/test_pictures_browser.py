"""The README's pictures of the studio can be taken at any time, whatever the models."""

from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("playwright.sync_api", reason="playwright is missing: pip install playwright")
import studio_pictures  # after the check that it is there


def test_all_pictures_are_taken(browser, studio: str, tmp_path: Path) -> None:
    files = studio_pictures.take(browser, studio, tmp_path)
    assert sorted(files) == sorted(tmp_path.iterdir()) and len(files) == 5
    for file in files:
        with Image.open(file) as picture:
            assert min(picture.size) > 600 and len(picture.convert("L").getcolors()) > 50  # of something
    with Image.open(files[0]) as picture:
        assert picture.size == (1.5 * studio_pictures.WIDTH, 1.5 * studio_pictures.HEIGHT)
