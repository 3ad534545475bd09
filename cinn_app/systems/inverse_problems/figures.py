"""Labels of the figures of inverse problems in reports."""

from cinn_app.figures import Figure, Group
from cinn_app.messages import Message

__all__ = ["FIGURES"]

FIGURES = (
    Group(
        "Likelihood",
        "how probable the model finds the true parameters given the measurements",
        (Figure("held_out_nats", Message("Nats, held out"), better="lower"),),
    ),
    Group(
        "Both directions",
        "how well a flow without condition meets what it was trained for",
        (
            Figure(
                "held_out_prediction_error",
                Message("Error of predicted measurements, held out"),
                "standard deviations",
                better="lower",
            ),
            Figure("held_out_latent_mmd", Message("MMD of latents and measurements from independence"), better="lower"),
            Figure("held_out_prior_mmd", Message("MMD of samples from the prior"), better="lower"),
        ),
    ),
)
