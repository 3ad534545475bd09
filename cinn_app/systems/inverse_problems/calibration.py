r"""How far a posterior may be trusted, measured on simulations whose true parameters are known.

* **Simulation-based calibration** (Talts et al. 2018, arXiv 1804.06788): the rank of a true parameter among draws from
  its posterior is uniform.
* **Expected coverage** (Hermans et al. 2022, arXiv 2110.06581): the region of highest density with probability
  :math:`q` holds the true parameters in a share :math:`q` of cases.
* **Calibration error** (Ardizzone et al. 2019, arXiv 1808.04730): the median over :math:`q` of the difference between
  the two, for central intervals of single parameters.
* **Re-simulation error**: the distance of a measurement from the simulated measurements of parameters drawn from its
  posterior. The true parameters are one draw from the exact posterior, so for that it equals the distance of two
  simulations of the true parameters.
"""

import dataclasses
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from cinn_app.messages import Message
from cinn_app.metrics.calibration import coverage as central_coverage
from cinn_app.metrics.calibration import rank_histogram

__all__ = ["LEVELS", "Calibration", "Grade", "Verdict", "calibrate", "chance_band", "density_ranks"]

#: Trust the posterior; trust the marginals, or some of them, and no more; trust nothing.
Grade: TypeAlias = Literal["trust", "marginals", "nothing"]

#: Probabilities of the regions whose coverage is measured.
LEVELS = np.linspace(0.01, 0.99, 99)
#: Probability with which the curves of an exact posterior stay inside the band.
CONFIDENCE = 0.95
#: Deviations up to this are tolerated even where chance does not explain them.
TOLERANCE = 0.05
#: Share of the measurements' variation that a posterior may leave unexplained.
UNEXPLAINED = 0.1
#: With more than this, it has learnt so little that its marginals are hardly more than the prior's.
MOST = 0.5
#: Other simulations that each measurement is compared with.
SHIFTS = 20
#: Names that a sentence lists, and faults that are explained.
LISTED = 5


class Verdict(NamedTuple):
    """How far a posterior may be trusted.

    Attributes:
        grade: in one word.
        sentences: what that means, and then each fault that was found.
    """

    grade: Grade
    sentences: list[Message]


@dataclasses.dataclass(frozen=True)
class Calibration:
    """What the checks of a posterior measured.

    Attributes:
        parameters: names of the D parameters.
        checks: how many simulations were compared.
        histograms: how often the truth has each rank among K draws, ``(D, K + 1)``.
        coverage: share of truths inside the central interval of each of :data:`LEVELS`, ``(D, 99)``.
        density: how often the truth has each rank by density, from the most probable on, ``(K + 1,)``; ``None`` for a
            model without a density.
        resimulated: root mean square distance of re-simulated from given measurements, in standard deviations of the
            measurements over the prior.
        floor: the same for two simulations of the true parameters.
        unrelated: the same for simulations of unrelated parameters.
        uncertainty: standard error of the difference of the squares of the first two.
    """

    parameters: tuple[str, ...]
    checks: int
    histograms: np.ndarray
    coverage: np.ndarray
    density: np.ndarray | None
    resimulated: float
    floor: float
    unrelated: float
    uncertainty: float

    @property
    def errors(self) -> np.ndarray:
        """The calibration error of each parameter, ``(D,)``."""
        errors: np.ndarray = np.median(np.abs(self.coverage - LEVELS), axis=1)
        return errors

    @property
    def density_coverage(self) -> np.ndarray | None:
        """Share of truths inside the region of highest density of each of :data:`LEVELS`, ``(99,)``."""
        return None if self.density is None else cumulative(self.density, LEVELS)

    @property
    def unexplained(self) -> float:
        """Share of the measurements' variation that is left unexplained: 0 by an exact posterior, 1 by the prior."""
        return max(0.0, self.resimulated**2 - self.floor**2) / self._explainable

    @property
    def _explainable(self) -> float:
        return max(self.unrelated**2 - self.floor**2, 1e-12)

    def figures(self) -> dict[str, float]:
        """Return the figures by name."""
        covered = self.density_coverage
        joint = (
            {}
            if covered is None
            else {
                "expected_coverage_50": float(np.interp(0.5, LEVELS, covered)),
                "expected_coverage_90": float(np.interp(0.9, LEVELS, covered)),
            }
        )
        return {
            "calibration_error": float(self.errors.mean()),
            "largest_calibration_error": float(self.errors.max()),
            "rank_deviation": float(self._deviations().max()),
            "chance_deviation": chance_band(self.checks, len(self.parameters)),
            **joint,
            "resimulation_error": self.resimulated,
            "resimulation_floor": self.floor,
            "unexplained": self.unexplained,
        }

    def verdict(self) -> Verdict:
        """Say how far the posterior may be trusted, and in plain words why."""
        deviations = self._deviations()
        allowed = max(TOLERANCE, chance_band(self.checks, len(self.parameters)))
        wrong = [int(number) for number in np.argsort(-deviations) if deviations[number] > allowed]
        right = [name for number, name in enumerate(self.parameters) if number not in wrong]
        faults = [*map(self._fault_of, wrong[:LISTED]), *self._faults_of_regions(), *self._faults_of_resimulation()]
        advice = Message("train longer, or with more simulations")
        if not faults:
            meaning = Message(
                "The posterior may be trusted: in {checks:,} simulations the truth was where it should be, within what "
                "chance or a deviation of {tolerance:.0%} explains.",
                checks=self.checks,
                tolerance=TOLERANCE,
            )
            return Verdict("trust", [meaning])
        if not right or len(self.parameters) == 1 or self.unexplained > MOST:
            meaning = Message("The posterior should not be trusted yet: {advice}.", advice=advice)
            return Verdict("nothing", [meaning, *faults])
        if wrong:
            meaning = Message(
                "Trust the marginals of {names}, but neither the others nor how parameters go together: {advice}.",
                names=_listed(right),
                advice=advice,
            )
        else:
            meaning = Message(
                "Trust the marginals, each parameter by itself, but not how parameters go together: {advice}.",
                advice=advice,
            )
        return Verdict("marginals", [meaning, *faults])

    def _deviations(self) -> np.ndarray:
        """Return the Kolmogorov distance of each parameter's ranks from uniform ones, ``(D,)``."""
        deviations: np.ndarray = np.array([deviation(histogram) for histogram in self.histograms])
        return deviations

    def _fault_of(self, number: int) -> Message:
        """Say what is wrong with the marginal of a parameter."""
        histogram, name = self.histograms[number], self.parameters[number]
        above = 1 - float(cumulative(histogram, np.array([0.5]))[0])
        inside = central_coverage(histogram, 0.9)
        if abs(above - 0.5) > abs(inside - 0.9):
            return Message(
                "{name} is shifted: the truth lies above the middle of its posterior in {above:.0%} of cases.",
                name=name,
                above=above,
            )
        return _spread(name, inside)

    def _faults_of_regions(self) -> list[Message]:
        if self.density is None or deviation(self.density) <= max(TOLERANCE, chance_band(self.checks)):
            return []
        return [_spread(Message("The posterior as a whole"), float(cumulative(self.density, np.array([0.9]))[0]))]

    def _faults_of_resimulation(self) -> list[Message]:
        if self.unexplained - 2 * self.uncertainty / self._explainable <= UNEXPLAINED:
            return []
        return [
            Message(
                "Its parameters do not reproduce the measurements: they leave {share:.0%} of their variation "
                "unexplained, where an exact posterior leaves 0%.",
                share=self.unexplained,
            )
        ]


