"""`cinn app`: the studio, in a browser."""

from typing import Annotated

import typer

from cinn_app.cli.options import Device
from cinn_app.files import read_text

__all__ = ["app"]


def app(
    host: Annotated[
        str, typer.Option(help="The address to listen on; 0.0.0.0 admits everyone in the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 7860,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|PATH",
            help="A model or checkpoint to show instead of the installed one of its system; its tab opens first.",
        ),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD|@FILE",
            envvar="CINN_AUTH",
            help="Ask visitors for this name and password. Other users of this machine can see commands: name a file "
            "that holds it, or set CINN_AUTH.",
        ),
    ] = None,
    root_path: Annotated[
        str, typer.Option(metavar="PATH", help="The path at which a proxy serves the studio, such as /studio.")
    ] = "",
    max_upload: Annotated[
        int, typer.Option(min=1, metavar="MB", help="The largest file that visitors may upload.")
    ] = 500,
    mcp: Annotated[
        bool, typer.Option("--mcp", help="Offer the studio's functions as MCP tools for language models, too.")
    ] = False,
    device: Device = "auto",
) -> None:
    """Serve the studio, a web page with a tab for each installed system, until Ctrl-C.

    Nothing leaves this machine: the page, its fonts and the models are all on it.
    """
    from cinn_app.cli.console import err
    from cinn_app.extras import require_extra

    require_extra("studio", "The studio")
    login = _login(auth) if auth else None
    with err.status("Starting the studio"):
        from cinn_app.studio.serving import serve

    serve(host, port, model, login=login, root_path=root_path, max_upload=max_upload, mcp=mcp, device=device)


def _login(given: str) -> tuple[str, str]:
    """Read a name and a password, which may contain colons."""
    try:
        text = read_text(given[1:]).strip() if given.startswith("@") else given
    except (OSError, ValueError) as error:
        raise typer.BadParameter(
            f"{given[1:]} cannot be read: name a text file in UTF-8 that holds USER:PASSWORD.", param_hint="--auth"
        ) from error
    name, _, password = text.partition(":")
    if not name.strip() or not password:
        raise typer.BadParameter("Give a name and a password, as USER:PASSWORD.", param_hint="--auth")
    return name.strip(), password
