"""Axes of colour: each step raises its measure, where that is plausible, and leaves the others."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer
from cinn_app.errors import CinnError
from cinn_app.systems.colorization.axes import AXES, change_along_axes
from cinn_app.systems.colorization.constraints import thing_at
from cinn_app.systems.colorization.encoded import EncodedPhotograph
from cinn_app.systems.colorization.ensemble import DRAWS, Ensemble
from cinn_app.systems.colorization.steering import Steering

NAMES = [axis.name for axis in AXES]


@pytest.fixture(scope="module")
def colorizer(tiny_checkpoint: Path) -> Colorizer:
    return Colorizer.load(tiny_checkpoint, "cpu")


@pytest.fixture(scope="module")
def encoded(colorizer: Colorizer) -> EncodedPhotograph:
    small = np.random.default_rng(5).integers(0, 256, (4, 5), dtype=np.uint8)
    return colorizer.encode_photograph(np.asarray(Image.fromarray(small).resize((96, 96), Image.Resampling.BICUBIC)))


def even_weights(ab: torch.Tensor) -> torch.Tensor:
    return torch.full(ab.shape[2:], 1 / ab.shape[2:].numel())


def measures(ab: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Return all measures of colourings: ``(batch, axes)``."""
    weights = even_weights(ab) if weights is None else weights
    return torch.stack([axis.measure(ab, weights) for axis in AXES], 1)


def synthetic(deviation: float = 8.0) -> Ensemble:
    """Draws of five things of different colours: four of them vary as wholes, and the last one, below, hardly does."""
    generator = torch.Generator().manual_seed(0)
    means = 3 * torch.tensor([[14.0, 4], [-10, 12], [2, -12], [6, 16], [9, 9]]).T
    deviations = torch.tensor([1, 1, 1, 1, 0.01]) * deviation
    colours = means + deviations * torch.randn(DRAWS, 2, 5, generator=generator)
    return Ensemble(colours[:, :, :, None].repeat_interleave(2, 2).expand(-1, -1, -1, 8))


def test_measures_in_cases_computed_by_hand() -> None:
    ab = torch.tensor([[3.0, 4.0], [-6.0, 8.0]]).T[None, :, None]  # two pixels
    torch.testing.assert_close(measures(ab), torch.tensor([[6.0, 1.5, 7.5, (4.5**2 + 2**2) ** 0.5]]))
    first = torch.tensor([[1.0, 0.0]])
    torch.testing.assert_close(measures(ab, first), torch.tensor([[4.0, -3.0, 5.0, 0.0]]), atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_step_raises_its_measure_and_nearly_leaves_the_others(name: str) -> None:
    ensemble, own = synthetic(), NAMES.index(name)
    before = measures(ensemble.ab)
    after = measures(ensemble.ab + change_along_axes(ensemble, {name: 1.0}))
    moved = ((after - before) / before.std(0)).mean(0)
    assert 0.5 < moved[own] < 1.1
    for number, name in enumerate(NAMES):
        if number != own:  # things of different hues are more varied if they are more vivid
            go_together = {name, NAMES[own]} == {"more vivid", "more varied"}
            assert moved[number].abs() < (1 if go_together else 0.3) * moved[own]


def test_what_is_certain_does_not_change() -> None:
    for name in NAMES:
        change = change_along_axes(synthetic(), {name: 2.0}).norm(dim=0)
        assert change[8:].max() < 0.02 * change[:8].mean() and change[:8].mean() > 2


def test_steps_are_proportional_and_add_up() -> None:
    ensemble = synthetic()
    warmer, greener = (change_along_axes(ensemble, {name: 1.0}) for name in ("warmer", "greener"))
    both = change_along_axes(ensemble, {"warmer": -2.0, "greener": 0.5})
    torch.testing.assert_close(both, -2 * warmer + 0.5 * greener, atol=1e-4, rtol=0)
    assert change_along_axes(ensemble, {}).abs().max() == 0


def test_a_step_shows_even_if_draws_hardly_differ() -> None:
    """Then a step changes colours by 3 Lab units, root mean square; else by what the draws say."""
    ensemble = synthetic()
    calm = Ensemble(ensemble.ab.mean(0) + (ensemble.ab - ensemble.ab.mean(0)) / 20)
    for name in NAMES:
        few, many = (
            float(change_along_axes(some, {name: 1.0}).square().sum(0).mean().sqrt()) for some in (calm, ensemble)
        )
        assert few == pytest.approx(3, rel=0.01) and few < 1.01 * many


@pytest.mark.parametrize("own", [0, 1], ids=NAMES[:2])
def test_a_step_along_an_axis_has_the_effect_of_its_name_in_a_photograph(
    colorizer: Colorizer, encoded: EncodedPhotograph, own: int
) -> None:
    drawn = [
        colorizer.colorize(encoded, 2, seed=1, steering=Steering(axes={NAMES[own]: step})) for step in (-1.0, 0.0, 1.0)
    ]
    back, stay, on = (measures(torch.stack([one.ab for one in some])) for some in drawn)
    assert (back[:, own] < stay[:, own]).all() and (stay[:, own] < on[:, own]).all()
    other = 1 - own
    assert ((on - stay)[:, other].abs() < 0.2 * (on - stay)[:, own]).all()


def test_a_step_for_one_thing_changes_it_more_than_the_rest(colorizer: Colorizer, encoded: EncodedPhotograph) -> None:
    mask = thing_at(encoded, (20, 70))
    weights = mask / mask.sum()
    (free,) = colorizer.colorize(encoded, seed=1)
    (all_of_it,), (thing,) = (
        colorizer.colorize(encoded, seed=1, steering=Steering(axes={"warmer": 2.0}, thing=place))
        for place in (None, (20, 70))
    )
    moved = [(one.ab - free.ab)[1] for one in (all_of_it, thing)]
    inside, outside = ([float((part * where).sum() / where.sum()) for part in moved] for where in (weights, 1 - mask))
    assert inside[1] > 1
    assert outside[1] / inside[1] < outside[0] / inside[0]
    assert thing.settings["thing"] == [20.0, 70.0] and "thing" not in all_of_it.settings
    with pytest.raises(CinnError, match="The thing at 96,10 is outside the picture of 96 x 96 pixels"):
        colorizer.colorize(encoded, steering=Steering(axes={"warmer": 1.0}, thing=(96, 10)))


def test_axes_can_be_given_by_number(colorizer: Colorizer, encoded: EncodedPhotograph) -> None:
    assert [axis.name for axis in colorizer.axes] == NAMES
    by_name, by_number, by_text = (
        colorizer.colorize(encoded, steering=Steering(axes={key: 0.5}))[0].ab for key in (NAMES[0], 1, "1")
    )
    torch.testing.assert_close(by_name, by_number, atol=1e-3, rtol=0)
    torch.testing.assert_close(by_name, by_text, atol=1e-3, rtol=0)


def test_unknown_axes_and_steps_out_of_range_are_refused(colorizer: Colorizer, encoded: EncodedPhotograph) -> None:
    for refuse in (lambda steering: colorizer.colorize(encoded, steering=steering), colorizer.check):
        with pytest.raises(CinnError, match=r"no axis 'blurrier': choose one of 1 warmer, 2 greener, 3 more vivid"):
            refuse(Steering(axes={"blurrier": 1}))
        for step in (3.5, -4, float("nan")):
            with pytest.raises(CinnError, match="out of range"):
                refuse(Steering(axes={1: step}))
        with pytest.raises(CinnError, match="given twice"):
            refuse(Steering(axes={1: 1, "warmer": 1}))
