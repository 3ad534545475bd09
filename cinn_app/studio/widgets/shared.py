"""What several tabs do alike."""

import html
import random
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.language import retell, tr

__all__ = ["SAVE_FILE", "roll", "served", "warn"]

#: Saves a file that is given by its address and its name, as gradio describes files.
SAVE_FILE = """(file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name;
    link.click();
}"""
SEEDS = 1_000_000


def roll() -> int:
    """Roll the dice for a seed."""
    return random.randrange(SEEDS)


def warn(error: CinnError) -> None:
    """Say what went wrong, beside the page."""
    gr.Warning(html.escape(retell(str(error))), title=tr("That did not work"))


def served(path: Path) -> dict[str, Any]:
    """Name a file so that gradio gives it an address, inside a component's properties, too."""
    return gr.FileData(path=str(path)).model_dump()
