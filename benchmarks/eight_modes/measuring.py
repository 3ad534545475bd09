"""The figures of a contestant: how its samples of each label differ from the true posterior."""

from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.metrics.mmd import unbiased_mmd
from cinn_app.systems.inverse_problems.problems.eight_modes import CENTRES, DEVIATION, nearest_mode
from eight_modes.contestant import Contestant
from eight_modes.labellings import SCALE, Labelling

__all__ = ["DRAWS", "Scores", "draw_all", "label_error", "measure"]

#: Draws for each labelling, spread over its labels.
DRAWS = 6000
#: Kernel widths of the figure, in the points' units: the paper's.
WIDTHS = (0.05, 0.2, 0.9)
#: A mode is found if it has at least this share of its due samples within 3 deviations; a sample beyond 4 of each mode
#: of its label is stray.
FOUND, NEAR, STRAY = 0.5, 3 * DEVIATION, 4 * DEVIATION


class Scores(NamedTuple):
    """Figures of one labelling.

    Attributes:
        mmd: squared, of the samples of a label and its true posterior, averaged over labels.
        modes: how many of the eight are found under their label.
        wrong: share of samples nearest to a mode of another label.
        stray: share of samples farther than 4 deviations from each mode of their label.
        label_error: share of simulated points with a wrongly predicted label, ``None`` without a forward process.
    """

    mmd: float
    modes: int
    wrong: float
    stray: float
    label_error: float | None = None


@torch.no_grad()
def draw_all(contestant: Contestant, labelling: Labelling, seed: int = 1) -> list[Tensor]:
    """Draw as many points for each label, in the problem's units: a list of ``(count, 2)``."""
    codes = labelling.codes
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [SCALE * contestant.sample(code.expand(DRAWS // len(codes), -1)) for code in codes]


def measure(samples: list[Tensor], labelling: Labelling) -> Scores:
    """Compare samples of each label with its true posterior; the label error is left out."""
    generator = torch.Generator().manual_seed(7)
    found, mmds, wrong, stray = 0, [], [], []
    for label, x in enumerate(samples):
        modes = labelling.modes(label)
        distances = torch.cdist(x, CENTRES[modes])
        mmds.append(unbiased_mmd(x, labelling.posterior(label, len(x), generator), WIDTHS))
        found += int(((distances < NEAR).float().mean(0) > FOUND / len(modes)).sum())
        wrong.append((~torch.isin(nearest_mode(x), modes)).float().mean().item())
        stray.append((distances.amin(1) > STRAY).float().mean().item())
    count = len(samples)
    return Scores(sum(mmds) / count, found, sum(wrong) / count, sum(stray) / count)


@torch.no_grad()
def label_error(contestant: Contestant, labelling: Labelling, x: Tensor) -> float | None:
    """Return the share of scaled points for which another label scores best, if the contestant scores labels at all."""
    scores = contestant.label_scores(x, labelling.codes)
    if scores is None:
        return None
    return (scores.argmax(1) != torch.tensor(labelling.labels)[nearest_mode(SCALE * x)]).float().mean().item()
