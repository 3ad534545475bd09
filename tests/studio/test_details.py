"""The drawer of figures without a page: likelihoods, and what is exported."""

import dataclasses
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Hints, Steering
from cinn_app.errors import CinnError
from cinn_app.imaging import lightness_and_ab_to_rgb8, read_photograph, rgb_to_lab
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.studio.axes_panel import ALONG, strips
from cinn_app.systems.colorization.studio.exports import CHROMA, LATENTS, OWN_LATENTS, SETTINGS, export_for_programs
from cinn_app.systems.colorization.studio.likelihood import Mark, chart, marks
from cinn_app.systems.colorization.studio.pictures import paint
from cinn_app.systems.colorization.studio.session import Session
from cinn_app.systems.colorization.studio.way_panel import way


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def coloured(tmp_path_factory: pytest.TempPathFactory, colorizer: Colorizer) -> Session:
    """A photograph in colour whose shape leaves a part of the canvas to its mirror image, with four colourings."""
    folder = tmp_path_factory.mktemp("coloured")
    rows, columns = np.mgrid[:150, :205]
    rgb = np.stack([90 + 60 * np.sin(rows / 30), 120 + 50 * np.cos(columns / 40), 100 + 0 * rows], -1)
    Image.fromarray(rgb.astype(np.uint8)).save(folder / "garden.png")
    session = Session.open(folder / "garden.png", folder, colorizer).draw(colorizer, 0.8, seed=0)
    return dataclasses.replace(session, chosen=2)


def bits(found: list[Mark]) -> list[float]:
    return [mark.colouring.bits_per_dim for mark in found]


def test_the_line_has_gray_the_best_guess_the_four_and_the_photographs_own_colours(
    coloured: Session, colorizer: Colorizer
) -> None:
    found = marks(coloured, colorizer)
    assert [mark.kind for mark in found] == ["gray", "guess", "one", "one", "chosen", "one", "own"]
    assert bits(found)[2:6] == pytest.approx([one.bits_per_dim for one in coloured.colourings], rel=1e-4)
    assert bits(found)[1] == pytest.approx(colorizer.best_guess(coloured.upload).bits_per_dim, rel=1e-3)
    assert bits(found)[-1] == pytest.approx(colorizer.encode(coloured.upload).bits_per_dim, rel=1e-3)
    assert not found[0].colouring.ab.any()
    later = coloured.suspend().resume()  # as after undo: latents are not kept
    assert bits(marks(later, colorizer)) == pytest.approx(bits(found), rel=1e-4)


