"""The album of the colorize tab without a page: snapshots, several photographs, an archive, restored settings."""

import dataclasses
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, ColourReference, Hints, Steering
from cinn_app.errors import CinnError, ImageError
from cinn_app.imaging import WHOLE, Frame, read_photograph, read_provenance, save_picture
from cinn_app.systems.colorization.studio import texts
from cinn_app.systems.colorization.studio.album import MAX_SNAPSHOTS, Album, AlbumPhotograph, Snapshot, look_at
from cinn_app.systems.colorization.studio.album_panel import AlbumPanel
from cinn_app.systems.colorization.studio.archive import Archive
from cinn_app.systems.colorization.studio.exports import SETTINGS, export_for_programs
from cinn_app.systems.colorization.studio.pictures import export, export_colours, paint
from cinn_app.systems.colorization.studio.session import Controls, Reference, Session

CONTROLS = Controls(0.8, 1.0, 0)


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def drawn(photograph: Path, tmp_path_factory: pytest.TempPathFactory, colorizer: Colorizer) -> Session:
    return Session.open(photograph, tmp_path_factory.mktemp("cache"), colorizer).draw(colorizer, 0.8, seed=0)


@pytest.fixture
def album(tmp_path: Path) -> Album:
    folder = tmp_path / "kept-album"
    folder.mkdir()
    return Album(folder)


@pytest.fixture
def session(drawn: Session, album: Album) -> Session:
    """A photograph with four colourings, in a folder of the album."""
    folder = album.folder / "session"
    folder.mkdir()
    return dataclasses.replace(drawn, folder=folder)


@pytest.fixture
def scan(tmp_path: Path) -> Callable[..., Path]:
    """Write a gray photograph with a given name, in a folder of its own as uploads are."""

    def write(name: str, brightness: int = 120) -> Path:
        path = tmp_path / f"upload-{brightness}" / name
        path.parent.mkdir(exist_ok=True)
        rows, columns = np.mgrid[:60, :80]
        Image.fromarray((brightness + 40 * np.sin(columns / 9 + rows / 7)).astype(np.uint8)).save(path)
        return path

    return write


def archive(album: Album, colorizer: Colorizer, controls: Controls = CONTROLS) -> Archive:
    return Archive(album, colorizer, controls, lambda session, _: Steering(reference=session.wanted_colours))


def test_a_snapshot_restores_photograph_colours_and_choice(session: Session, album: Album) -> None:
    chosen = dataclasses.replace(session, chosen=2)
    suspended = Snapshot.of(chosen, CONTROLS).session
    assert max(suspended.large.size) < 20 and suspended.encoded is None  # what takes memory is dropped
    resumed = suspended.resume()
    assert (resumed.chosen, resumed.size, resumed.large.size) == (2, session.size, session.large.size)
    path = paint(session, 2, 0.5, large=True)
    before = np.asarray(Image.open(path), np.int16)
    path.unlink()
    after = np.asarray(Image.open(paint(resumed, 2, 0.5, large=True)), np.int16)
    assert np.abs(after - before).max() <= 1
    near = suspended.resume(session)
    assert near.large is session.large and near.encoded is session.encoded  # nothing is read twice


def test_every_other_state_can_be_returned_to(session: Session, album: Album, colorizer: Colorizer) -> None:
    album = album.with_photographs((look_at(session.upload, album.folder),))
    states = [
        Snapshot.of(session, CONTROLS),
        Snapshot.of(dataclasses.replace(session, chosen=3), CONTROLS),
        Snapshot.of(session.draw(colorizer, 0.8, seed=1), CONTROLS._replace(seed=1)),
        Snapshot.of(session, CONTROLS._replace(vividness=0.5)),
        Snapshot.of(session, CONTROLS._replace(vividness=0.5)),
    ]
    numbers = []
    for state in states:
        album = album.with_snapshot(state)
        numbers.append(album.photographs[0].snapshot.number)
    assert numbers == [1, 2, 3, 4, 4]  # the last one is no other state
    for number, state in zip(numbers, states, strict=True):
        back = album.at_snapshot(number).turn_to(session.upload, session, CONTROLS, colorizer)
        assert (back.session.chosen, back.controls) == (state.session.chosen, state.controls)
    for gone in (99, None, "1"):
        with pytest.raises(CinnError, match="too long ago"):
            album.at_snapshot(gone)


