"""The work behind the panels of the digits tab, without a page."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pixels import assert_same_pixels

from cinn_app import DigitGenerator, __version__
from cinn_app.errors import CinnError
from cinn_app.imaging import read_provenance
from cinn_app.limits import MAX_STEP
from cinn_app.systems.digits.generator import Restyled
from cinn_app.systems.digits.studio.controls import FRAMES, Controls, draw, film_file, film_name, transition
from cinn_app.systems.digits.studio.handwriting_panel import KEPT, STEPS, recognition, similar_handwritings
from cinn_app.systems.digits.studio.map_panel import SIDE, Plane

MARKED = {"seed": 4, "temperature": 0.7, "axes": {"slant": 1.5}, "frames": FRAMES}


@pytest.fixture(scope="module")
def generator(tiny_digits_checkpoint: Path) -> DigitGenerator:
    return DigitGenerator.load(tiny_digits_checkpoint, "cpu")


@pytest.fixture(scope="module")
def drawings(generator: DigitGenerator) -> list[Restyled]:
    """Two digits in two handwritings."""
    return [generator.restyle(generator.sample([label], seed=label)[0, 0], label) for label in (3, 7)]


@pytest.mark.parametrize("format", ["gif", "webp"])
def test_a_film_goes_there_and_back_and_records_its_settings(generator: DigitGenerator, format: str) -> None:
    controls = Controls(None, False, 0.7, 4, (1.5,))
    encoded = film_file(generator, controls, (11, 52), format)
    shown, seconds = [], 0.0
    with Image.open(io.BytesIO(encoded)) as film:
        assert (film.format, film.size, film.info["loop"]) == (format.upper(), (224, 224), 0)
        for frame in range(film.n_frames):  # type: ignore[attr-defined]
            film.seek(frame)
            shown.append(np.asarray(film.convert("L"), float))
            seconds += film.info["duration"] / 1000
    # Where the way hardly moves, a GIF has one longer frame in place of several.
    assert seconds == pytest.approx(2 * (FRAMES - 2) * 0.08 + 2 * 0.8)
    ends = 255 - draw(generator, controls).flatten(0, 1)[[11, 52]]
    first, second = (Image.fromarray(end.numpy()).resize((224, 224), Image.Resampling.BICUBIC) for end in ends)
    away = [[np.abs(frame - np.asarray(end)).mean() for frame in shown] for end in (first, second)]
    assert np.argmin(away[0]) == 0 and away[0][0] < 3
    assert 0 < np.argmin(away[1]) < len(shown) - 1 and min(away[1]) < 3
    mark = read_provenance(io.BytesIO(encoded))
    assert mark is not None and mark.items() >= MARKED.items()
    assert (mark["from"], mark["to"]) == ({"label": 1, "sample": 5}, {"label": 8, "sample": 4})
    assert (mark["program"], mark["weights"]) == (f"cinn_app {__version__}", generator.checkpoint.digest[:12])


def test_the_record_of_a_film_makes_it_again(generator: DigitGenerator) -> None:
    controls = Controls(7, True, 0.7, 4, (0, -1))
    mark = read_provenance(io.BytesIO(film_file(generator, controls, (3, 41), "webp")))
    assert mark is not None
    latents = generator.move(generator.draw(42, mark["temperature"], mark["seed"]), mark["axes"], mark["axes_within"])
    first, last = (latents[mark[end]["sample"]] for end in ("from", "to"))
    again = generator.interpolate(first, last, (mark["from"]["label"], mark["to"]["label"]), mark["frames"])
    assert_same_pixels(again, transition(generator, controls, (3, 41), FRAMES))


def test_a_film_is_named_after_what_made_it(generator: DigitGenerator) -> None:
    assert film_name(generator, Controls(None, False, 0.8, 3, (1.5,)), (0, 59), "gif") == (
        "film-0-to-9-seed3-t0.8-slant+1.5.gif"
    )
    assert film_name(generator, Controls(7, False, 0.8, 3, ()), (1, 2), "webp") == "film-7-to-7-seed3-t0.8.webp"


def test_the_map_has_each_handwriting_where_its_axes_say(generator: DigitGenerator) -> None:
    picture = Plane(across=2, up=5, label=4).draw(generator)
    assert picture.shape == (SIDE * 28, SIDE * 28)
    tiles = picture.unfold(0, 28, 28).unfold(1, 28, 28)
    middle = torch.zeros(1, 784)
    for row, column, steps in (
        (4, 4, {}),
        (0, 4, {5: MAX_STEP}),
        (4, 8, {2: MAX_STEP}),
        (8, 0, {2: -MAX_STEP, 5: -MAX_STEP}),
    ):
        expected = generator.decode(generator.move(middle, steps), 4)[0]
        assert_same_pixels(tiles[row, column], expected)


def test_the_place_on_the_map_is_written_as_all_ten(generator: DigitGenerator) -> None:
    plane = Plane(across=2, up=5).at(1.25, -0.5)
    latent = generator.move(torch.zeros(784), {2: 1.25, 5: -0.5})
    assert_same_pixels(plane.write(generator), generator.all_ten(latent[None])[0])
    assert plane.project(generator, latent) == pytest.approx(plane.place, abs=0.3)  # the tests' axes are not orthogonal
    assert Plane().at(99, -99).place == (MAX_STEP, -MAX_STEP)
    assert Plane().at(None, float("nan")).place == Plane().at("left", []).place == (0, 0)


def test_the_two_axes_of_the_map_always_differ() -> None:
    plane = Plane(across=1, up=2).at(1, 1)
    assert plane.with_axes(1, 2) == plane  # the place stays
    assert plane.with_axes(3, 2) == Plane(across=3, up=2)
    assert plane.with_axes(2, 2) == Plane(across=2, up=1)
    assert plane.with_axes(1, 1) == Plane(across=2, up=1)


def test_similar_handwritings_are_steps_along_an_axis_around_the_own(
    generator: DigitGenerator, drawings: list[Restyled]
) -> None:
    own = drawings[0]
    images, names = similar_handwritings(generator, own, along=2)
    assert images.shape == (len(STEPS), 10, 28, 28)
    assert_same_pixels(images[names.index("yours")], own.images)
    assert_same_pixels(images[-1, 6], generator.decode(generator.move(own.latent[None], {2: STEPS[-1]}), 6)[0])
    with pytest.raises(CinnError, match="There is no axis 13"):
        similar_handwritings(generator, own, along=13)


def test_similar_handwritings_lead_from_a_kept_one_to_the_own(
    generator: DigitGenerator, drawings: list[Restyled]
) -> None:
    kept, own = drawings
    images, names = similar_handwritings(generator, own, KEPT, kept)
    assert (names[0], names[-1]) == ("kept", "yours")
    for expected, found in ((kept.images, images[0]), (own.images, images[-1])):
        assert (expected.int() - found.int()).abs().max() <= 1
    halves = generator.interpolate(kept.latent, own.latent, (5, 5), 5)
    assert (images[:, 5].int() - halves.int()).abs().max() <= 1


@pytest.mark.parametrize(
    ("label", "doubtful", "result"),
    [
        (
            8,
            False,
            "<b>Recognised as 8</b>, 75.0\N{NO-BREAK SPACE}% sure; the next best is 3, 25.0",
        ),
        (3, False, "<b>Taken as 3</b>, as you say. The model recognises 8, 75.0\N{NO-BREAK SPACE}% sure; the next"),
        (8, True, "<b>Taken as 8</b>, but it hardly looks like it. Draw one digit alone, clearly."),
    ],
)
def test_a_recognition_says_how_sure_it_is_or_its_doubt(label: int, doubtful: bool, result: str) -> None:
    probabilities = torch.zeros(10)
    probabilities[[8, 3]] = torch.tensor([0.75, 0.25])
    blank = torch.zeros(10, 28, 28, dtype=torch.uint8)
    markup = recognition(blank[0], Restyled(label, probabilities, torch.zeros(784), blank, doubtful), 0.4)
    assert result in markup
    assert ("cannot tell that a drawing is no digit" in markup) == doubtful
    assert "40.0\N{NO-BREAK SPACE}% of the model's own digits are less typical" in markup
    bars = [part.split("%")[0] for part in markup.split("width: ")[1:]]
    assert [float(bar) for bar in bars] == [0, 0, 0, 25, 0, 0, 0, 0, 75, 0]
    assert markup.count('class="taken"') == 1 and f'class="taken"><b>{label}</b>' in markup
