"""Handwritten digits: a flow that is conditional on the label, and the axes of its handwritings."""

from cinn_app.registry import Command, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    name="digits",
    recipe=f"{__name__}.recipe:DigitsRecipe",
    trained_model=f"{__name__}.generator:DigitGenerator",
    training=f"{__name__}.training:prepare_training",
    evaluation=f"{__name__}.evaluation:evaluate_digits",
    figures=f"{__name__}.figures:FIGURES",
    room=f"{__name__}.studio.room:ROOM",
    commands=(
        Command(
            "digits",
            f"{__name__}.commands:digits",
            "Write digits by hand, all ten or one in many handwritings.",
        ),
    ),
    exports={"DigitGenerator": f"{__name__}.generator:DigitGenerator"},
    default_model="digits",
    needs_data=False,
    data="the folder that holds MNIST/raw, or nothing to download MNIST once",
    primary_figure="held_out_bits_per_dim",
    order=20,
)
