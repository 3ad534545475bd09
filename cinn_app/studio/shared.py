"""What several tabs do alike."""

import html
import random

import gradio as gr

from cinn_app.errors import CinnError

__all__ = ["SAVE_FILE", "roll", "warn"]

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
    gr.Warning(html.escape(str(error)), title="That did not work")
