"""Charts of posteriors as HTML: marginals over the prior, pairs of parameters, observations and what explains them.

Lines and areas are drawings (SVG) in percent of their box, with the colours of the style sheet. Numbers and names are
text, so that they stay sharp and can be read aloud.
"""

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.studio.language import tr
from cinn_app.systems.inverse_problems.problem import Quantity
from cinn_app.systems.inverse_problems.studio.shelf import Range

__all__ = ["curves", "handles", "marginals", "number", "pairs", "plane"]

#: Bins of a marginal, and along each side of a pair.
BINS, SIDE = 60, 40
#: Quantiles that are written beside a marginal: the median, and an interval that holds 90%.
QUANTILES = torch.tensor([0.05, 0.5, 0.95])
#: Of densities, in red, green and blue: legible by day and by night.
INK = (20, 150, 140)


def number(value: float) -> str:
    """Write a number with three digits.

    >>> number(1234.5), number(0.01234), number(-2.0)
    ('1234', '0.0123', '−2')
    """
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return ("0" if float(text) == 0 else text).replace("-", "\N{MINUS SIGN}")


def name(quantity: Quantity) -> str:
    """Write the name of a quantity in the visitor's language."""
    return html.escape(tr(quantity.name))


def unit(quantity: Quantity) -> str:
    """Write its unit behind a space, if it has one."""
    return f" <small>{html.escape(tr(quantity.unit))}</small>" if quantity.unit else ""


def marginals(
    quantities: Sequence[Quantity],
    ranges: Sequence[Range],
    prior: Tensor,
    samples: Tensor,
    truth: Sequence[float] | None,
) -> str:
    """Show the distribution of each parameter over that of the prior, and its true value.

    Args:
        quantities: the D parameters.
        ranges: what is shown of each.
        prior: samples of it, ``(count, D)``.
        samples: of the posterior, ``(count, D)``.
        truth: D numbers, if they are known.
    """
    figures = []
    for column, (quantity, (low, high)) in enumerate(zip(quantities, ranges, strict=True)):
        before, after = _density(prior[:, column], low, high), _density(samples[:, column], low, high)
        top = max(float(before.max()), float(after.max())) or 1
        mark = value = ""
        if truth is not None:
            place = f"{_percent(truth[column], low, high):.2f}"
            mark = f'<line class="truth" x1="{place}" x2="{place}" y1="0" y2="100"/>'
            value = f"<i>{number(truth[column])}</i>"
        least, median, most = map(number, samples[:, column].quantile(QUANTILES).tolist())
        summary = tr("{median} ({least} to {most})", median=median, least=least, most=most)
        figures.append(
            f"<figure><figcaption><b>{column + 1}</b> {name(quantity)}{unit(quantity)}"
            f'<span class="summary">{summary}{value}</span></figcaption>'
            f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">'
            f'<path class="prior" d="{_area(before, top)}"/><path class="posterior" d="{_area(after, top)}"/>{mark}'
            f"</svg>"
            f'<div class="scale"><span>{number(low)}</span><span>{number(high)}</span></div></figure>'
        )
    return f'<div class="marginals">{"".join(figures)}</div>'


def pairs(
    quantities: Sequence[Quantity], ranges: Sequence[Range], samples: Tensor, truth: Sequence[float] | None
) -> str:
    """Show how the samples of each two parameters lie, and their correlation; arguments as for :func:`marginals`."""
    count = len(quantities)
    correlations = np.corrcoef(samples.numpy(), rowvar=False).reshape(count, count)
    cells = []
    for row, down in enumerate(quantities):
        for column, across in enumerate(quantities):
            if row == column:
                cells.append(
                    f'<div class="diagonal" title="{name(down)}"><b>{row + 1}</b><span>{name(down)}</span></div>'
                )
            elif row < column:
                correlation = float(np.nan_to_num(correlations[row, column]))
                said = tr(
                    "{first} and {second}: {number}", first=name(down), second=name(across), number=f"{correlation:.2f}"
                )
                shown = f"{correlation:+.2f}".replace("-", "\N{MINUS SIGN}")
                cells.append(
                    f'<div class="correlation" style="--strength: {abs(correlation):.2f}" title="{said}">{shown}</div>'
                )
            else:
                picture = _cloud(samples[:, column], samples[:, row], ranges[column], ranges[row])
                mark = ""
                if truth is not None:
                    left, up = (_percent(truth[at], *ranges[at]) for at in (column, row))
                    mark = f'<span class="truth" style="left: {left:.1f}%; bottom: {up:.1f}%"></span>'
                cells.append(f'<div class="cloud"><img src="{picture}" alt="" decoding="sync">{mark}</div>')
    return f'<div class="pairs" style="--count: {count}">{"".join(cells)}</div>'


def handles(quantities: Sequence[Quantity], ranges: Sequence[Range], observation: Sequence[float]) -> str:
    """Lay out a slider for each measurement, side by side."""
    columns = []
    for place, (quantity, (low, high), value) in enumerate(zip(quantities, ranges, observation, strict=True)):
        label = f"{name(quantity)}{unit(quantity)}"
        columns.append(
            f'<label class="handle"><output>{number(value)}</output><input type="range" data-place="{place}" '
            f'min="{low:.6g}" max="{high:.6g}" step="any" value="{value:.6g}"><span>{label}</span></label>'
        )
    return f'<div class="handles">{"".join(columns)}</div>'


