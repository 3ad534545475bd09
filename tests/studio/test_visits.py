"""The work behind the colorize tab, without a page."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinn_app import Colorizer
from cinn_app.errors import CinnError, ImageError
from cinn_app.systems.colorization.studio.pictures import describe, export, gray, paint
from cinn_app.systems.colorization.studio.visits import SAMPLES, Visit, close_visit, draw, open_visit


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture
def visit(photograph: Path, tmp_path: Path) -> Visit:
    return open_visit(photograph, tmp_path / "cache")


def test_large_photographs_are_worked_on_reduced_and_kept_at_full_size(colorizer: Colorizer, tmp_path: Path) -> None:
    path = tmp_path / "wide.webp"
    Image.fromarray(np.arange(3 * 1500 * 500).reshape(500, 1500, 3).astype(np.uint8)).save(path)
    visit = draw(open_visit(path, tmp_path), colorizer, 0.8, seed=3)
    assert (visit.size, visit.large.size, visit.small.size) == ((500, 1500), (341, 1024), (170, 512))
    with Image.open(paint(visit, 0, 1.0)) as small, Image.open(paint(visit, 0, 1.0, large=True)) as large:
        assert (small.size, large.size) == ((512, 170), (1024, 341))
    with Image.open(export(visit, 1.0)) as kept:
        assert (kept.size, kept.format) == ((1500, 500), "WEBP")


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("a.JPG", "a-colourised-3-2.JPG"),
        ("b.tif", "b-colourised-3-2.tif"),
        ("c.gif", "c-colourised-3-2.png"),
        ("d", "d-colourised-3-2.png"),
    ],
)
def test_a_download_is_named_after_its_photograph(colorizer: Colorizer, tmp_path: Path, name: str, kept: str) -> None:
    with (tmp_path / name).open("wb") as file:
        Image.new("L", (40, 30), 90).save(file, "GIF")
    visit = draw(open_visit(tmp_path / name, tmp_path), colorizer, 0.8, seed=3)
    assert export(dataclasses.replace(visit, chosen=1), 1.0).name == kept


def test_strength_paints_the_same_colours_anew(visit: Visit, colorizer: Colorizer) -> None:
    visit = draw(visit, colorizer, 0.8, seed=0)
    with Image.open(paint(visit, 1, 0)) as none, Image.open(gray(visit)) as before:
        assert np.ptp(np.asarray(none), axis=-1).max() == 0
        assert np.array_equal(np.asarray(none), np.asarray(before))
    assert paint(visit, 1, 0.5) != paint(visit, 1, 1.0)
    written = paint(visit, 1, 0.5)
    written.write_bytes(b"kept")
    assert paint(visit, 1, 0.5).read_bytes() == b"kept"  # not painted twice


def test_the_same_wish_draws_nothing(visit: Visit, colorizer: Colorizer) -> None:
    drawn = draw(visit, colorizer, 0.8, seed=0)
    assert draw(drawn, colorizer, 0.8, seed=0) is drawn
    assert draw(drawn, colorizer, 0.8, seed=1) is not drawn
    assert draw(drawn, colorizer, 0.7, seed=0) is not drawn


def test_each_colouring_says_how_likely_it_is(visit: Visit, colorizer: Colorizer) -> None:
    visit = draw(visit, colorizer, 0.8, seed=0)
    by_likelihood = sorted(range(SAMPLES), key=lambda index: -visit.colourings[index].log_prob)
    most, second, third, least = (describe(visit, index) for index in by_likelihood)
    assert most.startswith(f"No. {by_likelihood[0] + 1}, most likely of the four, ")
    assert "second most likely" in second
    assert "third most likely" in third
    assert "least likely of the four" in least
    bits = visit.colourings[by_likelihood[0]].bits_per_dim
    assert most.endswith(f", {bits:.2f} bits/dim, seed 0, variety 0.8".replace(" b", "\xa0b").replace(" 0", "\xa00"))


def test_errors_name_the_file_as_the_visitor_knows_it(tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear Grandma,")
    with pytest.raises(ImageError) as caught:
        open_visit(tmp_path / "letter.jpg", tmp_path)
    assert str(caught.value).startswith("letter.jpg is not a picture")


def test_a_photograph_that_has_been_cleaned_away_is_asked_for_again(
    colorizer: Colorizer, photograph: Path, tmp_path: Path
) -> None:
    upload = tmp_path / photograph.name
    upload.write_bytes(photograph.read_bytes())
    visit = draw(open_visit(upload, tmp_path), colorizer, 0.8, seed=0)
    upload.unlink()
    with pytest.raises(CinnError, match="give the photograph once more"):
        export(visit, 1.0)


def test_leaving_deletes_what_was_written_and_nothing_else(visit: Visit) -> None:
    gray(visit)
    close_visit(visit)
    close_visit(None)
    assert not visit.folder.exists()
    assert visit.upload.exists()
