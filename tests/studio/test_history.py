"""What visitors come back to, without a page: tries, photographs in a strip, and coloured files of ours."""

import dataclasses
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinn_app import Colorizer, Hints, Palette, Steering
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import read_provenance, save_picture
from cinn_app.systems.colorization.studio.controls import ControlRanges, Controls
from cinn_app.systems.colorization.studio.history import MAX_TRIES, Album, Moment, close_album, new_sheet, open_album
from cinn_app.systems.colorization.studio.opening import begin, go_on
from cinn_app.systems.colorization.studio.packing import pack
from cinn_app.systems.colorization.studio.pictures import export, paint
from cinn_app.systems.colorization.studio.visits import Reference, Visit, draw, open_visit, wake_visit

CONTROLS = Controls(0.8, 1.0, 0)


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture
def album(tmp_path: Path) -> Album:
    return open_album(tmp_path / "cache")


@pytest.fixture
def visit(photograph: Path, album: Album, colorizer: Colorizer) -> Visit:
    return draw(open_visit(photograph, album.folder), colorizer, 0.8, seed=0)


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Path]:
    """Write a gray photograph of that name in a folder of its own, as uploads lie."""

    def write(name: str, brightness: int = 120) -> Path:
        path = tmp_path / f"upload-{brightness}" / name
        path.parent.mkdir(exist_ok=True)
        rows, columns = np.mgrid[:60, :80]
        Image.fromarray((brightness + 40 * np.sin(columns / 9 + rows / 7)).astype(np.uint8)).save(path)
        return path

    return write


def wish(visit: Visit, controls: Controls) -> Steering:
    return Steering(reference=visit.palette)


def test_a_try_brings_back_the_photograph_the_colours_and_the_choice(visit: Visit, album: Album) -> None:
    chosen = dataclasses.replace(visit, chosen=2)
    moment = Moment.of(chosen, CONTROLS)
    resting = moment.visit
    assert max(resting.large.size) < 20 and resting.encoded is None  # what takes memory is gone
    back = wake_visit(resting)
    assert (back.chosen, back.size, back.large.size) == (2, visit.size, visit.large.size)
    written = paint(visit, 2, 0.5, large=True)
    before = np.asarray(Image.open(written), np.int16)
    written.unlink()
    assert np.array_equal(np.asarray(Image.open(paint(back, 2, 0.5, large=True)), np.int16), before)
    near = wake_visit(resting, visit)
    assert near.large is visit.large and near.encoded is visit.encoded  # nothing is read twice


def test_one_draw_is_one_try_however_vivid_and_whatever_is_chosen(
    visit: Visit, album: Album, colorizer: Colorizer
) -> None:
    album = album.with_moment(Moment.of(visit, CONTROLS))
    other = draw(visit, colorizer, 0.8, seed=1)
    album = album.with_moment(Moment.of(other, CONTROLS._replace(seed=1)))
    album = album.with_moment(Moment.of(dataclasses.replace(visit, chosen=3), CONTROLS._replace(vividness=0.5)))
    assert [(moment.visit.chosen, moment.controls.vividness, moment.controls.seed) for moment in album.tries] == [
        (3, 0.5, 0),
        (0, 1.0, 1),
    ]


