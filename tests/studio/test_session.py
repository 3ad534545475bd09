"""A session of the colorize tab without a page: draws, pictures, and what the page may send."""

import dataclasses
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, ColourReference, Hints, Steering
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import read_provenance, rgb_to_lab
from cinn_app.systems.colorization.selection import best_first, uncertainty
from cinn_app.systems.colorization.studio.pictures import export, export_colours, gray, paint, uncertainty_map
from cinn_app.systems.colorization.studio.session import ControlRanges, Reference, Session
from cinn_app.systems.colorization.studio.stage import Stage, drawn_on, next_frame, to_payload
from cinn_app.systems.colorization.studio.texts import details, words


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def session(photograph: Path, tmp_path_factory: pytest.TempPathFactory, colorizer: Colorizer) -> Session:
    """A photograph with four colourings."""
    return Session.open(photograph, tmp_path_factory.mktemp("cache"), colorizer).draw(colorizer, 0.8, seed=0)


@pytest.fixture
def stage() -> Stage:
    with gr.Blocks():
        return Stage()


def test_previews_are_reduced_and_a_download_has_full_resolution(colorizer: Colorizer, tmp_path: Path) -> None:
    path = tmp_path / "wide.webp"
    Image.fromarray(np.arange(3 * 1500 * 500).reshape(500, 1500, 3).astype(np.uint8)).save(path)
    session = Session.open(path, tmp_path, colorizer).draw(colorizer, 0.8, seed=3)
    assert (session.size, session.large.size, session.small.size) == ((500, 1500), (341, 1024), (170, 512))
    with Image.open(paint(session, 0, 1.0)) as small, Image.open(paint(session, 0, 1.0, large=True)) as large:
        assert (small.size, large.size) == ((512, 170), (1024, 341))
    told: list[float] = []
    with Image.open(export(session, 1.0, progress=told.append)) as whole:
        assert (whole.size, whole.format) == ((1500, 500), "WEBP")
    assert told == sorted(set(told)) and len(told) > 2 and 0.9 < told[-1] <= 1


def test_previews_have_no_metadata_and_a_download_has_all(session: Session) -> None:
    for preview in (paint(session, 0, 1.0), paint(session, 0, 1.0, large=True), gray(session)):
        with Image.open(preview) as picture:
            assert not picture.getexif() and "xmp" not in picture.info
        assert read_provenance(preview) is None
    path = export(session, 1.0)
    with Image.open(path) as picture:
        assert picture.getexif()[0x010E] == "Grandma in the garden"
    assert (read_provenance(path) or {})["seed"] == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.JPG", "a-coloured-0-2.JPG"),
        ("b.tif", "b-coloured-0-2.tif"),
        ("c.gif", "c-coloured-0-2.png"),
        ("d", "d-coloured-0-2.png"),
    ],
)
def test_a_download_is_named_after_its_photograph(session: Session, name: str, expected: str) -> None:
    renamed = dataclasses.replace(session, upload=Path(name), chosen=1)
    assert renamed.download_name(session.colourings[1]) == expected


def test_strength_scales_the_colours_and_nothing_is_painted_twice(session: Session) -> None:
    with Image.open(paint(session, 1, 0)) as colourless, Image.open(gray(session)) as before:
        assert np.ptp(np.asarray(colourless), axis=-1).max() == 0
        assert np.abs(np.asarray(colourless, np.int16) - np.asarray(before, np.int16)).max() <= 1
    path = paint(session, 1, 0.5)
    assert path != paint(session, 1, 1.0)
    path.write_bytes(b"not painted again")
    assert paint(session, 1, 0.5).read_bytes() == b"not painted again"


def test_a_draw_that_is_there_is_not_drawn_again(session: Session, colorizer: Colorizer) -> None:
    assert session.draw(colorizer, 0.8, seed=0) is session
    assert session.draw(colorizer, 0.8, seed=1) is not session
    assert session.draw(colorizer, 0.7, seed=0) is not session


