"""The work behind the digits tab, without a page."""

import base64
import io
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from pixels import assert_same_pixels

from cinn_app import DigitGenerator
from cinn_app.errors import ImageError
from cinn_app.systems.digits.studio.controls import (
    STRIP,
    Controls,
    axis_previews,
    draw,
    read_pad,
    sheet,
    sheet_name,
    transition,
)
from cinn_app.systems.digits.studio.markup import png


@pytest.fixture(scope="module")
def generator(tiny_digits_checkpoint: Path) -> DigitGenerator:
    return DigitGenerator.load(tiny_digits_checkpoint, "cpu")


def pad(draw_on: bool = True) -> str:
    """What a browser sends: ink on transparent paper."""
    drawing, buffer = Image.new("RGBA", (280, 280), (0, 0, 0, 0)), io.BytesIO()
    if draw_on:
        ImageDraw.Draw(drawing).line((140, 40, 140, 240), "black", 23)
    drawing.save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def test_one_digit_and_all_of_them_share_handwritings(generator: DigitGenerator) -> None:
    steps = (1.5, 0.0, -2.0)
    three, everything = (Controls(label, False, 0.8, 4, steps) for label in (3, None))
    assert draw(generator, everything).shape == (10, 6, 28, 28)
    assert_same_pixels(draw(generator, three).flatten(0, 1)[:6], draw(generator, everything)[3])
    same = generator.sample([3], 6, 0.8, 4, {1: 1.5, 3: -2.0})
    assert_same_pixels(draw(generator, everything)[3], same[0])
    own = Controls(3, True, 0.8, 4, steps)
    assert not torch.equal(draw(generator, own), draw(generator, three))


def test_the_strip_begins_and_ends_with_the_chosen_digits(generator: DigitGenerator) -> None:
    controls = Controls(None, False, 0.8, 0, (1.0,))
    pictures = draw(generator, controls).flatten(0, 1)
    assert controls.corners == (0, len(pictures) - 1)
    strip = transition(generator, controls, (11, 52))
    assert len(strip) == STRIP
    assert_same_pixels(strip[[0, -1]], pictures[[11, 52]])


def test_each_axis_is_shown_from_one_end_to_the_other(generator: DigitGenerator) -> None:
    pictures = axis_previews(generator, Controls(7, True, 0.8, 0, ()))
    middle = torch.zeros(1, 784)
    assert pictures.shape == (12, 7, 28, 28)
    assert_same_pixels(pictures[4, 3], generator.decode(middle, [7])[0])
    assert_same_pixels(pictures[4, 0], generator.decode(generator.move(middle, {5: -3}, 7), [7])[0])


def test_the_pad_is_read_or_refused_in_one_sentence() -> None:
    digit = read_pad(pad())
    assert digit.shape == (28, 28) and digit[:, :10].max() == 0 and digit[14, 12:16].max() == 255
    for nothing in (None, "", pad(draw_on=False)):
        with pytest.raises(ImageError, match=r"^The pad is empty: draw one digit[^.]*\.$"):
            read_pad(nothing)
    for broken in ("data:image/png;base64,%%", "data:image/png;base64,AAAA", "scribble"):
        with pytest.raises(ImageError, match=r"^The (pad|drawing) [^\n]*\.$"):
            read_pad(broken)


def test_a_sheet_is_dark_ink_on_white_paper(generator: DigitGenerator) -> None:
    controls = Controls(2, False, 0.8, 0, ())
    page = sheet(generator, controls)
    assert page[0].min() == 255
    kept = Image.open(io.BytesIO(base64.b64decode(png(page).partition(",")[2])))
    assert (kept.mode, kept.size) == ("L", (page.shape[1], page.shape[0]))
    assert kept.getpixel((2 + 4 * 9, 2 + 4 * 5)) == 255 - draw(generator, controls)[0, 0, 5, 9]


def test_a_sheet_is_named_after_what_made_it(generator: DigitGenerator) -> None:
    assert sheet_name(generator, Controls(7, False, 0.8, 3, (1.5,))) == "digits-7-seed3-t0.8-slant+1.5.png"
    assert (
        sheet_name(generator, Controls(None, False, 1, 0, (0, -0.3, 2)))
        == "digits-all-seed0-t1-width-0.3-shape-3+2.png"
    )
    assert sheet_name(generator, Controls(7, True, 0.8, 3, (0, 0))) == "digits-7-seed3-t0.8.png"
    own = generator.axes(7)[1].name.replace(" ", "-")
    assert sheet_name(generator, Controls(7, True, 0.8, 3, (0, 1))) == f"digits-7-seed3-t0.8-own-{own}+1.png"
    crowded = sheet_name(generator, Controls(None, False, 0.123456, 999_999_999, (-2.123456,) * 12))
    assert crowded.startswith("digits-all-seed999999999-t0.123-axis1-2.12-axis2-2.12-")
    assert crowded.endswith("-axis12-2.12.png") and len(crowded) < 200
