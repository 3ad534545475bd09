"""The three labellings of the eight modes, and their true posteriors."""

from typing import NamedTuple

import torch
from torch import Tensor

from cinn_app.systems.inverse_problems.problem import load_problem
from cinn_app.systems.inverse_problems.problems import eight_modes, eight_modes_none, eight_modes_some

__all__ = ["LABELLINGS", "SCALE", "Labelling"]

#: Contestants see points divided by it, their standard deviation.
SCALE = 1.86


class Labelling(NamedTuple):
    """One of the three problems.

    Attributes:
        problem: its name.
        labels: of the eight modes.
    """

    problem: str
    labels: tuple[int, ...]

    @property
    def codes(self) -> Tensor:
        """The one-hot codes of all labels, without noise: what is observed, ``(labels, labels)``."""
        return torch.eye(max(self.labels) + 1)

    def simulate(self, count: int, seed: int) -> tuple[Tensor, Tensor]:
        """Return points ``(count, 2)``, scaled, and their measured labels ``(count, labels)``."""
        x, y = load_problem(self.problem).draw(count, torch.Generator().manual_seed(seed))
        return x / SCALE, y

    def modes(self, label: int) -> Tensor:
        """Return the numbers of the modes that have a label."""
        return (torch.tensor(self.labels) == label).nonzero().flatten()

    def posterior(self, label: int, count: int, generator: torch.Generator) -> Tensor:
        """Draw from the true posterior of a label, ``(count, 2)``: its modes are as probable as each other."""
        modes = self.modes(label)
        chosen = modes[torch.randint(len(modes), (count,), generator=generator)]
        return eight_modes.CENTRES[chosen] + eight_modes.DEVIATION * torch.randn(count, 2, generator=generator)


LABELLINGS = {
    "all": Labelling("eight_modes", eight_modes.LABELS),
    "some": Labelling("eight_modes_some", eight_modes_some.LABELS),
    "none": Labelling("eight_modes_none", eight_modes_none.LABELS),
}
