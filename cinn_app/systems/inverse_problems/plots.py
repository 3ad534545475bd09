"""Pictures of posteriors and of their calibration, as figures of matplotlib that no window shows."""

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from torch import Tensor

from cinn_app.errors import ProblemError
from cinn_app.extras import require_extra
from cinn_app.files import writing
from cinn_app.systems.inverse_problems.calibration import LEVELS, Calibration, chance_band, cumulative
from cinn_app.systems.inverse_problems.problem import Quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["PLOT_SUFFIXES", "check_plot", "marginals", "pair_plot", "plot_calibration", "save_plot"]

PLOT_SUFFIXES = (".png", ".pdf", ".svg")
#: Parameters in a pair plot, and observations in a plot of marginals; the first ones.
MAX_PAIRS, MAX_OBSERVATIONS = 8, 10
#: Bins of histograms, in one and in two dimensions, and the width of the smoothing of the latter and of the prior.
BINS, BINS_2D, SMOOTHING, SMOOTHING_PRIOR = 50, 48, 1.2, 3.0
#: Probabilities inside the contours.
CONTOURS = (0.9, 0.5)

PRIOR, POSTERIOR, TRUTH = "#c8c8c8", "#00796b", "#c62828"
COLOURS = (POSTERIOR, "#e65100", "#283593", "#ad1457", "#558b2f", "#6d4c41", "#00838f", "#6a1b9a", "#f9a825", "#37474f")


def pair_plot(
    samples: Tensor, parameters: Sequence[Quantity], prior: Tensor | None = None, truth: Tensor | None = None
) -> "Figure":
    """Plot marginals on the diagonal, contours of pairs below it, correlations above it.

    Args:
        samples: of one posterior, ``(count, D)``; of many parameters the first eight are shown.
        parameters: with names and units.
        prior: draws, shown in gray behind the marginals, ``(count, D)``.
        truth: the true parameters, ``(D,)``.
    """
    shown = min(len(parameters), MAX_PAIRS)
    side = 1.0 + 1.7 * shown
    figure = _figure(side, side, layout=None)  # with many axes the automatic layout takes seconds
    axes = figure.subplots(shown, shown, squeeze=False)
    figure.subplots_adjust(left=0.8 / side, bottom=0.6 / side, right=1 - 0.1 / side, top=1 - 0.45 / side)
    figure.text(1 - 0.1 / side, 1 - 0.27 / side, _legend(len(samples), shown, prior), ha="right", fontsize=8)
    draws = samples.numpy()
    limits = [_limits(draws[:, number], truth, number) for number in range(shown)]
    ranges = [_inside(*pair) for pair in zip(limits, parameters, strict=False)]
    for row in range(shown):
        for column in range(shown):
            axis = axes[row, column]
            axis.tick_params(labelsize=7)
            axis.set_xlim(*limits[column])
            if row == column:
                _marginal(axis, draws[:, row], ranges[row], prior, truth, row)
            elif row > column:
                axis.set_ylim(*limits[row])
                _contours(axis, draws[:, column], draws[:, row], ranges[column], ranges[row])
                if truth is not None:
                    axis.plot(float(truth[column]), float(truth[row]), "+", color=TRUTH, markersize=9)
            else:
                axis.set_axis_off()
                correlation = _correlation(draws[:, column], draws[:, row])
                axis.text(
                    0.5,
                    0.5,
                    f"{correlation:+.2f}",
                    transform=axis.transAxes,
                    ha="center",
                    va="center",
                    fontsize=9 + 7 * abs(correlation),
                )
            if row < shown - 1:
                axis.set_xticklabels([])
            else:
                axis.set_xlabel(_wrapped(parameters[column].label), fontsize=9)
            if column and row != column:
                axis.set_yticklabels([])
            elif row != column:
                axis.set_ylabel(_wrapped(parameters[row].label), fontsize=9)
    return figure