def calibrate(
    parameters: Sequence[str],
    truth: Tensor,
    samples: Tensor,
    density: np.ndarray | None,
    measured: Tensor,
    resimulated: Tensor,
    again: Tensor,
) -> Calibration:
    """Compare true parameters with draws from their posteriors, and measurements with re-simulated ones.

    Args:
        parameters: names.
        truth: ``(N, D)``.
        samples: ``(N, K, D)``.
        density: from :func:`density_ranks`, or ``None``.
        measured: some of the measurements, scaled to mean 0 and variance 1, ``(R, M)``.
        resimulated: simulated with one draw for each, ``(R, M)``.
        again: simulated with the true parameters, ``(R, M)``.
    """
    histograms = rank_histogram(samples.permute(1, 2, 0), truth.T)
    covered = np.array([[central_coverage(histogram, level) for level in LEVELS] for histogram in histograms])
    drawn, true = _squares(measured, resimulated), _squares(measured, again)
    shifts = range(1, min(SHIFTS, len(measured) - 1) + 1)
    unrelated = torch.stack([_squares(measured, measured.roll(shift, 0)) for shift in shifts])
    return Calibration(
        tuple(parameters),
        len(truth),
        histograms,
        covered,
        density,
        float(drawn.mean().sqrt()),
        float(true.mean().sqrt()),
        float(unrelated.mean().sqrt()),
        float((drawn - true).std() / len(drawn) ** 0.5),
    )


def density_ranks(of_samples: Tensor, of_truth: Tensor) -> np.ndarray:
    """Compute how often the truth has each rank by its density, from the most probable of all on.

    Args:
        of_samples: log-densities of draws, ``(N, K)``.
        of_truth: those of the true parameters, ``(N,)``.

    Returns:
        Frequencies that add up to 1, ``(K + 1,)``.
    """
    more_probable = (of_samples > of_truth[:, None]).sum(1)
    frequencies: np.ndarray = (torch.bincount(more_probable, minlength=of_samples.shape[1] + 1) / len(of_truth)).numpy()
    return frequencies


def cumulative(histogram: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Return the share of ranks below points in 0..1; a rank is uniform over the probabilities up to the next rank."""
    known = np.linspace(0, 1, len(histogram) + 1)
    return np.interp(points, known, np.concatenate([[0.0], np.cumsum(histogram)]))


def deviation(histogram: np.ndarray) -> float:
    """Return the Kolmogorov distance of ranks from uniform ones: the largest difference of cumulative shares."""
    points = np.linspace(0, 1, len(histogram) + 1)
    return float(np.abs(cumulative(histogram, points) - points).max())


def chance_band(checks: int, curves: int = 1) -> float:
    """Return how far cumulative shares of exact ranks stray by chance, at most, with a probability of 95%.

    Args:
        checks: number of ranks.
        curves: how many parameters are judged together.

    >>> round(chance_band(1000), 3)
    0.043
    """
    return float(stats.kstwobign.ppf(1 - (1 - CONFIDENCE) / curves) / np.sqrt(checks))


def _spread(name: str, inside: float) -> Message:
    if inside < 0.9:
        return Message("{name} is too sure: its regions of 90% hold the truth in {inside:.0%} of cases.", **locals())
    return Message("{name} is too unsure: its regions of 90% hold the truth in {inside:.0%} of cases.", **locals())


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def _squares(first: Tensor, second: Tensor) -> Tensor:
    """Return the mean square difference of each row."""
    return (first - second).double().square().mean(1)