def test_only_missing_colourings_are_drawn(session: Session, colorizer: Colorizer) -> None:
    steering = Steering(hints=Hints.parse(["30,40=#c02020"]))
    one = session.draw(colorizer, 0.8, 0, steering, [2])
    unchanged = [new is old for new, old in zip(one.colourings, session.colourings, strict=True)]
    assert unchanged == [True, True, False, True]
    four = one.draw(colorizer, 0.8, 0, steering)
    assert four.colourings[2] is one.colourings[2]
    assert all(colouring.hints for colouring in four.colourings)
    assert four.draw(colorizer, 0.8, 0, steering) is four
    assert four.encoded is session.encoded  # the photograph is encoded once
    assert four.has_draw(colorizer, 0.8, 0) and not four.has_draw(colorizer, 0.8, 1)


def test_colourings_with_other_constraints_have_their_own_pictures(session: Session, colorizer: Colorizer) -> None:
    steered = session.draw(colorizer, 0.8, 0, Steering(hints=Hints.parse(["30,40=#c02020"])))
    assert paint(steered, 0, 1.0) != paint(session, 0, 1.0)
    assert uncertainty_map(steered) != uncertainty_map(session)
    back = steered.draw(colorizer, 0.8, 0)
    assert paint(back, 0, 1.0) == paint(session, 0, 1.0)


@pytest.mark.parametrize("size", [(1501, 1107), (2600, 611)])
def test_colours_are_those_of_the_command_line(colorizer: Colorizer, tmp_path: Path, size: tuple[int, int]) -> None:
    """The page shows a reduced copy, whose rounded size would have another canvas, or too little detail."""
    small = np.random.default_rng(0).integers(0, 256, (9, 9), dtype=np.uint8)
    path = tmp_path / "large.png"
    Image.fromarray(small).resize(size, Image.Resampling.BICUBIC).save(path)
    session = Session.open(path, tmp_path, colorizer).draw(colorizer, 0.8, seed=5)
    assert max(session.colourings[0].photograph.size) == 1024
    for shown, written in zip(session.colourings, colorizer.colorize(path, 4, 0.8, 5, diverse=True), strict=True):
        torch.testing.assert_close(shown.ab, written.ab, rtol=0, atol=1e-4)
        assert {**shown.settings, "chosen_of": 16} == written.settings


def test_hints_are_in_pixels_of_a_large_photograph(colorizer: Colorizer, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:600, :2200]
    Image.fromarray((120 + 40 * np.sin(columns / 90 + rows / 50)).astype(np.uint8)).save(tmp_path / "wide.png")
    session = Session.open(tmp_path / "wide.png", tmp_path, colorizer)
    hints = Hints.parse(["2100,555=#2f6f9f"]).on(session.size)
    path = export(session.draw(colorizer, 0.8, 0, Steering(hints=hints)), 1.0)
    with Image.open(path) as picture:
        rgb = torch.from_numpy(np.asarray(picture)[555, 2100] / 255).float()[:, None, None]
    assert (rgb_to_lab(rgb)[1:, 0, 0] - hints.ab[0]).norm() < 3
    assert read_provenance(path)["hints"] == [{"colour": "#2f6f9f", "points": [[2100, 555]]}]


def test_a_reference_from_a_colouring_is_for_other_photographs_only(
    colorizer: Colorizer, session: Session, tmp_path: Path
) -> None:
    reference = Reference(ColourReference.of(session.colourings[1]), "No. 2", session.folder)
    assert Session.open(session.upload, tmp_path, colorizer, reference).wanted_colours is reference.colours
    assert dataclasses.replace(session, reference=reference).wanted_colours is None
    swatches = reference.colours.swatches(6)
    assert len(swatches) == 6 and all(len(swatch) == 7 for swatch in swatches)


