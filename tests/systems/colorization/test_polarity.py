"""A negative is recognised, and a photograph is not taken for one."""

import pytest
import skimage.data
import torch

from cinn_app import Colorizer
from cinn_app.systems.colorization.encoded import LOOKS_NEGATIVE
from cinn_app.systems.colorization.polarity import Polarity


def features(differences: torch.Tensor) -> list[torch.Tensor]:
    """Return features at three strides whose averages over the picture are given."""
    first, second = differences[:, :, None, None].chunk(2, 1)
    return [first, first.expand(-1, -1, 4, 4), second.expand(-1, -1, 2, 2)]


def test_the_fit_finds_what_changes_with_the_exchange_at_few_false_alarms() -> None:
    generator = torch.Generator().manual_seed(0)
    differences = torch.randn(4000, 8, generator=generator) - 2.0 * torch.eye(8)[3]
    polarity = Polarity(8)
    polarity.fit(differences[:3000], differences[3000:])
    fresh = torch.randn(4000, 8, generator=generator) - 2.0 * torch.eye(8)[3]
    false_alarms = (fresh @ polarity.weight > polarity.threshold).float().mean()
    found = (-fresh @ polarity.weight > polarity.threshold).float().mean()
    # The highest of 1,000 scores is about 3.2 deviations above their mean, -2. A threshold a tenth above it passes one
    # photograph in 2,000 and finds P(N > 1.1 * 1.2 - 2) = 0.75 of the negatives.
    assert false_alarms < 0.01
    assert 0.6 < found < 0.95


def test_scores_change_sign_but_for_the_threshold_where_light_and_dark_are_exchanged() -> None:
    polarity = Polarity(6)
    polarity.weight.copy_(torch.arange(6.0))
    polarity.threshold.fill_(0.5)
    one, other = (features(torch.randn(3, 6, generator=torch.Generator().manual_seed(seed))) for seed in (1, 2))
    torch.testing.assert_close(polarity(one, other) + 0.5, -(polarity(other, one) + 0.5))


def test_without_a_fit_or_with_few_photographs_nothing_is_a_negative() -> None:
    polarity = Polarity(6)
    polarity.fit(torch.randn(50, 6), torch.randn(50, 6))
    assert (polarity(features(torch.randn(20, 6)), features(100 * torch.randn(20, 6))) < 0).all()


@pytest.fixture(scope="module")
def colorizer() -> Colorizer:
    return Colorizer.load("colorize", "cpu")


@pytest.mark.parametrize("name", ["astronaut", "camera", "cat", "coffee", "rocket", "brick", "moon", "coins"])
def test_photographs_are_not_taken_for_negatives(colorizer: Colorizer, name: str) -> None:
    assert not colorizer.encode_photograph(getattr(skimage.data, name)()).observations


@pytest.mark.parametrize("name", ["astronaut", "camera", "cat"])
def test_negatives_score_above_photographs_and_are_said_with_the_colouring(name: str) -> None:
    colorizer = Colorizer.load("colorize", "cpu")
    colorizer.model.polarity.threshold.zero_()  # with that of the checkpoint about half of all negatives are found
    photograph = getattr(skimage.data, name)()[:300, :300]
    (right,), (wrong,) = (colorizer.colorize(picture) for picture in (photograph, 255 - photograph))
    assert LOOKS_NEGATIVE not in right.warnings
    assert LOOKS_NEGATIVE in wrong.warnings
    assert str(LOOKS_NEGATIVE) in map(str, wrong.report()["warnings"])
