"""Labels of the digits' figures in reports."""

from cinn_app.figures import Figure, Group
from cinn_app.messages import Message

__all__ = ["FIGURES"]

FIGURES = (
    Group(
        "Likelihood",
        "how probable the model finds digits given their labels",
        (
            Figure("bits_per_dim", "Bits per dimension", better="lower"),
            Figure("held_out_bits_per_dim", Message("Bits per dimension, held out"), better="lower"),
        ),
    ),
    Group(
        "Digits",
        "on MNIST's test set",
        (
            Figure("bayes_accuracy", "Share of digits classified correctly, by Bayes' rule", better="higher"),
            Figure("round_trip_error", "Largest error of decoding an encoded digit", "pixels 0 to 1", "lower"),
        ),
    ),
)
