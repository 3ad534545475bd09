"""`cinn models`: what is installed."""

import typer

from cinn_app.cli.console import out, say
from cinn_app.errors import CheckpointError

__all__ = ["models"]


def models() -> None:
    """List the installed models: what each does, its size, figures and licence."""
    from rich.table import Table
    from rich.text import Text

    from cinn_app.checkpoints import read_header, shipped_checkpoints
    from cinn_app.cli.figures import value_list

    folder = shipped_checkpoints()
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        say(f"No models are installed in {folder}: make one with 'cinn train'.")
        return
    table = Table("Name", "What it does", "MB", "Figures", "Licence", show_lines=True)
    damaged = False
    for file in files:
        try:
            header = read_header(file)
        except CheckpointError as error:
            damaged = True
            table.add_row(Text(file.stem), Text(str(error), "red"))
            continue
        recipe = header.recipe
        megabytes = f"{file.stat().st_size / 1e6:.1f}"
        # As Text, in which square brackets are no markup.
        cells = (file.stem, recipe.description, megabytes, value_list(header.figures), recipe.licence)
        table.add_row(*map(Text, cells))
    out.print(table)
    if damaged:
        raise typer.Exit(1)
