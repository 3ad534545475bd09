"""The work behind steering, without a page: what is drawn anew, what is kept on disk, and what the page may send."""

from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Hints, Palette, Steering
from cinn_app.errors import CinnError
from cinn_app.imaging import read_provenance, rgb_to_lab
from cinn_app.systems.colorization.studio.hint_pad import HintPad, marks
from cinn_app.systems.colorization.studio.pictures import differences, export, paint
from cinn_app.systems.colorization.studio.visits import Reference, Visit, draw, open_visit, same_draw


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture
def visit(photograph: Path, tmp_path: Path, colorizer: Colorizer) -> Visit:
    return draw(open_visit(photograph, tmp_path / "cache"), colorizer, 0.8, seed=0)


@pytest.fixture
def pad() -> HintPad:
    with gr.Blocks():
        return HintPad()


def test_only_what_is_not_there_yet_is_drawn(visit: Visit, colorizer: Colorizer) -> None:
    steering = Steering(hints=Hints.parse(["30,40=#c02020"]))
    one = draw(visit, colorizer, 0.8, 0, steering, [2])
    assert [new is old for new, old in zip(one.colourings, visit.colourings, strict=True)] == [True, True, False, True]
    all_four = draw(one, colorizer, 0.8, 0, steering)
    assert all_four.colourings[2] is one.colourings[2]
    assert all(colouring.hints for colouring in all_four.colourings)
    assert draw(all_four, colorizer, 0.8, 0, steering) is all_four
    assert all_four.encoded is visit.encoded  # the photograph has been read once
    assert same_draw(all_four, colorizer, 0.8, 0) and not same_draw(all_four, colorizer, 0.8, 1)


def test_colourings_steered_otherwise_have_pictures_of_their_own(visit: Visit, colorizer: Colorizer) -> None:
    steered = draw(visit, colorizer, 0.8, 0, Steering(hints=Hints.parse(["30,40=#c02020"])))
    assert paint(steered, 0, 1.0) != paint(visit, 0, 1.0)
    assert differences(steered) != differences(visit)
    back = draw(steered, colorizer, 0.8, 0)
    assert paint(back, 0, 1.0) == paint(visit, 0, 1.0)


def test_a_large_photograph_is_hinted_in_its_own_pixels(colorizer: Colorizer, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:600, :2200]
    Image.fromarray((120 + 40 * np.sin(columns / 90 + rows / 50)).astype(np.uint8)).save(tmp_path / "wide.png")
    visit = open_visit(tmp_path / "wide.png", tmp_path)
    hints = Hints.parse(["2100,555=#2f6f9f"]).on(visit.size)
    path = export(draw(visit, colorizer, 0.8, 0, Steering(hints=hints)), 1.0)
    with Image.open(path) as picture:
        rgb = torch.from_numpy(np.asarray(picture)[555, 2100] / 255).float()[:, None, None]
    assert (rgb_to_lab(rgb)[1:, 0, 0] - hints.ab[0]).norm() < 3
    assert read_provenance(path)["hints"] == [{"colour": "#2f6f9f", "points": [[2100, 555]]}]


def test_the_colours_of_a_colouring_go_to_the_next_photographs_only(visit: Visit, tmp_path: Path) -> None:
    reference = Reference(Palette.of(visit.colourings[1]), "No. 2", visit.folder)
    here = open_visit(visit.upload, tmp_path, reference)
    assert here.palette is reference.palette
    assert Visit(**{**vars(visit), "reference": reference}).palette is None
    swatches = reference.palette.swatches(6)
    assert len(swatches) == 6 and all(len(swatch) == 7 for swatch in swatches)


def test_the_map_of_differences_is_white_where_they_are_largest(visit: Visit) -> None:
    with Image.open(differences(visit)) as shown:
        assert shown.mode == "L" and np.asarray(shown).max() == 255


def test_what_the_page_sends_becomes_hints_and_strokes(pad: HintPad) -> None:
    payload = {
        "hints": [{"colour": "#102030", "points": [[1, 2], [3, 4]], "radius": 1}],
        "keep": [{"points": [[5, 6]], "radius": 2}],
    }
    hints, (stroke,) = pad.read(payload, (10, 20))
    assert hints is not None and (hints.width, hints.height) == (20, 10)
    assert marks(hints, payload)["hints"] == [{"colour": "#102030", "points": [[1.0, 2.0], [3.0, 4.0]], "radius": 1.0}]
    assert (stroke.points, stroke.radius) == (((5.0, 6.0),), 2.0)
    assert pad.read(None, (10, 20)) == (None, ()) == pad.read({"hints": [], "keep": []}, (10, 20))


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ("text", "cannot be read"),
        ({"other": 1}, "cannot be read"),
        ({"hints": [{"colour": "red", "points": [[1, 2]]}]}, "is none"),
        ({"hints": [{"colour": "#102030", "points": [[20, 2]]}]}, "outside the picture of 20 x 10 pixels"),
        ({"keep": [{"points": [], "radius": 1}]}, "no place"),
        ({"keep": [{"points": [[1, -1]], "radius": 1}]}, "no place"),
    ],
)
def test_what_is_no_drawing_is_refused_in_a_sentence(pad: HintPad, payload: object, sentence: str) -> None:
    with pytest.raises(CinnError, match=sentence):
        pad.read(payload, (10, 20))
