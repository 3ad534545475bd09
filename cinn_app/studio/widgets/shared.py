"""What several tabs do alike."""

import functools
import html
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.language import tr

__all__ = ["SAVE_FILE", "in_parts", "remark", "roll", "served", "warn"]

#: Saves a file that is given by its address and its name, as gradio describes files.
SAVE_FILE = """(file) => {
    if (!file) return;
    const link = document.createElement("a");
    link.href = file.url;
    link.download = file.orig_name;
    link.click();
}"""
SEEDS = 1_000_000

Answer: TypeAlias = dict[Any, Any]


def roll() -> int:
    """Roll the dice for a seed."""
    return random.randrange(SEEDS)


def in_parts(answer: Callable[..., Iterator[Answer]]) -> Callable[..., Iterator[Answer]]:
    """Let every part of an answer that is given in parts repeat those before it.

    Gradio sends a page only by what a part differs from the one before, and the page takes that out of the one before,
    even if it has not shown it yet. What a later part leaves out might so never be seen.
    """

    @functools.wraps(answer)
    def repeating(*inputs: Any) -> Iterator[Answer]:
        said: Answer = {}
        for part in answer(*inputs):
            said = {**said, **part}
            yield said

    return repeating


def warn(error: CinnError) -> None:
    """Say what went wrong, beside the page."""
    gr.Warning(html.escape(tr(error)), title=tr("That did not work"))


def remark(sentence: str) -> None:
    """Say what is to be known of an answer, beside the page."""
    gr.Info(html.escape(tr(sentence)), title=tr("To be known"))


def served(path: Path) -> dict[str, Any]:
    """Name a file so that gradio gives it an address, inside a component's properties, too."""
    return gr.FileData(path=str(path)).model_dump()