def test_the_map_is_bright_where_colourings_differ_most(session: Session) -> None:
    with Image.open(uncertainty_map(session)) as shown:
        rgb = np.asarray(shown).reshape(-1, 3).astype(int)
    deviation = uncertainty([colouring.on(session.small) for colouring in session.colourings]).flatten()
    assert rgb[deviation.argmin()].tolist() == [0, 0, 4] and rgb[deviation.argmax()].tolist() == [252, 255, 164]
    places = deviation.sort().indices[:: len(deviation) // 20]
    assert (np.diff(rgb[places] @ (0.2126, 0.7152, 0.0722)) > -1).all()  # brighter and brighter


def test_the_first_colouring_is_the_best_and_the_others_say_how_they_differ(session: Session) -> None:
    first, *others = words(session)
    assert first == "best" and len(others) == 3 and "best" not in others


def test_colours_alone_have_the_chroma_of_the_picture_at_one_lightness(session: Session) -> None:
    lab, whole = (
        rgb_to_lab(torch.from_numpy(np.asarray(Image.open(path).convert("RGB"))).movedim(-1, 0) / 255)
        for path in (export_colours(session, 0.5), export(session, 0.5, ".png"))
    )
    assert float((lab[0] - 60).abs().max()) < 1
    assert float((lab[1:] - whole[1:]).abs().mean()) < 1 < float(whole[1:].norm(dim=0).mean())


def test_the_best_is_shown_first_and_constraints_change_no_order(session: Session, colorizer: Colorizer) -> None:
    drawn = colorizer.colorize(session.encoded, 16, 0.8, 0)
    samples = [colouring.settings["sample"] for colouring in session.colourings]
    assert samples[0] == best_first(drawn)[0].settings["sample"]
    assert len(set(samples)) == 4 and max(samples) < 16 and session.chosen == 0
    hinted = session.draw(colorizer, 0.8, 0, Steering(hints=Hints.parse(["30,40=#c02020"])))
    assert [colouring.settings["sample"] for colouring in hinted.colourings] == samples


def test_errors_name_the_file_without_its_folder(colorizer: Colorizer, tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("Dear Grandma,")
    with pytest.raises(ImageError) as caught:
        Session.open(tmp_path / "letter.jpg", tmp_path, colorizer)
    assert str(caught.value).startswith("letter.jpg is not a picture")


def test_a_download_of_a_deleted_photograph_is_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(CinnError, match=r"gone\.jpg has been deleted in the meantime: upload"):
        export(dataclasses.replace(session, upload=tmp_path / "gone.jpg"), 1.0)


def test_deleting_a_session_leaves_its_upload(colorizer: Colorizer, photograph: Path, tmp_path: Path) -> None:
    session = Session.open(photograph, tmp_path, colorizer)
    gray(session)
    session.delete_files()
    assert not session.folder.exists() and photograph.exists()


def test_settings_from_the_page_are_brought_into_range(colorizer: Colorizer) -> None:
    assert ControlRanges(colorizer).read(9, -1, None)[:3] == (1.5, 0, 0)
    assert ControlRanges(colorizer).read(1, 1, 0, None, True).restore_levels is True
    one_by_one = ControlRanges(colorizer).read(1, 1, 0, None, False, *[0] * 4, True, -1, 9, 0.5, None, 1)
    usual = colorizer.temperatures()
    assert one_by_one.temperature == one_by_one.temperatures == (0, 1.5, 0.5, usual[3], 1)
    assert ControlRanges(colorizer).read(0.7, 1, 0, None, False, *[0] * 4, False, *[1] * 5).temperature == 0.7


def test_fading_is_removed_without_encoding_again(colorizer: Colorizer, tmp_path: Path) -> None:
    rows, columns = np.mgrid[:200, :300]
    Image.fromarray((155 + 45 * np.sin(columns / 30) * np.cos(rows / 20)).astype(np.uint8)).save(tmp_path / "old.png")
    faded = Session.open(tmp_path / "old.png", tmp_path, colorizer).draw(colorizer, 0.8, 0)
    restored = faded.draw(colorizer, 0.8, 0, Steering(restore_levels=True))
    assert restored.encoded is faded.encoded and restored.large.levels.fading > 0
    with Image.open(paint(faded, 0, 1.0)) as before, Image.open(paint(restored, 0, 1.0)) as after:
        assert np.ptp(np.asarray(before.convert("L"))) < 120 < 200 < np.ptp(np.asarray(after.convert("L")))
    assert "<th>Fading</th><td>removed</td>" in details(restored) and "Fading" not in details(faded)
    with Image.open(gray(restored)) as original:
        assert np.ptp(np.asarray(original)) < 120  # the comparison begins with the photograph as it is


def test_what_the_page_sends_becomes_hints_and_strokes(stage: Stage) -> None:
    payload = {
        "hints": [{"colour": "#102030", "points": [[1, 2], [3, 4]], "radius": 1}],
        "keep": [{"points": [[5, 6]], "radius": 2}],
    }
    hints, (stroke,) = stage.read(payload, (10, 20))
    assert hints is not None and (hints.width, hints.height) == (20, 10)
    shown = to_payload(hints, payload)
    assert shown["hints"] == [{"colour": "#102030", "points": [[1.0, 2.0], [3.0, 4.0]], "radius": 1.0}]
    assert shown["keep"] == payload["keep"]
    assert (stroke.points, stroke.radius) == (((5.0, 6.0),), 2.0)
    assert stage.read(None, (10, 20)) == (None, ()) == stage.read({"hints": [], "keep": []}, (10, 20))


def test_a_drawing_counts_for_its_own_photograph_only(session: Session) -> None:
    hints = [{"colour": "#102030", "points": [[1, 2]], "radius": 1}]
    ours = {"photograph": session.folder.name, "hints": hints, "snapshot": 7}
    assert drawn_on(session, ours) == {"hints": hints, "keep": []} == drawn_on(session, {"hints": hints})
    assert drawn_on(session, {**ours, "photograph": "another"}) is None
    assert drawn_on(session, {"hints": [], "keep": []}) is None is drawn_on(None, ours) is drawn_on(session, "text")


def test_what_is_drawn_before_the_answer_to_a_crop_stays_on_its_things(session: Session) -> None:
    height, width = session.whole_size
    hints = [{"colour": "#102030", "points": [[x, height - 3]], "radius": 1} for x in (2, width - 2)]
    strokes = [{"points": [[5, 6]], "radius": 2}]
    drawn = {"photograph": session.folder.name, "part": {"turns": 0}, "hints": hints, "keep": strokes}
    right_half = session.reframed(next_frame(session, {"part": {"turns": 0}, "frame": {"cut": {"left": 0.5}}}))
    moved = drawn_on(right_half, drawn)
    assert moved == {"hints": [{**hints[1], "points": [(width - 2 - width / 2, height - 3)]}], "keep": []}
    turned = session.reframed(next_frame(session, {"frame": {"turns": 1}}))
    assert [hint["points"] for hint in drawn_on(turned, drawn)["hints"]] == [[(2, 2)], [(2, width - 2)]]
    # Asked for twice before the first answer: both times of what is in view.
    assert next_frame(turned, {"part": {"turns": 0}, "frame": {"turns": 1}}) == turned.frame
    for frame in ({"cut": {"top": 0.6, "bottom": 0.4}}, {"cut": {"left": float("nan")}}, {"cut": {"top": -1}}):
        with pytest.raises(CinnError, match="Nothing of the photograph is left"):
            next_frame(session, {"frame": frame})
    with pytest.raises(CinnError, match="cannot be read"):
        next_frame(session, {"frame": "half"})


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ("text", "cannot be read"),
        ({"other": 1}, "cannot be read"),
        ({"hints": [{"colour": "red", "points": [[1, 2]]}]}, "is invalid"),
        ({"hints": [{"colour": "#102030", "points": [[20, 2]]}]}, "outside the picture of 20 x 10 pixels"),
        ({"keep": [{"points": [], "radius": 1}]}, "no place"),
        ({"keep": [{"points": [[1, -1]], "radius": 1}]}, "no place"),
    ],
)
def test_a_damaged_drawing_is_refused_with_a_sentence(stage: Stage, payload: object, sentence: str) -> None:
    with pytest.raises(CinnError, match=sentence):
        stage.read(payload, (10, 20))
