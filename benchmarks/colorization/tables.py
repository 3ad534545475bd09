"""The tables that `colorization_baselines.py` and `colorization_ablations.py` print."""

from typing import Any

from rich.table import Table

Figures = dict[str, Any]

#: Heading, the figure's name, and how it is written; k is the number of samples.
BASELINE_COLUMNS = (
    ("energy score", "energy_score", "{:.3f}"),
    ("beyond a tint", "beyond_tint", "{:.2f}"),
    ("chroma, of the truth's", "chroma", "{:.2f}"),
    ("best guess, of gray", "of_gray_best_guess", "{:.3f}"),
    ("best of {k}, of gray", "of_gray_best_of_{k}", "{:.3f}"),
    ("one sample, of gray", "of_gray_one_sample", "{:.3f}"),
    ("oracle RMSE x100, RGB", "oracle_rmse_of_{k}", "{:.2%}"),
    ("variance, RGB", "variance_rgb", "{:.5f}"),
    ("Fréchet distance (EfficientNet-Lite2 features)", "frechet_one_sample", "{:.1f}"),
    ("top-5, of the gap", "top5_gap_one_sample", "{:.0%}"),
    ("colourfulness", "colourfulness", "{:.1f}"),
    ("calibration error, pictures", "calibration_error_pictures", "{:.3f}"),
    ("images/s", "pictures_per_second", "{:.1f}"),
)
ABLATION_COLUMNS = (
    ("energy score", "energy_score", "{:.3f}"),
    ("beyond a tint", "beyond_tint", "{:.2f}"),
    ("bits/dim", "bits_per_dim", "{:.3f}"),
    ("best guess, of gray", "of_gray_best_guess", "{:.3f}"),
    ("one sample, of gray", "of_gray_one_sample", "{:.3f}"),
    ("best of {k}, of gray", "of_gray_best_of_{k}", "{:.3f}"),
    ("colourfulness", "colourfulness", "{:.1f}"),
    ("training views/s", "views_per_second", "{:.0f}"),
)
#: What Ardizzone et al. 2019 (arXiv 1907.02392) print of their own models: best of 8 with its bootstrap error, of 1,
#: variance. Theirs are of 5,120 pictures of ImageNet's validation set at 256 pixels, at temperature 1.
PUBLISHED = {
    "their cINN": ("3.53 ± 0.04", "9.52", "0.00352"),
    "their VAE-MDN": ("4.06 ± 0.04", "8.40", "0.00210"),
    "their CNN": ("6.77 ± 0.05", "6.77", "-"),
    "their cGAN": ("9.75 ± 0.06", "9.75", "-"),
}


def baseline_table(found: dict[str, Figures], samples: int) -> Table:
    """Show what was measured, one family per row."""
    return _table("family", BASELINE_COLUMNS, found, samples)


def ablation_table(found: dict[str, Figures], samples: int) -> Table:
    """Show what was measured, one variant per row."""
    return _table("variant", ABLATION_COLUMNS, found, samples)


def published_table() -> Table:
    """Show the paper's own figures, for context: other data, other sizes, other training."""
    table = Table(
        title="For context: the cINN paper's own figures, of its own models, data and 256 pixels", title_justify="left"
    )
    for heading in ("model", "oracle RMSE of 8 x100", "of 1 x100", "variance, RGB"):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, cells in PUBLISHED.items():
        table.add_row(name, *cells)
    return table


def _table(one: str, columns: tuple[tuple[str, str, str], ...], found: dict[str, Figures], samples: int) -> Table:
    pictures = max(row["pictures"] for row in found.values())
    table = Table(title=f"On {pictures} pictures, {samples} samples each", title_justify="left")
    table.add_column(one)
    for heading, _, _ in columns:
        table.add_column(heading.format(k=samples), justify="right")
    table.add_column("steps, minutes", justify="right")
    for name, row in found.items():
        trained = row.get("training", {})
        figures = row["figures"] | trained
        cells = [_cell(figures.get(key.format(k=samples)), form) for _, key, form in columns]
        table.add_row(name, *cells, f"{trained['steps']:,}, {trained['minutes']:.1f}" if trained else "-")
    return table


def _cell(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value).rstrip("%") if form == "{:.2%}" else form.format(value)
