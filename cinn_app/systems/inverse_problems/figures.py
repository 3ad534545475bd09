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
)
