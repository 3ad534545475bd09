"""The tables that `digits.py` prints."""

from typing import Any

from rich.table import Table

Figures = dict[str, Any]

TEMPERATURES = (1.0, 0.8)
KEYS = tuple(f"T={temperature}" for temperature in TEMPERATURES)
#: The classifier must recognise this share of the test digits; this share of them is nearest to training digits.
CLASSIFIER_ACCURACY, CLOSEST = 0.993, 0.01
#: Targets of the generator.
BITS_PER_DIM, READABLE, SPREAD = 1.15, dict(zip(KEYS, (0.97, 0.99), strict=True)), (0.9, 1.1)


def sample_table(title: str, found: dict[str, Figures]) -> Table:
    """Show the figures of `measure`, one network per row; in brackets the spread of the recognised samples."""
    columns = ["bits/dim", *[f"recognised, {key}" for key in KEYS], *[f"spread, {key}" for key in KEYS]]
    columns = ["network", *columns, "training images/s", "samples/s", "parameters"]
    rows = {}
    for name, figures in found.items():
        trained = figures.get("training_images_per_second")
        rows[name] = [
            f"{figures['bits_per_dim']:.3f}",
            *[f"{figures[key]['readable']:.2%}" for key in KEYS],
            *[f"{figures[key]['spread']:.2f} ({figures[key]['spread_of_readable']:.2f})" for key in KEYS],
            f"{trained:,.0f}" if trained else "-",
            f"{figures[KEYS[0]]['samples_per_second']:,.0f}",
            f"{figures['parameters'] / 1e6:.1f} M",
        ]
    return _table(title, columns, rows)


def nearness_table(figures: Figures) -> Table:
    """Show the figures of `memorisation`."""
    columns = [
        "distance to the nearest training digit",
        "closest",
        "median",
        f"below {figures['threshold']:.2f}",
        "below any test digit's",
        "nearer to a training digit than to a test digit",
    ]
    rows = {
        "test digits": [f"{figures['closest_of_test']:.2f}", f"{figures['median_of_test']:.2f}", f"{CLOSEST:.2%}"],
    }
    for key in KEYS:
        found = figures[key]
        rows[f"samples, {key}"] = [
            f"{found['closest']:.2f}",
            f"{found['median']:.2f}",
            f"{found['below_threshold']:.2%}",
            f"{found['below_closest_of_test']:,}",
            f"{found['nearer_to_training_than_to_test']:.1%}",
        ]
    return _table("Memorisation", columns, rows)


def summary_table(report: Figures) -> Table:
    """Show figures beside their targets."""
    accuracy, model, near = report["classifier_accuracy"], report["model"], report["memorisation"]
    rows = {
        "test digits that the classifier recognises": [f"{CLASSIFIER_ACCURACY:.1%} or more", f"{accuracy:.2%}"],
        "bits per dimension of test digits": [f"{BITS_PER_DIM} or less", f"{model['bits_per_dim']:.3f}"],
    }
    for key in KEYS:
        found = f"{near[key]['below_threshold']:.2%}"
        readable, spread = model[key]["readable"], model[key]["spread"]
        rows[f"samples that the classifier recognises, {key}"] = [f"{READABLE[key]:.0%} or more", f"{readable:.2%}"]
        wanted = f"{SPREAD[0]} to {SPREAD[1]}" if key == KEYS[0] else "-"  # cooler samples should be more alike
        rows[f"spread within classes, of the test digits', {key}"] = [wanted, f"{spread:.2f}"]
        rows[f"samples nearer to training digits than the closest {CLOSEST:.0%} of test digits, {key}"] = [
            f"{CLOSEST:.0%} or less",
            found,
        ]
    if beside := report["side_by_side"]:
        own, rivals = beside["ours"], [figures for name, figures in beside.items() if name != "ours"]
        bits = min(rival["bits_per_dim"] for rival in rivals)
        rows["bits per dimension, side by side"] = [f"below FrEIA's {bits:.3f}", f"{own['bits_per_dim']:.3f}"]
        for key in KEYS:
            readable = max(rival[key]["readable"] for rival in rivals)
            target = f"above FrEIA's {readable:.2%}"
            rows[f"samples that the classifier recognises, side by side, {key}"] = [
                target,
                f"{own[key]['readable']:.2%}",
            ]
        for figure, rate in (("training", "training_images_per_second"), ("samples", "samples_per_second")):
            values = [row.get(rate) or row[KEYS[0]][rate] for row in (own, *rivals)]
            rows[f"{figure} per second, side by side"] = [f"above FrEIA's {max(values[1:]):,.0f}", f"{values[0]:,.0f}"]
    return _table("Summary", ["figure", "target", "reached"], rows)


def _table(title: str, columns: list[str], rows: dict[str, list[str]]) -> Table:
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number else "left")
    for name, cells in rows.items():
        table.add_row(name, *cells)
    return table
