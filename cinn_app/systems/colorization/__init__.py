"""Diverse colorization of photographs by a conditional flow over their chroma."""

from cinn_app.registry import Command, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    name="colorization",
    recipe=f"{__name__}.recipe:ColorizationRecipe",
    trained_model=f"{__name__}.colorizer:Colorizer",
    training=f"{__name__}.training:prepare_training",
    evaluation=f"{__name__}.evaluation:evaluate_colorizer",
    figures=f"{__name__}.figures:FIGURES",
    room=f"{__name__}.studio.room:ROOM",
    commands=(
        Command(
            "colorize",
            f"{__name__}.commands.colorize:colorize",
            "Colour photographs, in one plausible way or in several.",
        ),
    ),
    exports={
        "Colorizer": f"{__name__}.colorizer:Colorizer",
        "Colouring": f"{__name__}.colouring:Colouring",
        "Hints": f"{__name__}.hints:Hints",
        "ColourReference": f"{__name__}.reference:ColourReference",
        "Steering": f"{__name__}.steering:Steering",
    },
    default_model="colorize",
    primary_figure="held_out_bits_per_dim",
    order=10,
)
