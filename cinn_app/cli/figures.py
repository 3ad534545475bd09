"""The figures of models and evaluations, in plain words."""

import re
from collections.abc import Mapping

__all__ = ["label", "value", "value_list"]

LABELS = {
    "bits_per_dim": "Bits per dimension of the truth (lower is better)",
    "held_out_bits_per_dim": "Bits per dimension, held out",
    "held_out_ab_rmse": "Error of the single best guess, held out (Lab units)",
    "bayes_accuracy": "Share of digits told rightly, by Bayes' rule",
    "round_trip_error": "Largest error of decoding what was encoded (pixels 0 to 1)",
    "steps": "Training steps",
    "views_seen": "Views seen in training",
    "pictures": "Training pictures",
    "deviation": "How far samples differ (Lab units)",
    "colourfulness": "Colourfulness of a sample",
    "colourfulness_truth": "Colourfulness of the truth",
    "lightness_error_p99": "Lightness is off by, 99th percentile (of 100)",
}
KINDS = {
    "rmse": "(Lab units)",
    "of_gray": "as a share of gray",
    "ratio": "as a share of each picture's own gray",
}
ANSWERS = {
    "gray": "leaving it gray",
    "best_guess": "the single best guess",
    "centre": "temperature 0",
    "one_sample": "one sample",
}


def label(key: str) -> str:
    """Say what a figure tells.

    >>> label("of_gray_best_of_8"), label("rmse_gray"), label("half_life")
    ('Error of the best of 8 samples, as a share of gray', 'Error of leaving it gray (Lab units)', 'Half life')
    """
    if key in LABELS:
        return LABELS[key]
    if found := re.fullmatch(f"({'|'.join(KINDS)})_(.+)", key):
        kind, answer = found.groups()
        number = re.fullmatch(r"best_of_(\d+)", answer)
        words = f"the best of {number[1]} samples" if number else ANSWERS.get(answer, answer.replace("_", " "))
        return f"Error of {words}{' ' if kind == 'rmse' else ', '}{KINDS[kind]}"
    return key.replace("_", " ").capitalize()


def value(number: float) -> str:
    """Write a number with as many digits as mean something.

    >>> value(9000), value(0.78312), value(12.25), value(float("nan"))
    ('9,000', '0.783', '12.2', 'nan')
    """
    if isinstance(number, int) or (abs(number) >= 1000 and number == round(number)):
        return f"{number:,.0f}"
    return f"{number:.3g}"


def value_list(figures: Mapping[str, float]) -> str:
    """Write figures one below the other."""
    return "\n".join(f"{label(key)}: {value(number)}" for key, number in figures.items())
