"""What the command line and the studio show of points."""

import typer

from cinn_app.figures import Figure, Group

FIGURES = (
    Group("Points", "", (Figure("held_out_nats", "Nats, held out", better="lower"), Figure("off", "Distance", "cm"))),
)


def points(number: int = typer.Option(3, "--number")) -> None:
    """Draw points."""
    from cinn_app.cli.console import say
    from cinn_app.registry import systems

    model = systems()["points"].load("trained_model").load()
    for x, y in model.model.sample(number).tolist():
        say(f"{x:.2f} {y:.2f}")


def __getattr__(name: str) -> object:
    """Build the room when it is asked for: the rest of this module needs no gradio."""
    if name != "ROOM":
        raise AttributeError(name)
    import gradio as gr

    from cinn_app.studio.room import Room

    class Tab:
        def __init__(self, model: object) -> None:
            gr.Markdown("Points in the plane")

    class PointsApi:
        def __init__(self, model: object) -> None:
            self.model = model

        @property
        def endpoints(self) -> list[object]:
            return []

        def axes(self) -> list[str]:
            return []

    return Room(title="Points", tab=Tab, api=PointsApi)