def test_a_gray_photograph_has_no_colours_of_its_own(photograph: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    session = Session.open(photograph, tmp_path, colorizer).draw(colorizer, 0.8, seed=0)
    assert [mark.kind for mark in marks(session, colorizer)] == ["gray", "guess", "chosen", "one", "one", "one"]


@pytest.mark.parametrize(
    "nats",
    [[100, 200, 300, 400, 500, 600], [100, 100, 100.001, 400, 401, 900], [7] * 6, [-50, 0, 1, 2, 3, 4]],
    ids=["even", "crowded", "equal", "one apart"],
)
@pytest.mark.parametrize("name", ["single best guess", "唯一的最佳估计唯一"])
def test_no_label_lies_on_another_one_nor_on_its_line(coloured: Session, nats: list[float], name: str) -> None:
    latents = coloured.colourings[0].latents
    kinds = ["gray", "guess", "chosen", "one", "one", "own"]

    def colouring(log_prob: float) -> Colouring:
        return dataclasses.replace(coloured.colourings[0], code=lambda: (latents, log_prob))

    drawn = chart([Mark(kind, name, colouring(-1000 * one)) for kind, one in zip(kinds, nats, strict=True)])
    margin = int(re.search(r"margin-right: (\d+)px", drawn)[1])
    for width in (310, 1000):
        line = width - 6 - margin
        labels = [
            (line * float(x) / 100 + 6, int(y), sum(13 if ord(letter) > 255 else 6.6 for letter in text))
            for x, y, text in re.findall(r'<text [^>]*x="([\d.]+)%"[^>]*y="(\d+)">([^<]+)<', drawn)
        ]
        lines = re.findall(r'<line x1="([\d.]+)%"[^>]*y1="(\d+)" y2="(\d+)"', drawn)
        assert len(labels) == len(lines) == len(nats)
        assert max(x + length for x, _, length in labels) <= width
        assert all(abs(one[1] - other[1]) >= 16 for one, other in itertools.combinations(labels, 2))
        for share, top, bottom in lines:
            place = line * float(share) / 100
            assert not any(x < place < x + length and int(top) < y - 4 < int(bottom) for x, y, length in labels)


def test_programs_get_latents_chroma_and_settings_of_what_is_shown(coloured: Session, colorizer: Colorizer) -> None:
    steered = coloured.draw(colorizer, 0.8, 0, Steering({"warmer": 1.0}, Hints.parse(["50,60=#a04030"])))
    colouring = steered.colourings[2]
    latents, chroma, settings = (
        export_for_programs(kind, steered.suspend().resume(), colorizer, 0.7) for kind in (LATENTS, CHROMA, SETTINGS)
    )
    assert latents.name == "garden-coloured-0-3-latents.npz"
    with np.load(latents) as file:
        z, made = {name: file[name] for name in file if name != "settings"}, json.loads(str(file["settings"]))
    assert list(z) == ["details_8", "details_16", "details_32", "segments"]
    encoded = steered.encoded
    with torch.inference_mode():
        decoded, _ = colorizer.model.decode([torch.from_numpy(one)[None] for one in z.values()], encoded.conditions)
    torch.testing.assert_close(encoded.canvas.crop(decoded)[0], colouring.ab, atol=0.05, rtol=0)

    assert made == json.loads(settings.read_text("utf-8"))
    assert made["strength"] == 0.7 and made["source"] == "garden.png"
    again = colorizer.colorize(
        coloured.upload,
        [made["sample"]],
        made["temperature"],
        made["seed"],
        Steering(made["axes"], Hints.parse([f"50,60={made['hints'][0]['colour']}"])),
    )[0]
    painted = again.render(0.7)
    ab = np.load(chroma)
    assert (ab.shape, ab.dtype) == ((2, 150, 205), np.float32)
    lightness = read_photograph(coloured.upload).lightness
    shown = lightness_and_ab_to_rgb8(lightness, torch.from_numpy(ab)).numpy()
    assert np.abs(shown.astype(int) - painted).max() <= 1


def test_a_photograph_that_is_gone_has_no_chroma_to_export(
    coloured: Session, colorizer: Colorizer, tmp_path: Path
) -> None:
    gone = dataclasses.replace(coloured, upload=tmp_path / "gone.png")
    with pytest.raises(CinnError, match=r"gone\.png has been deleted"):
        export_for_programs(CHROMA, gone, colorizer, 1.0)
    (tmp_path / "file").touch()
    unwritable = dataclasses.replace(coloured, folder=tmp_path / "file" / "no folder")
    with pytest.raises(CinnError, match=r"settings\.json cannot be saved"):
        export_for_programs(SETTINGS, unwritable, colorizer, 1.0)


def test_the_way_leads_from_the_chosen_colouring_to_another_one(coloured: Session, colorizer: Colorizer) -> None:
    steered = coloured.draw(colorizer, 0.8, 0, Steering(hints=Hints.parse(["50,60=#a04030"])))
    later = steered.suspend().resume()  # as after undo: latents are not kept
    pictures = [np.asarray(Image.open(path), float) for path in way(later, colorizer, 1, 0.9, count=5)]
    first, last = (np.asarray(Image.open(paint(steered, index, 0.9)), float) for index in (2, 1))
    assert np.abs(pictures[0] - first).mean() < 0.5 and np.abs(pictures[-1] - last).mean() < 0.5
    apart = np.abs(first - last).mean()
    assert all(np.abs(one - other).mean() < 0.9 * apart for one, other in itertools.pairwise(pictures))
    hint = np.array([int("a0", 16), int("40", 16), int("30", 16)])
    shown = [picture[60, 50] - picture[60, 50].mean() for picture in pictures]
    assert all(np.abs(one - 0.9 * (hint - hint.mean())).max() < 25 for one in shown)  # the hint is met all the way


def test_own_colours_end_a_way_and_are_saved_as_latents(coloured: Session, colorizer: Colorizer) -> None:
    later = coloured.suspend().resume()
    pictures = [np.asarray(Image.open(path), float) for path in way(later, colorizer, 4, 1.0, count=3)]
    true = np.asarray(Image.open(coloured.upload), float)
    away = [np.abs(picture - true).mean() for picture in pictures]
    assert away[-1] < 6 and away[0] > away[1] > away[2]
    file = export_for_programs(OWN_LATENTS, later, colorizer, 1.0)
    assert file.name == "garden-own-latents.npz"
    with np.load(file) as arrays:
        saved = torch.from_numpy(arrays["segments"])
        assert json.loads(str(arrays["settings"]))["source"] == "garden.png"
    torch.testing.assert_close(saved, colorizer.encode(coloured.upload).latents[-1], atol=0.05, rtol=0.05)


def test_a_gray_photograph_has_no_own_colours_to_save(photograph: Path, tmp_path: Path, colorizer: Colorizer) -> None:
    session = Session.open(photograph, tmp_path, colorizer)
    with pytest.raises(CinnError, match="is not in colour"):
        export_for_programs(OWN_LATENTS, session, colorizer, 1.0)


def test_rows_along_the_axes_show_the_chosen_colouring_with_other_steps(
    coloured: Session, colorizer: Colorizer
) -> None:
    steered = coloured.draw(colorizer, 0.8, 0, Steering({"greener": 1.0}))
    paths = strips(steered.suspend().resume(), colorizer, 1.0)
    assert len(paths) == len(AXES) * len(ALONG) and len(set(paths)) == len(paths) - len(AXES) + 1
    pictures = [torch.from_numpy(np.array(Image.open(path))).movedim(-1, 0) / 255 for path in paths]
    a, b = np.array([rgb_to_lab(picture)[1:].mean((1, 2)).numpy() for picture in pictures]).T
    assert (np.diff(b[:5]) > 0).all()  # warmer
    assert (np.diff(a[5:10]) < 0).all()  # greener
    chosen = torch.from_numpy(np.array(Image.open(paint(steered, 2, 1.0)))).movedim(-1, 0) / 255
    present = (2, 8, 12, 17)  # no step, but for the one that is there
    assert all(float((pictures[number] - chosen).abs().mean()) < 0.01 for number in present)


def test_a_colouring_is_steered_anew_as_if_it_was_drawn_so(coloured: Session, colorizer: Colorizer) -> None:
    wanted = [Steering({"warmer": 1.0}), Steering(hints=Hints.parse(["50,60=#a04030"])), Steering()]
    drawn = coloured.colourings[2]
    for steering, steered in zip(wanted, colorizer.steer(drawn, wanted, coloured.encoded), strict=True):
        one = colorizer.colorize(coloured.encoded, [drawn.settings["sample"]], 0.8, 0, steering)[0]
        torch.testing.assert_close(steered.ab, one.ab, atol=1e-3, rtol=0)
        assert steered.settings == one.settings
    with pytest.raises(CinnError, match="not drawn from a seed"):
        colorizer.steer(colorizer.best_guess(coloured.upload), wanted)