def test_only_the_last_tries_are_kept_and_files_of_forgotten_photographs_go(
    visit: Visit, album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    album = album.with_moment(Moment.of(visit, CONTROLS))
    other = open_visit(scan("other.png"), album.folder)
    for seed in range(MAX_TRIES):
        other = draw(other, colorizer, 0.8, seed)
        assert visit.folder.exists()
        album = album.with_moment(Moment.of(other, CONTROLS._replace(seed=seed)))
    assert len(album.tries) == MAX_TRIES
    assert not visit.folder.exists() and other.folder.exists()
    close_album(album)
    close_album(None)
    assert not album.folder.exists() and visit.upload.exists()


def test_photographs_of_the_strip_are_left_and_found_again(
    visit: Visit, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    other = scan("other.png")
    album = album.with_sheets((new_sheet(photograph, album.folder), new_sheet(other, album.folder)))
    with Image.open(album.sheets[0].picture) as picture:
        assert picture.size == (224, 163)
    left = Controls(0.8, 0.7, 0, {"hints": [], "keep": []})
    album = album.with_moment(Moment.of(dataclasses.replace(visit, chosen=1), left))
    fresh = go_on(album, other, visit, CONTROLS._replace(seed=5, drawn={"hints": []}), colorizer)
    assert (fresh.visit.colourings, fresh.controls.seed, fresh.controls.drawn) == ((), 5, None)
    back = go_on(album, photograph, fresh.visit, CONTROLS, colorizer)
    assert (back.visit.chosen, back.controls, len(back.visit.colourings)) == (1, left, 4)
    again = begin(photograph, album, None, CONTROLS, colorizer)
    assert (again.visit.folder, again.visit.colourings) == (visit.folder, ())
    with pytest.raises(ImageError, match=r"^letter.jpg is not a picture"):
        (album.folder / "letter.jpg").write_text("Dear Grandma,")
        new_sheet(album.folder / "letter.jpg", album.folder)


def test_a_download_given_back_restores_what_made_it(
    visit: Visit, album: Album, colorizer: Colorizer, tmp_path: Path
) -> None:
    steering = Steering(hints=Hints.parse(["30,40=#c02020"]).on(visit.size))
    steered = dataclasses.replace(draw(visit, colorizer, 0.6, 123, steering), chosen=2)
    file = export(steered, 0.7)
    opened = begin(file, album, None, CONTROLS, colorizer)
    assert opened.lacking == ()
    controls = opened.controls
    assert (controls.variety, controls.vividness, controls.seed) == (0.6, 0.7, 123)
    assert controls.drawn == {"hints": [{"colour": "#c02020", "points": [[30, 40]]}], "keep": []}
    again = draw(opened.visit, colorizer, controls.variety, controls.seed, steering)
    assert again.chosen == 2 and again.colourings[2].settings == steered.colourings[2].settings
    one, other = (np.asarray(Image.open(paint(each, 2, 0.7, large=True)), np.int16) for each in (steered, again))
    assert np.abs(one - other).mean() < 3  # but for what JPEG did to the lightness


def test_a_later_sample_of_a_seed_is_shown_with_its_neighbours(
    album: Album, colorizer: Colorizer, photograph: Path, tmp_path: Path
) -> None:
    sample = colorizer.colorize(photograph, [9], 0.8, seed=4)[0]
    sample.save(tmp_path / "ninth.png")
    opened = begin(tmp_path / "ninth.png", album, None, CONTROLS, colorizer)
    visit = draw(opened.visit, colorizer, opened.controls.variety, opened.controls.seed)
    assert (visit.first, visit.chosen, visit.number(visit.chosen)) == (8, 1, 10)
    assert [colouring.settings["sample"] for colouring in visit.colourings] == [8, 9, 10, 11]
    assert (visit.colourings[1].ab - sample.ab).abs().max() < 1
    rolled = draw(visit, colorizer, 0.8, seed=5)
    assert (rolled.first, rolled.chosen) == (0, 0)


def test_what_a_mark_names_but_does_not_hold_is_said(
    visit: Visit, album: Album, colorizer: Colorizer, tmp_path: Path
) -> None:
    palette = Palette.of(visit.colourings[1])
    there = draw(visit, colorizer, 0.8, 0, Steering(reference=palette))
    mark = {**read_provenance(export(there, 1.0)), "weights": "another", "kept": "0123", "axes": {"bluer": 1.0}}
    mark |= {"strength": 1.9, "hints": [{"colour": "#102030", "points": [[5000, 5]]}]}
    file = tmp_path / "marked.png"
    save_picture(file, np.full((40, 60, 3), 90, np.uint8), provenance=mark)
    opened = begin(file, album, None, CONTROLS, colorizer)
    assert set(opened.lacking) == {"reference", "weights", "kept", "axes", "hints", "range"}
    assert opened.controls.vividness == 1.5
    present = dataclasses.replace(visit, reference=Reference(palette, "No. 2"))
    assert "reference" not in begin(file, album, present, CONTROLS, colorizer).lacking


@pytest.mark.parametrize(
    "mark", [{"seed": "many"}, {"seed": -1}, {"samples": 4}, {"temperature": []}, {"sample": None}]
)
def test_other_marks_leave_the_picture_a_photograph(
    visit: Visit, album: Album, colorizer: Colorizer, tmp_path: Path, mark: dict[str, object]
) -> None:
    file = tmp_path / "marked.png"
    made = {**visit.colourings[0].mark(), **mark}
    save_picture(file, np.full((40, 60, 3), 90, np.uint8), provenance=made)
    opened = begin(file, album, None, CONTROLS, colorizer)
    assert (opened.lacking, opened.controls) == (None, CONTROLS)


def test_all_photographs_go_into_one_file_under_names_of_their_own(
    visit: Visit, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    files = [photograph, scan("A.png", 100), scan("a.PNG", 140), scan("gone.png", 90)]
    album = album.with_sheets(tuple(new_sheet(file, album.folder) for file in files))
    chosen = dataclasses.replace(visit, chosen=3)
    album = album.with_moment(Moment.of(chosen, CONTROLS._replace(vividness=0.5)))
    files[3].unlink()
    *steps, last = pack(album, colorizer, CONTROLS._replace(seed=8), None, wish)
    assert [step.done for step in steps] == [1, 2, 3, 4]
    (problem,) = last.problems
    assert "gone.png" in problem and str(files[3].parent) not in problem
    with zipfile.ZipFile(last.path) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == [
            "grandma 1932-colourised-0-4.jpg",
            "A-colourised-8-1.png",
            "a-colourised-8-1 (2).PNG",
        ]
        with archive.open("grandma 1932-colourised-0-4.jpg") as file:
            assert file.read() == export(chosen, 0.5).read_bytes()
    assert {path.name for path in album.folder.iterdir() if path.is_file()} == {
        "colourised.zip",
        *(sheet.picture.name for sheet in album.sheets),
    }


def test_a_reference_holds_for_all_photographs_of_the_file(
    visit: Visit, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    reference = Reference(Palette.of(visit.colourings[1]), "No. 2", visit.folder)
    album = album.with_sheets((new_sheet(photograph, album.folder), new_sheet(scan("b.png"), album.folder)))
    album = album.with_moment(Moment.of(visit, CONTROLS))
    *_, last = pack(album, colorizer, CONTROLS, reference, wish)
    with zipfile.ZipFile(last.path) as archive:
        marks = [read_provenance(archive.read(name)) for name in archive.namelist()]
    assert ["reference" in mark for mark in marks] == [False, True]  # the photograph it is from stays as it was


def test_nothing_that_can_be_painted_makes_no_file(
    album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    gone = scan("gone.png")
    album = album.with_sheets((new_sheet(gone, album.folder),))
    gone.unlink()
    *_, last = pack(album, colorizer, CONTROLS, None, wish)
    assert last.path is None and len(last.problems) == 1
    close_album(album)
    with pytest.raises(CinnError, match="cannot be written"):
        list(pack(album, colorizer, CONTROLS, None, wish))


def test_numbers_from_the_page_are_brought_into_range(colorizer: Colorizer) -> None:
    ranges = ControlRanges(colorizer)
    assert ranges.read(9, -1, None)[:3] == (1.5, 0, 0)
