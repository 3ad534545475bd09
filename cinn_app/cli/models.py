"""`cinn models`: what is installed."""

import typer

from cinn_app.cli.console import out, say

__all__ = ["models"]


def models() -> None:
    """List the installed models: purpose, size, figures and licence."""
    from rich.table import Table
    from rich.text import Text

    from cinn_app.checkpoints import installed_models, shipped_checkpoints
    from cinn_app.figures import figures_of

    installed = installed_models()
    if not installed:
        say(f"No models are installed in {shipped_checkpoints()}: make one with 'cinn train'.")
        return
    table = Table("Name", "What it does", "MB", "Figures", "Licence", show_lines=True)
    for model in installed:
        if model.header is None:
            table.add_row(Text(model.name), Text(model.problem, "red"))
            continue
        recipe = model.header.recipe
        megabytes = f"{model.size / 1e6:.1f}"
        # As Text, in which square brackets are no markup.
        figures = figures_of(recipe.system).lines(model.header.figures)
        cells = (model.name, recipe.description, megabytes, figures, recipe.licence)
        table.add_row(*map(Text, cells))
    out.print(table)
    say("The licences are those of the weights. Pictures that you make with them are your own.")
    if any(model.problem for model in installed):
        raise typer.Exit(1)
