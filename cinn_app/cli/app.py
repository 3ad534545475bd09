"""`cinn app`: the studio, in a browser."""

from typing import Annotated

import typer

__all__ = ["app"]


def app(
    host: Annotated[
        str, typer.Option(help="The address to listen at; 0.0.0.0 lets everyone in the network in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen at.")] = 7860,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="A model or checkpoint to show instead of the installed one of its kind; its tab opens first.",
        ),
    ] = None,
) -> None:
    """Serve the studio, a web page for colouring photographs and writing digits, until Ctrl-C.

    Nothing leaves this machine: the page, its fonts and the model are all on it.
    """
    from cinn_app.cli.console import err

    with err.status("Starting the studio"):
        from cinn_app.studio.app import serve

    serve(host, port, model)
