"""The named endpoints as tools of an MCP server, for programs that talk to language models.

Gradio makes the server. Three things of it are mended here: it would fetch pictures by their addresses, but none from
its own computer, where uploads are; several results were one text, unless a client had asked for progress; and pictures
were sent at full size, for which a conversation has no use: their addresses stand beside them.
"""

from typing import Any

import gradio as gr
from anyio.to_thread import run_sync
from PIL import Image

from cinn_app.errors import CinnError

__all__ = ["mend_tools"]

#: Longer side in pixels of the pictures that are sent.
PREVIEW = 1024


def mend_tools(studio: gr.Blocks) -> None:
    """Let the tools of a running studio take uploads by their addresses, and send each result by itself, reduced.

    Raises:
        CinnError: if gradio could not make the server.
    """
    server: Any = studio.mcp_server_obj
    if server is None:
        raise CinnError(f"{studio.mcp_error}: install the version that fits with pip install 'cinn-app[mcp]'.")
    of_full_size = server.get_image

    async def execute(job: Any) -> list[Any]:
        result = await run_sync(job.result)
        return list(result) if isinstance(result, tuple) else [result]

    def preview(path: str) -> Image.Image | None:
        picture: Image.Image | None = of_full_size(path)
        if picture is not None:
            picture.thumbnail((PREVIEW, PREVIEW))
        return picture

    # As they come: endpoints know addresses, paths and data:, and read nothing but uploads (`studio.api_types`).
    server.convert_strings_to_filedata = lambda arguments, _: arguments
    server._execute_tool_without_progress = execute
    server.get_image = preview