def test_a_drawing_waits_on_its_photograph(
    session: Session, album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    files = [session.upload, scan("other.png")]
    album = album.with_photographs(tuple(look_at(file, album.folder) for file in files))
    album = album.with_snapshot(Snapshot.of(session, CONTROLS))
    drawn = {"hints": [{"colour": "#102030", "points": [[1, 2]], "radius": 1}], "keep": []}
    for file in files:
        edited = album.with_controls(file, CONTROLS._replace(drawn=drawn))
        assert edited.turn_to(file, None, CONTROLS, colorizer).controls.drawn == drawn
        assert file in [one.upload for one in edited.waiting]  # the strip shows it without, until it is coloured again
        assert edited.with_controls(file, CONTROLS).turn_to(file, None, CONTROLS, colorizer).controls.drawn is None
    assert album.with_controls(session.upload, CONTROLS) is album  # that is its state already


def test_colours_lent_to_all_make_photographs_wait_for_them(
    session: Session, album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    album = album.with_photographs((look_at(session.upload, album.folder), look_at(scan("b.png"), album.folder)))
    album = album.with_snapshot(Snapshot.of(session, CONTROLS))
    assert [one.upload.name for one in album.waiting] == ["b.png"]
    assert album.noting(album.photographs[1].upload, unreadable=True).waiting == []
    reference = Reference(ColourReference.of(session.colourings[1]), "No. 2")
    lent = album.with_reference(reference)
    assert len(lent.waiting) == 2
    opened = lent.turn_to(session.upload, None, CONTROLS, colorizer)
    assert opened.session.reference is reference
    assert [one.upload.name for one in lent.with_snapshot(Snapshot.of(opened.session, CONTROLS)).waiting] != ["b.png"]
    drawn = opened.session.draw(colorizer, 0.8, 0, Steering(reference=opened.session.wanted_colours))
    coloured = lent.with_snapshot(Snapshot.of(drawn, CONTROLS))
    assert [one.upload.name for one in coloured.waiting] == ["b.png"]
    off = coloured.with_reference(None)  # taken off for all: its colours are lent no more
    assert len(off.waiting) == 2 and off.photographs[0].snapshot.session.reference is None
    assert lent.with_reference(None).turn_to(session.upload, None, CONTROLS, colorizer).session.reference is None


def test_many_photographs_are_looked_at_a_few_at_a_time(album: Album, scan: Callable[..., Path]) -> None:
    letter = album.folder / "letter.jpg"
    letter.write_text("Dear Grandma,")
    album = album.with_photographs(
        tuple(map(AlbumPhotograph, [scan("a.png", 90), letter, scan("b.png", 100), scan("c.png", 110)]))
    )
    album, problems = album.looked_at(3)
    (problem,) = problems
    assert str(problem).startswith("letter.jpg is not a picture")
    assert [(one.upload.name, one.picture is None) for one in album.photographs] == [
        ("a.png", False),
        ("b.png", False),
        ("c.png", True),
    ]
    album, problems = album.looked_at(3)
    assert problems == [] and all(one.picture for one in album.photographs)
    assert album.looked_at(3)[0] is album


def test_the_time_that_is_left_is_said_once_it_is_known(album: Album, scan: Callable[..., Path]) -> None:
    with gr.Blocks():
        panel = AlbumPanel()
    album = album.with_photographs(tuple(look_at(scan(f"{n}.png", 90 + n), album.folder) for n in range(3)))
    assert panel.show(album, None)[panel.count] == "0 of 3 coloured"
    panel.note_pace(10)
    assert panel.show(album, None)[panel.count] == "0 of 3 coloured<br>less than a minute left"
    for _ in range(20):
        panel.note_pace(40)
    assert panel.show(album, None)[panel.count] == "0 of 3 coloured<br>about 2 min left"
    assert panel.store.find({"key": album.key}).album is album


def soon_gone(folder: Path) -> bool:
    """Wait until a folder is deleted."""
    end = time.monotonic() + 20
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not folder.exists()


def test_removed_photographs_leave_no_files_once_pages_have_loaded_them(
    session: Session, album: Album, scan: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinn_app.studio.files.LOADING", 0.5)
    files = [session.upload, scan("b.png", 90), scan("c.png", 100), session.upload]
    album = album.with_photographs(tuple(look_at(file, album.folder) for file in files))
    album = album.with_snapshot(Snapshot.of(session, CONTROLS))
    fewer = album.without(session.upload)
    assert [one.upload for one in fewer.photographs] == files[1:3] and not fewer.snapshots  # a file twice is one
    assert session.folder.exists() and session.upload.exists()
    assert soon_gone(session.folder)
    assert fewer.cleared().photographs == ()


def test_only_the_last_snapshots_are_kept_and_unused_files_deleted(
    session: Session,
    album: Album,
    colorizer: Colorizer,
    scan: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cinn_app.studio.files.LOADING", 0.0)
    album = album.with_snapshot(Snapshot.of(session, CONTROLS))
    other = Session.open(scan("other.png"), album.folder, colorizer)
    for seed in range(MAX_SNAPSHOTS):
        other = other.draw(colorizer, 0.8, seed)
        assert session.folder.exists()
        album = album.with_snapshot(Snapshot.of(other, CONTROLS._replace(seed=seed)))
    assert len(album.snapshots) == MAX_SNAPSHOTS
    assert soon_gone(session.folder) and other.folder.exists()


def test_an_album_has_copies_of_uploads_until_they_are_removed(album: Album, photograph: Path, tmp_path: Path) -> None:
    uploads = tmp_path / "uploads"
    for number, name in enumerate(("a.jpg", "a.jpg", "b.jpg")):
        (uploads / str(number)).mkdir(parents=True)
        shutil.copy(photograph, uploads / str(number) / name)
    files = [album.adopt(upload) for upload in sorted(uploads.glob("*/*"))]
    assert [file.name for file in files] == ["a.jpg", "a.jpg", "b.jpg"] and len(set(files)) == 3
    assert album.adopt(uploads / "0" / "a.jpg") == files[0]
    shutil.rmtree(uploads)
    album = album.with_photographs(tuple(look_at(file, album.folder) for file in files)).without(files[0])
    assert [file.exists() for file in files] == [False, True, True]
    album.cleared()
    assert [file.exists() for file in files] == [False, False, False] and album.folder.exists()


def test_each_photograph_of_the_album_keeps_its_state(
    session: Session, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    other = scan("other.png")
    album = album.with_photographs((look_at(photograph, album.folder), look_at(other, album.folder)))
    with Image.open(album.photographs[0].picture) as picture:
        assert picture.size == (224, 163)
    left = Controls(0.8, 0.7, 0, {"hints": [], "keep": []})
    album = album.with_snapshot(Snapshot.of(dataclasses.replace(session, chosen=1), left))
    fresh = album.turn_to(other, session, CONTROLS._replace(seed=5, drawn={"hints": []}), colorizer)
    assert (fresh.session.colourings, fresh.controls.seed, fresh.controls.drawn) == ((), 5, None)
    back = album.turn_to(photograph, fresh.session, CONTROLS, colorizer)
    assert (back.session.chosen, back.controls, len(back.session.colourings)) == (1, left, 4)
    again = album.open(photograph, None, CONTROLS, colorizer)
    assert (again.session.folder, again.session.colourings) == (session.folder, ())
    with pytest.raises(ImageError, match=r"^letter.jpg is not a picture"):
        (album.folder / "letter.jpg").write_text("Dear Grandma,")
        look_at(album.folder / "letter.jpg", album.folder)


def test_an_uploaded_download_restores_its_settings(
    album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    session = Session.open(scan("grandma.png"), album.folder, colorizer)
    steering = Steering(hints=Hints.parse(["30,40=#c02020"]).on(session.size))
    steered = dataclasses.replace(session.draw(colorizer, 0.6, 123, steering), chosen=2)
    file = export(steered, 0.7)
    assert file.name == "grandma-coloured-123-3.png"
    opened = album.open(file.rename(file.with_name("grandma-colourised-123-3.png")), None, CONTROLS, colorizer)
    assert opened.missing == ()  # whatever its name is, such as that of an earlier version
    controls = opened.controls
    assert (controls.variety, controls.vividness, controls.seed) == (0.6, 0.7, 123)
    assert controls.drawn == {"hints": [{"colour": "#c02020", "points": [[30, 40]]}], "keep": []}
    colourless = album.open(export(steered, 0.0), None, CONTROLS, colorizer)  # whose lightness is not rounded
    assert colourless.controls == controls._replace(vividness=0.0)
    again = colourless.session.draw(colorizer, controls.variety, controls.seed, steering)
    assert again.chosen == 2 and again.colourings[2].settings == steered.colourings[2].settings
    one, other = (np.asarray(Image.open(paint(each, 2, 0.7, large=True)), np.int16) for each in (steered, again))
    assert np.abs(one - other).mean() < 1


def test_a_picture_that_is_cut_short_is_opened_with_a_warning(
    album: Album, colorizer: Colorizer, scan: Callable[..., Path]
) -> None:
    cut = album.folder / "cut.jpg"
    Image.open(scan("grandma.png")).convert("L").save(cut)
    content = cut.read_bytes()
    cut.write_bytes(content[: len(content) * 2 // 3])
    page = texts.opened(album.open(cut, None, CONTROLS, colorizer))
    assert "It is damaged or cut short: " in page.value and "of its pixels are missing." in page.value


def test_a_sample_that_would_not_be_chosen_is_shown_with_others_of_its_seed(
    album: Album, colorizer: Colorizer, photograph: Path, tmp_path: Path
) -> None:
    sample = colorizer.colorize(photograph, [25], 0.8, seed=4)[0]
    sample.save(tmp_path / "later.png")
    opened = album.open(tmp_path / "later.png", None, CONTROLS, colorizer)
    session = opened.session.draw(colorizer, opened.controls.variety, opened.controls.seed)
    chosen = session.colourings[session.chosen]
    assert chosen.settings["sample"] == 25
    samples = {colouring.settings["sample"] for colouring in session.colourings}
    assert len(samples) == 4 and samples <= set(range(16, 32))
    # Saving changes the lightness a little, and thereby the segments, but the colours are those of the sample.
    own, *others = sorted(float((one.ab - sample.ab).square().mean()) for one in session.colourings)
    assert own == float((chosen.ab - sample.ab).square().mean()) and own < others[0] / 4
    other = session.draw(colorizer, 0.8, seed=5)
    assert max(colouring.settings["sample"] for colouring in other.colourings) < 16 and other.chosen == 0


def test_a_dropped_picture_restores_a_temperature_for_each_scale(
    session: Session, album: Album, colorizer: Colorizer
) -> None:
    own = (0.2, 0.0, 0.4, 1.2, 0.05)
    drawn = session.draw(colorizer, own, 0)
    opened = album.open(export(drawn, 1.0), None, CONTROLS, colorizer)
    assert (opened.missing, opened.controls.temperatures) == ((), own)
    again = opened.session.draw(colorizer, opened.controls.temperature, opened.controls.seed)
    assert again.colourings[again.chosen].settings == drawn.colourings[0].settings
    following = album.open(export(session, 1.0), None, opened.controls, colorizer)
    assert (following.controls.temperatures, following.controls.variety) == ((), 0.8)
    record = {**read_provenance(export(drawn, 1.0)), "temperature": [0.2, 1.0], "weights": "of other scales"}
    save_picture(album.folder / "old.png", np.full((40, 60, 3), 90, np.uint8), provenance=record)
    old = album.open(album.folder / "old.png", None, CONTROLS, colorizer)
    assert old.missing == ("weights",) and (old.controls.temperatures, old.controls.variety) == ((), 1.0)


def test_a_download_says_what_was_cut_off_and_what_was_kept_comes_back(
    album: Album, colorizer: Colorizer, tmp_path: Path
) -> None:
    waves = (128 + 90 * np.sin(np.mgrid[:80, :120][1] / 9)).astype(np.uint8)
    film = tmp_path / "film.png"
    Image.fromarray(np.pad(waves, 12, constant_values=4)).save(film)
    trimmed = Session.open(film, album.folder, colorizer).draw(colorizer, 0.8, 3)
    record, (height, width) = read_provenance(export(trimmed, 1.0)), trimmed.size
    assert record["crop"][2:] == [width, height] and 74 <= height <= 80
    assert "Part of the picture" in texts.details(trimmed) and "Turned" not in texts.details(trimmed)
    chosen = trimmed.colourings[0]
    same = colorizer.colorize(read_photograph(film).without_rim(), [chosen.settings["sample"]], 0.8, 3)[0]
    assert torch.allclose(same.ab, chosen.ab, atol=1e-3)
    turned = trimmed.reframed(trimmed.frame.then(Frame(1))).resume().draw(colorizer, 0.8, 3)
    assert read_provenance(export(turned, 1.0))["turned"] == 90
    whole = trimmed.reframed(WHOLE).resume()
    whole = whole.draw(colorizer, 0.8, 3, Steering(hints=Hints.parse(["140,100=#c02020"]).on(whole.size)))
    opened = album.open(export(whole, 1.0), None, CONTROLS, colorizer)
    assert (opened.session.frame, opened.session.size, opened.missing) == (WHOLE, (104, 144), ())


def test_settings_that_cannot_be_restored_are_named(
    session: Session, album: Album, colorizer: Colorizer, tmp_path: Path
) -> None:
    colours = ColourReference.of(session.colourings[1])
    steered = session.draw(colorizer, 0.8, 0, Steering(reference=colours))
    record = {**read_provenance(export(steered, 1.0)), "weights": "another", "kept": "0123", "axes": {"bluer": 1.0}}
    record |= {"thing": [3.0, 4.0]}
    record |= {"strength": 1.9, "hints": [{"colour": "#102030", "points": [[5000, 5]]}]}
    file = tmp_path / "coloured.png"
    save_picture(file, np.full((40, 60, 3), 90, np.uint8), provenance=record)
    opened = album.open(file, None, CONTROLS, colorizer)
    assert set(opened.missing) == {"reference", "weights", "kept", "axes", "thing", "hints", "range"}
    assert opened.controls.vividness == 1.5
    lent = album.with_reference(Reference(colours, "No. 2"))
    assert "reference" not in lent.open(file, None, CONTROLS, colorizer).missing


@pytest.mark.parametrize(
    "changes", [{"seed": "many"}, {"seed": -1}, {"samples": 4}, {"temperature": []}, {"sample": None}]
)
def test_a_picture_with_another_record_is_an_ordinary_photograph(
    session: Session, album: Album, colorizer: Colorizer, tmp_path: Path, changes: dict[str, object]
) -> None:
    file = tmp_path / "coloured.png"
    record = {**read_provenance(export(session, 1.0)), **changes}
    save_picture(file, np.full((40, 60, 3), 90, np.uint8), provenance=record)
    opened = album.open(file, None, CONTROLS, colorizer)
    assert (opened.missing, opened.controls) == (None, CONTROLS)


def test_an_archive_has_all_photographs_under_different_names(
    session: Session, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    files = [photograph, scan("A.png", 100), scan("a.PNG", 140), scan("gone.png", 90)]
    album = album.with_photographs(tuple(look_at(file, album.folder) for file in files))
    chosen = dataclasses.replace(session, chosen=3)
    album = album.with_snapshot(Snapshot.of(chosen, CONTROLS._replace(vividness=0.5)))
    files[3].unlink()
    *steps, last = archive(album, colorizer, CONTROLS._replace(seed=8)).write()
    assert [step.done for step in steps] == [1, 2, 3, 4]
    (problem,) = last.problems
    assert "gone.png" in str(problem) and str(files[3].parent) not in str(problem)
    with zipfile.ZipFile(last.path) as pictures:
        assert pictures.testzip() is None
        assert pictures.namelist() == [
            "grandma 1932-coloured-0-4.jpg",
            "A-coloured-8-1.png",
            "a-coloured-8-1 (2).PNG",
        ]
        with pictures.open("grandma 1932-coloured-0-4.jpg") as file:
            assert file.read() == export(chosen, 0.5).read_bytes()
    assert {path.name for path in album.folder.iterdir() if path.is_file()} == {
        one.picture.name for one in album.photographs
    }
    assert [path.name for path in last.path.parent.iterdir()] == ["coloured.zip"]


def test_downloads_under_way_keep_their_content_when_others_follow(
    session: Session,
    album: Album,
    colorizer: Colorizer,
    photograph: Path,
    scan: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    steered = session.draw(colorizer, 0.8, 0, Steering(hints=Hints.parse(["50,60=#a04030"])))
    assert steered.download_name(steered.colourings[0]) == session.download_name(session.colourings[0])
    for write in (
        lambda one: export(one, 1.0),
        lambda one: export_colours(one, 1.0),
        lambda one: export_for_programs(SETTINGS, one, colorizer, 1.0),
    ):
        first = write(session)
        content = first.read_bytes()
        second = write(steered)
        assert first.name == second.name and first.read_bytes() == content != second.read_bytes()

    album = album.with_photographs((look_at(photograph, album.folder),))
    *_, first = archive(album, colorizer).write()
    content = first.path.read_bytes()
    album = album.with_photographs((look_at(scan("b.png", 90), album.folder),))
    *_, second = archive(album, colorizer).write()
    assert first.path.read_bytes() == content != second.path.read_bytes()
    monkeypatch.setattr("cinn_app.studio.files.LOADING", 0.0)
    *_, third = archive(album, colorizer).write()
    assert soon_gone(second.path.parent) and third.path.exists()


def test_an_archive_takes_colours_lent_to_all(
    session: Session, album: Album, colorizer: Colorizer, photograph: Path, scan: Callable[..., Path]
) -> None:
    reference = Reference(ColourReference.of(session.colourings[1]), "No. 2", session.folder)
    album = album.with_photographs((look_at(photograph, album.folder), look_at(scan("b.png"), album.folder)))
    album = album.with_snapshot(Snapshot.of(session, CONTROLS))
    *_, last = archive(album.with_reference(reference), colorizer).write()
    with zipfile.ZipFile(last.path) as pictures:
        records = [read_provenance(pictures.read(name)) for name in pictures.namelist()]
    assert ["reference" in record for record in records] == [False, True]  # not for the photograph it is from


def test_an_archive_without_pictures_is_no_file(album: Album, colorizer: Colorizer, scan: Callable[..., Path]) -> None:
    gone = scan("gone.png")
    album = album.with_photographs((look_at(gone, album.folder),))
    gone.unlink()
    *_, last = archive(album, colorizer).write()
    assert last.path is None and len(last.problems) == 1
    shutil.rmtree(album.folder)
    with pytest.raises(CinnError, match="cannot be written"):
        list(archive(album, colorizer).write())


def test_photographs_that_are_coloured_meanwhile_push_no_state_out(
    session: Session, album: Album, colorizer: Colorizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinn_app.systems.colorization.studio.album.MAX_SNAPSHOTS", 2)
    others = [dataclasses.replace(session, upload=session.upload.with_name(f"{number}.jpg")) for number in range(9)]
    uploads = [session.upload, *(one.upload for one in others)]
    album = album.with_photographs(tuple(AlbumPhotograph(upload, upload) for upload in uploads))
    for chosen in (0, 1, 2):
        album = album.with_snapshot(Snapshot.of(dataclasses.replace(session, chosen=chosen), CONTROLS))
    for one in others:
        album = album.with_snapshot(Snapshot.of(one, CONTROLS))
    assert [one.session.chosen for one in album.snapshots if one.session.upload == session.upload] == [0, 1, 2]
    album = album.with_snapshot(Snapshot.of(dataclasses.replace(session, chosen=3), CONTROLS))
    assert [one.session.chosen for one in album.snapshots if one.session.upload == session.upload] == [1, 2, 3]
    assert len(album.snapshots) == 2 + len(uploads)
