"""Labels of the figures of inverse problems in reports."""

from cinn_app.figures import Figure, Group
from cinn_app.messages import Message

__all__ = ["FIGURES"]

FIGURES = (
    Group(
        "Training",
        "",
        (
            Figure("pictures", Message("Simulations learnt from")),
            Figure("views_seen", Message("Simulations seen in training")),
        ),
    ),
    Group(
        "Likelihood",
        "how probable the model finds the true parameters given the measurements",
        (
            Figure("nats", "Nats", better="lower"),
            Figure("held_out_nats", Message("Nats, held out"), better="lower"),
        ),
    ),
    Group(
        "Calibration",
        "whether the truth is as often in a region of the posterior as its probability says",
        (
            Figure("calibration_error", "Calibration error, mean over parameters", better="lower"),
            Figure("largest_calibration_error", "Calibration error of the worst parameter", better="lower"),
            Figure("rank_deviation", "Largest deviation of ranks from uniform ones", better="lower"),
            Figure("chance_deviation", "What chance explains of that"),
            Figure(r"expected_coverage_(\d+)", "Share of truths in the {}% of highest density"),
        ),
    ),
    Group(
        "Re-simulation",
        "distance of simulations with drawn parameters from the measurement, in its standard deviations over the prior",
        (
            Figure("resimulation_error", "Re-simulation error", better="lower"),
            Figure("resimulation_floor", "The same with the true parameters"),
            Figure("unexplained", "Share of the measurements' variation left unexplained", better="lower"),
        ),
    ),
    Group(
        "Both directions",
        "how well a flow without condition meets what it was trained for",
        (
            Figure(
                "(held_out_)?prediction_error",
                Message("Error of predicted measurements, held out"),
                "standard deviations",
                better="lower",
            ),
            Figure(
                "(held_out_)?latent_mmd", Message("MMD of latents and measurements from independence"), better="lower"
            ),
            Figure("(held_out_)?prior_mmd", Message("MMD of samples from the prior"), better="lower"),
        ),
    ),
)
