"""The figures of models and evaluations, in plain words."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

__all__ = ["Group", "grouped", "label", "value", "value_list"]


class Group(NamedTuple):
    """Figures that belong together: a heading, what they tell in one line, and the names, as a regular expression."""

    heading: str
    explanation: str
    names: str


GROUPS = (
    Group("Likelihood", "how probable the model finds what is true; lower is better", "bits_per_dim"),
    Group("Digits", "on MNIST's test set", "bayes_accuracy|round_trip_error"),
    Group(
        "Distance from the true colours",
        "lower is better; as a share of gray, 1 is no better than leaving it gray",
        "(rmse|of_gray|ratio|oracle_rmse)_.*",
    ),
    Group(
        "How samples differ",
        "none at all would be one colouring many times",
        "deviation|variance|variance_rgb|pairwise_distance",
    ),
    Group("Colourfulness", "near the truth's is best; 0 is gray, 33 moderate, 60 vivid", "colourfulness.*"),
    Group(
        "How real they look",
        "to EfficientNet-Lite2, a classifier that saw colour; its distances compare only on the same pictures",
        "frechet_.*|top5_.*|pictures_of_known_class",
    ),
    Group(
        "Calibration",
        "whether the samples vary as much as the truth does, at the network's size",
        "coverage_.*|calibration_error_.*",
    ),
    Group("Craft", "the lightness kept, and the time taken", "lightness_error_p99|pictures_per_second"),
)

LABELS = {
    "bits_per_dim": "Bits per dimension of the truth (lower is better)",
    "held_out_bits_per_dim": "Bits per dimension, held out",
    "held_out_ab_rmse": "Error of the single best guess, held out (Lab units)",
    "bayes_accuracy": "Share of digits told rightly, by Bayes' rule",
    "round_trip_error": "Largest error of decoding what was encoded (pixels 0 to 1)",
    "steps": "Training steps",
    "views_seen": "Views seen in training",
    "pictures": "Training pictures",
    "deviation": "Standard deviation at a pixel (Lab units)",
    "variance": "Variance at a pixel (Lab units, squared)",
    "variance_rgb": "Variance at a pixel, as the cINN paper has it (RGB 0 to 1, squared)",
    "pairwise_distance": "Distance of two samples, on average (Lab units)",
    "colourfulness": "Colourfulness of a sample",
    "colourfulness_truth": "Colourfulness of the truth",
    "pictures_of_known_class": "Pictures whose names tell their class",
    "lightness_error_p99": "Lightness is off by, 99th percentile (of 100)",
    "pictures_per_second": "Pictures coloured per second",
}
KINDS = {
    "rmse": "(Lab units)",
    "of_gray": "as a share of gray",
    "ratio": "as a share of each picture's own gray",
}
PATTERNS = {
    r"oracle_rmse_of_1": "Error of one sample, as the cINN paper has it (RGB 0 to 1)",
    r"oracle_rmse_of_(\d+)": "Error of an oracle choosing among {} samples anew for each pixel and channel, as the "
    "cINN paper has it (RGB 0 to 1)",
    r"frechet_(.+)": "Fréchet distance (EfficientNet-Lite2 features) of {}",
    r"top5_gap_(.+)": "Of what gray loses of that, {} brings back",
    r"top5_(.+)": "Classes recognised among five guesses, of {}",
    r"coverage_(\d+)_pixels": "Middle {}% of the samples at a pixel holds the truth's a, b in a share of",
    r"coverage_(\d+)_pictures": "Middle {}% of the samples' averages holds the truth's average in a share of",
    r"coverage_(\d+)_density_(.+)": "Middle {}% of the density as it was learnt, of {}, holds the truth in a share of",
    r"calibration_error_density_(.+)": "Calibration error of the density as it was learnt, of {}",
    r"calibration_error_(.+)": "Calibration error of samples as users get them, of {}, 0 is perfect",
}
ANSWERS = {
    "truth": "the truth",
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
    for pattern, sentence in PATTERNS.items():
        if found := re.fullmatch(pattern, key):
            return sentence.format(*(ANSWERS.get(word, word) for word in found.groups()))
    return key.replace("_", " ").capitalize()


def grouped(figures: Mapping[str, float]) -> Iterator[tuple[Group, dict[str, float]]]:
    """Put figures under their headings, and what belongs under none at the end.

    >>> [(group.heading, found) for group, found in grouped({"variance": 2.0, "moons": 1.0})]
    [('How samples differ', {'variance': 2.0}), ('More', {'moons': 1.0})]
    """
    left = dict(figures)
    for group in (*GROUPS, Group("More", "", ".*")):
        if found := {key: left.pop(key) for key in list(left) if re.fullmatch(group.names, key)}:
            yield group, found


def value(number: float) -> str:
    """Write a number with as many digits as mean something.

    >>> value(9000), value(12345.67), value(0.78312), value(12.25), value(float("nan"))
    ('9,000', '12,346', '0.783', '12.2', 'nan')
    """
    if isinstance(number, int) or 1000 <= abs(number) < math.inf:
        return f"{number:,.0f}"
    return f"{number:.3g}"


def value_list(figures: Mapping[str, float]) -> str:
    """Write figures one below the other."""
    return "\n".join(f"{label(key)}: {value(number)}" for key, number in figures.items())
