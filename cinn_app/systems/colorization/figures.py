"""What the figures of a colorizer are called in reports."""

from cinn_app.figures import Figure, Group
from cinn_app.messages import Message

__all__ = ["FIGURES"]

ANSWERS = {
    "truth": "the truth",
    "gray": "leaving it gray",
    "best_guess": "the single best guess",
    "one_sample": "one sample",
}
RGB = "RGB 0 to 1"

FIGURES = (
    Group(
        "Likelihood",
        "how probable the model finds the true colours",
        (
            Figure("bits_per_dim", "Bits per dimension", better="lower"),
            Figure("held_out_bits_per_dim", Message("Bits per dimension, held out"), better="lower"),
        ),
    ),
    Group(
        "Distance from the true colours",
        "as a share of gray, 1 is no better than leaving it gray; the energy score is what counts",
        (
            Figure("energy_score", "Energy score of the samples, as a share of gray", better="lower"),
            Figure("energy_score_best_guess", "Energy score of the single best guess alone, as a share of gray"),
            Figure(
                "held_out_ab_rmse",
                Message("Error of the single best guess, held out (Lab units)"),
                better="lower",
            ),
            Figure(r"rmse_best_of_(\d+)", "Error of the best of {} samples", "Lab units", "lower"),
            Figure("rmse_(.+)", "Error of {}", "Lab units", "lower"),
            Figure(r"of_gray_best_of_(\d+)", "Error of the best of {} samples, as a share of gray", better="lower"),
            Figure("of_gray_(.+)", "Error of {}, as a share of gray", better="lower"),
            Figure(
                r"ratio_best_of_(\d+)",
                "Error of the best of {} samples, as a share of each picture's own gray",
                better="lower",
            ),
            Figure("ratio_(.+)", "Error of {}, as a share of each picture's own gray", better="lower"),
            Figure("oracle_rmse_of_1", "Error of one sample, as in the cINN paper", RGB, "lower"),
            Figure(
                r"oracle_rmse_of_(\d+)",
                "Error of an oracle that chooses among {} samples for each pixel and channel, as in the cINN paper",
                RGB,
                "lower",
            ),
        ),
        ANSWERS,
    ),
    Group(
        "How samples differ",
        "0 would be the same colouring every time",
        (
            Figure(
                "beyond_tint", "Share of their variance beyond a tint and a change of vividness; the truth's is best"
            ),
            Figure("beyond_tint_truth", "The same share of the truth's departure from the single best guess"),
            Figure(
                "best_first_hit",
                "How often the colouring shown first is the nearest of four; chance is 25%",
                better="higher",
            ),
            Figure("deviation", "Standard deviation at a pixel", "Lab units"),
            Figure("variance", "Variance at a pixel", "Lab units, squared"),
            Figure("variance_rgb", "Variance at a pixel, as in the cINN paper", f"{RGB}, squared"),
            Figure("pairwise_distance", "Distance of two samples, on average", "Lab units"),
        ),
    ),
    Group(
        "Colourfulness",
        "near the truth's is best; 0 is gray, 33 moderate, 60 vivid",
        (
            Figure("chroma", "Mean chroma of the samples, divided by the truth's"),
            Figure("colourfulness", "Colourfulness of a sample"),
            Figure("colourfulness_truth", "Colourfulness of the truth"),
        ),
    ),
    Group(
        "How real they look",
        "to EfficientNet-Lite2, a classifier that saw colour; its distances compare only on the same pictures",
        (
            Figure("frechet_(.+)", "Fréchet distance (EfficientNet-Lite2 features) of {}", better="lower"),
            Figure("top5_gap_(.+)", "Share of that loss by gray that {} recovers", better="higher"),
            Figure("top5_(.+)", "Share of classes recognised in five guesses, of {}", better="higher"),
            Figure("pictures_of_known_class", "Pictures with an ImageNet class in their name, such as n01443537"),
        ),
        ANSWERS,
    ),
    Group(
        "Calibration",
        "whether the samples vary as much as the truth does, at the network's size",
        (
            Figure(r"coverage_(\d+)_pixels", "Share of pixels with the truth in the middle {}% of the samples"),
            Figure(
                r"coverage_(\d+)_pictures",
                "Share of pictures with the true average in the middle {}% of the samples' averages",
            ),
            Figure(
                r"coverage_(\d+)_density_(.+)", "Share of {1} with the truth in the middle {0}% of the learnt density"
            ),
            Figure("calibration_error_density_(.+)", "Calibration error of the learnt density, of {}", better="lower"),
            Figure("calibration_error_(.+)", "Calibration error of the samples, of {}", better="lower"),
        ),
    ),
    Group(
        "Old prints",
        "of the same photographs, against colours that have faded as much; 1 as a ratio is no worse than new",
        (
            Figure("aged_energy_(.+)", "Energy score of {} prints, as a share of gray", better="lower"),
            Figure("aged_ratio_(.+)", "Energy score of {} prints, divided by that of the photographs", better="lower"),
            Figure("aged_mount_chroma", "Mean chroma of borders and film rims", "Lab units", "lower"),
        ),
    ),
    Group(
        "Negatives",
        "of the same photographs with light and dark exchanged",
        (
            Figure("negatives_found", "Share of them that is recognised", better="higher"),
            Figure("negatives_alarms", "Share of the photographs that is taken for negatives", better="lower"),
        ),
    ),
    Group(
        "Craft",
        "the lightness kept, and the time taken",
        (
            Figure("lightness_error_p99", "Error of the lightness, 99th percentile", "of 100", "lower"),
            Figure("pictures_per_second", "Pictures coloured per second", better="higher"),
        ),
    ),
)