def plane(quantities: Sequence[Quantity], ranges: Sequence[Range], observation: Sequence[float]) -> str:
    """Lay out a point for two measurements."""
    left, up = (_percent(value, *ends) for value, ends in zip(observation, ranges, strict=True))
    ends = " ".join(
        f'data-{end}="{value:.6g}"' for end, value in zip(("x0", "x1", "y0", "y1"), sum(ranges, ()), strict=True)
    )
    hint = tr("The observation: arrow keys move it")
    ratio = (ranges[0][1] - ranges[0][0]) / (ranges[1][1] - ranges[1][0])
    values = " · ".join(
        f"{name(quantity)} <output>{number(value)}</output>{unit(quantity)}"
        for quantity, value in zip(quantities, observation, strict=True)
    )
    return (
        f'<div class="field" style="--ratio: {ratio:.4f}" {ends} tabindex="0" role="application" aria-label="{hint}">'
        f'<span class="point" style="left: {left:.3f}%; bottom: {up:.3f}%"></span></div><p class="values">{values}</p>'
    )


def curves(ranges: Sequence[Range], simulated: Tensor, lines: Tensor, true_line: Tensor | None) -> str:
    """Draw what samples of the posterior look like, behind the sliders or the point.

    Args:
        ranges: of the measurements.
        simulated: measurements over the prior, ``(count, M)``, whose spread is shown behind sliders; or none.
        lines: ``(count, M)`` for sliders, ``(count, points, 2)`` for a plane; or none.
        true_line: that of the true parameters in the plane, if they are known.
    """
    if lines.ndim == 3:
        (left, right), (bottom, top) = ranges
        kind, box = "arms", f'viewBox="0 0 100 {100 * (top - bottom) / (right - left):.4g}"'
        corner, scale = torch.tensor([left, top]), torch.tensor([1, -1]) * 100 / (right - left)
        drawn = [_polyline((line - corner) * scale, "line") for line in lines]
        if true_line is not None:
            drawn.append(_polyline((true_line - corner) * scale, "true-line"))
    else:
        kind, box = "spectra", 'viewBox="0 0 100 100" preserveAspectRatio="none"'
        drawn = [_polyline(_across(line, ranges), "line") for line in lines]
        for share in (0.9, 0.5) if len(simulated) else ():
            below, above = simulated.quantile(torch.tensor([0.5 - share / 2, 0.5 + share / 2]), 0)
            edge = torch.cat([_across(above, ranges), _across(below, ranges).flip(0)])
            drawn.insert(0, _polyline(edge, "prior"))
    return f'<svg class="{kind}" {box} aria-hidden="true">{"".join(drawn)}</svg>'


def _polyline(points: Tensor, kind: str) -> str:
    """Return a line through points, ``(count, 2)``."""
    return f'<polyline class="{kind}" points="{" ".join(f"{x:.4g},{y:.4g}" for x, y in points.tolist())}"/>'


def _percent(value: float, low: float, high: float) -> float:
    return min(max(100 * (value - low) / (high - low), 0), 100)


def _across(values: Tensor, ranges: Sequence[Range]) -> Tensor:
    """Return the points of a line over the sliders, ``(M, 2)``."""
    heights = [100 - _percent(value, *ends) for value, ends in zip(values.tolist(), ranges, strict=True)]
    places = (torch.arange(len(heights)) + 0.5) * 100 / len(heights)
    return torch.stack([places, torch.tensor(heights)], 1)


def _density(values: Tensor, low: float, high: float) -> np.ndarray:
    """Return a smooth histogram, ``(60,)``, whose mean is the share of the values that are shown."""
    counts = np.histogram(values.numpy(), BINS, (low, high))[0] * (BINS / max(1, len(values)))
    for _ in range(2):
        wide = np.pad(counts, 1, mode="edge")
        counts = (wide[:-2] + 2 * wide[1:-1] + wide[2:]) / 4
    return counts


def _area(density: np.ndarray, top: float) -> str:
    """Return the outline of a density, down to its base."""
    x = np.linspace(0, 100, len(density))
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, 100 - 96 * density / top, strict=True))
    return f"M0,100 L{line} L100,100 Z"


def _cloud(x: Tensor, y: Tensor, across: Range, up: Range) -> str:
    """Draw the density of two columns, as the address of a picture that is transparent where nothing is."""
    counts = np.histogram2d(-y.numpy(), x.numpy(), SIDE, ((-up[1], -up[0]), across))[0]
    for axis in (0, 1):
        wide = np.pad(counts, [(1, 1) if axis == one else (0, 0) for one in (0, 1)], mode="edge")
        before, after = (np.take(wide, np.arange(SIDE) + shift, axis) for shift in (0, 2))
        counts = (before + 2 * counts + after) / 4
    pixels = np.empty((SIDE, SIDE, 4), np.uint8)
    pixels[..., :3] = INK
    pixels[..., 3] = 255 * np.sqrt(counts / max(counts.max(), 1e-9))
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
