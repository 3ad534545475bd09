"""What event handlers of several tabs share."""

import html
import random
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.errors import CinnError
from cinn_app.studio.language import later, tr
from cinn_app.studio.log import log_error

__all__ = ["COMPUTING", "ONE_AT_A_TIME", "QUIET", "SAVE_FILE", "explain", "inform", "random_seed", "served", "warn"]

#: Options of events that compute, of all tabs and endpoints. torch uses every core for one of them, and no answer
#: overtakes another.
ONE_AT_A_TIME: dict[str, Any] = {"concurrency_id": "models", "concurrency_limit": 1}
#: The same for events of the page. While one runs, only the latest of the next ones is kept.
COMPUTING: dict[str, Any] = {
    **ONE_AT_A_TIME,
    "trigger_mode": "always_last",
    "api_visibility": "private",
    "preprocess": False,  # it raises errors over numbers out of range and uploads that are no pictures
}
#: Options of events that take no time and wait for nothing.
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
UNEXPECTED = later("The studio failed unexpectedly: try again, or contact the administrator.")
#: A script that saves a file, which gradio describes; `line.html` has the function.
SAVE_FILE = "(file) => window.saveFile(file)"


def random_seed() -> int:
    """Choose a seed at random, of at most six digits: file names and captions show it."""
    return random.randrange(1_000_000)


def explain(error: Exception) -> gr.Error:
    """Explain an error that no handler expected, and log it."""
    if isinstance(error, CinnError):
        return gr.Error(tr(error), print_exception=False)
    log_error(error)
    return gr.Error(tr(UNEXPECTED), print_exception=False)


def warn(error: CinnError) -> None:
    """Show an error beside the page."""
    gr.Warning(html.escape(tr(error)), title=tr("That did not work"))


def inform(sentence: str) -> None:
    """Show a remark on a result beside the page."""
    gr.Info(html.escape(tr(sentence)), title=tr("Note"))


def served(path: Path) -> dict[str, Any]:
    """Describe a file so that gradio gives it an address, also inside a component's properties."""
    return gr.FileData(path=str(path)).model_dump()