def marginals(
    samples: Tensor,
    parameters: Sequence[Quantity],
    prior: Tensor | None = None,
    truth: Tensor | None = None,
    labels: Sequence[str] = (),
) -> "Figure":
    """Plot the marginals of one or several posteriors over the prior.

    Args:
        samples: ``(count, D)``, or of several observations ``(B, count, D)``, of which the first ten are shown.
        parameters: with names and units.
        prior: draws, shown in gray, ``(count, D)``.
        truth: the true parameters, ``(D,)`` or ``(B, D)``.
        labels: of the observations.
    """
    several = samples.reshape(-1, *samples.shape[-2:])[:MAX_OBSERVATIONS].numpy()
    truths = None if truth is None else truth.reshape(-1, truth.shape[-1])
    columns = min(4, len(parameters))
    rows = -(-len(parameters) // columns)
    figure = _figure(0.6 + 2.9 * columns, 0.5 + 2.2 * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for number, (axis, quantity) in enumerate(zip(axes, parameters, strict=False)):
        behind = np.zeros(0) if prior is None else prior[:, number].numpy()
        limits = _limits(np.concatenate([several[..., number].ravel(), behind]), truths, number)
        for index, draws in enumerate(several):
            own = None if truths is None else truths[min(index, len(truths) - 1)]
            colour = COLOURS[index % len(COLOURS)]
            true = TRUTH if len(several) == 1 else colour
            inside = _inside(limits, quantity)
            _marginal(axis, draws[:, number], inside, None if index else prior, own, number, colour, true)
        axis.set_xlabel(_escaped(quantity.label), fontsize=9)
        axis.tick_params(labelsize=7)
        axis.set_xlim(*limits)
    for axis in axes[len(parameters) :]:
        axis.set_axis_off()
    if labels:
        from matplotlib.lines import Line2D

        shown = list(labels[: len(several)])
        lines = [Line2D([], [], color=COLOURS[index % len(COLOURS)]) for index in range(len(shown))]
        figure.legend(lines, shown, loc="outside upper center", ncols=min(5, len(shown)), fontsize=8, frameon=False)
    return figure


def plot_calibration(checked: Calibration) -> "Figure":
    """Plot the ranks, the expected coverage with what chance explains, and the re-simulation error, side by side."""
    figure = _figure(13.0, 4.2)
    ranks, covered, again = figure.subplots(1, 3, width_ratios=[1.3, 1.3, 1])
    _plot_ranks(ranks, checked)
    _plot_coverage(covered, checked)
    bars = {"drawn\nparameters": checked.resimulated, "true\nparameters": checked.floor, "prior": checked.unrelated}
    again.bar(range(3), list(bars.values()), color=[POSTERIOR, TRUTH, PRIOR], width=0.6)
    for place, value in enumerate(bars.values()):
        again.text(place, value, f"{value:.3g}", ha="center", va="bottom", fontsize=9)
    again.set_xticks(range(3), list(bars))
    again.set_title("Re-simulation error", fontsize=11)
    again.set_ylabel("in standard deviations of the measurements")
    return figure


def check_plot(path: Path) -> None:
    """Check, before the work, that a plot can be written to a file.

    Raises:
        ProblemError: if its suffix is unknown.
        MissingExtraError: if matplotlib is missing.
    """
    if path.suffix.lower() not in PLOT_SUFFIXES:
        raise ProblemError(
            "{path} does not end like a plot: name it with one of {known}.",
            path=path,
            known=", ".join(PLOT_SUFFIXES),
        )
    require_extra("plots", "A plot")


def save_plot(figure: "Figure", path: Path) -> None:
    """Write a figure, whole or not at all.

    Raises:
        ProblemError: if the file cannot be written.
    """
    with writing(path, ProblemError) as file:
        figure.savefig(file, format=path.suffix.lower()[1:], dpi=130)


def _plot_ranks(axis: "Axes", checked: Calibration) -> None:
    """Plot how far the cumulative ranks of each parameter are from uniform ones."""
    points = np.linspace(0, 1, checked.histograms.shape[1] + 1)
    band = chance_band(checked.checks, len(checked.parameters))
    axis.axhspan(-band, band, color=PRIOR, alpha=0.5, label="chance")
    for number, (name, histogram) in enumerate(zip(checked.parameters, checked.histograms, strict=True)):
        shown = _escaped(name) if number < 8 else None
        axis.plot(points, cumulative(histogram, points) - points, color=COLOURS[number % len(COLOURS)], label=shown)
    axis.axhline(0, color="black", linewidth=0.5)
    axis.set_xlabel("rank of the truth among draws, as a share")
    axis.set_ylabel("cumulative share, minus the uniform one")
    axis.set_title("Simulation-based calibration", fontsize=11)
    axis.legend(fontsize=8)


def _plot_coverage(axis: "Axes", checked: Calibration) -> None:
    band = chance_band(checked.checks)
    axis.fill_between(LEVELS, LEVELS - band, LEVELS + band, color=PRIOR, alpha=0.5, label="chance")
    axis.plot([0, 1], [0, 1], color="black", linewidth=0.5)
    if checked.density_coverage is not None:
        axis.plot(LEVELS, checked.density_coverage, color=POSTERIOR, label="regions of highest density")
    axis.plot(LEVELS, checked.coverage.mean(0), "--", color=COLOURS[1], label="intervals of one parameter, mean")
    axis.set_xlim(0, 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("probability of the region")
    axis.set_ylabel("share of truths inside")
    axis.set_title(f"Expected coverage; calibration error {checked.errors.mean():.1%}", fontsize=11)
    axis.legend(fontsize=8)


def _figure(width: float, height: float, layout: Literal["constrained"] | None = "constrained") -> "Figure":
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout=layout)


def _marginal(
    axis: "Axes",
    draws: np.ndarray,
    limits: tuple[float, float],
    prior: Tensor | None,
    truth: Tensor | None,
    number: int,
    colour: str = POSTERIOR,
    true: str = TRUTH,
) -> None:
    edges = np.linspace(*limits, BINS + 1)
    if prior is not None:
        behind = gaussian_filter1d(_density(prior[:, number].numpy(), edges), SMOOTHING_PRIOR)
        axis.stairs(behind, edges, color=PRIOR, fill=True)
    axis.stairs(_density(draws, edges), edges, color=colour, linewidth=1.3)
    if truth is not None:
        axis.axvline(float(truth[number]), color=true, linestyle="--", linewidth=1)
    axis.set_yticks([])


def _density(draws: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the histogram as a density over all draws, those outside included."""
    counts: np.ndarray = np.histogram(draws, edges)[0] / len(draws) / np.diff(edges)
    return counts


def _contours(
    axis: "Axes", x: np.ndarray, y: np.ndarray, x_limits: tuple[float, float], y_limits: tuple[float, float]
) -> None:
    """Draw the regions of highest density of a smoothed histogram."""
    density, x_edges, y_edges = np.histogram2d(x, y, BINS_2D, (x_limits, y_limits))
    density = gaussian_filter(density, SMOOTHING)
    ordered = np.sort(density.ravel())[::-1]
    held = np.cumsum(ordered) / max(ordered.sum(), 1e-300)
    levels = [float(ordered[np.searchsorted(held, share)]) for share in CONTOURS]
    if not 0 < levels[0] < levels[1] < density.max():
        axis.plot(x[:500], y[:500], ".", color=POSTERIOR, markersize=1)
        return
    middles = [(edges[:-1] + edges[1:]) / 2 for edges in (x_edges, y_edges)]
    axis.contourf(*middles, density.T, levels=[*levels, float(density.max())], colors=["#b2dfdb", POSTERIOR])


def _limits(draws: np.ndarray, truth: Tensor | None, number: int) -> tuple[float, float]:
    """Return limits that show all but the outermost draws, and the truth."""
    low, high = np.quantile(draws, [0.001, 0.999])
    if truth is not None:
        values = truth.reshape(-1, truth.shape[-1])[:, number]
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    margin = 0.05 * (high - low) or 0.5 * max(abs(float(low)), 1e-6)
    return float(low - margin), float(high + margin)


def _inside(limits: tuple[float, float], quantity: Quantity) -> tuple[float, float]:
    """Return the part of the limits that is inside the quantity's range, where histograms end."""
    low, high = quantity.low, quantity.high
    return max(limits[0], -np.inf if low is None else low), min(limits[1], np.inf if high is None else high)


def _legend(draws: int, shown: int, prior: Tensor | None) -> str:
    parts = [f"{draws:,} samples" if draws > 1 else "1 sample"]
    parts += ["prior in gray"] * (prior is not None)
    parts += ["dark and light: 50% and 90% of the samples", "numbers: correlations"] * (shown > 1)
    return ("; " if shown > 2 else "\n").join(parts)


def _correlation(x: np.ndarray, y: np.ndarray) -> float:
    if len(x) < 2:
        return 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(np.nan_to_num(np.corrcoef(x, y)[0, 1]))


def _escaped(text: Any) -> str:
    """Keep dollar signs from starting a formula."""
    return str(text).replace("$", r"\$")


def _wrapped(text: str) -> str:
    """Break a long name into lines that do not reach into the next plot."""
    return _escaped(textwrap.fill(text, 20))
