"""Inverse problems: which parameters would have given this measurement, and how sure is that?"""

from cinn_app.registry import Command, System

__all__ = ["SYSTEM"]

SYSTEM = System(
    name="inverse-problems",
    recipe=f"{__name__}.recipe:InverseRecipe",
    trained_model=f"{__name__}.inverse_problem:InverseProblem",
    training=f"{__name__}.training:prepare_training",
    evaluation=f"{__name__}.evaluation:evaluate_inverse_problem",
    figures=f"{__name__}.figures:FIGURES",
    room=f"{__name__}.studio.room:ROOM",
    commands=(
        Command(
            "inverse",
            f"{__name__}.commands:inverse",
            "Find the parameters that explain a measurement, with a simulator of yours.",
        ),
    ),
    exports={
        "InverseProblem": f"{__name__}.inverse_problem:InverseProblem",
        "Posterior": f"{__name__}.posterior:Posterior",
        "load_problem": f"{__name__}.problem:load_problem",
    },
    default_model="kinematics",
    needs_data=False,
    data="the Python file of a problem, or nothing for a built-in problem",
    primary_figure="held_out_nats",
    order=30,
)
