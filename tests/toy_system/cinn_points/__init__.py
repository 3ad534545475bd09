"""The smallest system, as another package would bring it: a Gaussian of points in the plane."""

from cinn_app.registry import Command, System

SYSTEM = System(
    name="points",
    recipe=f"{__name__}.points:PointsRecipe",
    trained_model=f"{__name__}.points:Points",
    training=f"{__name__}.points:prepare_training",
    evaluation=f"{__name__}.points:evaluate_points",
    figures=f"{__name__}.front:FIGURES",
    room=f"{__name__}.front:ROOM",
    commands=(Command("points", f"{__name__}.front:points", "Draw points."),),
    exports={"Points": f"{__name__}.points:Points"},
    default_model="points",
    primary_figure="held_out_nats",
    needs_data=False,
    data="nothing: points are drawn",
)
