"""The notice below the upload: which photograph is shown and what is to be known of it, or what went wrong."""

import html
from collections.abc import Sequence

import gradio as gr

from cinn_app.imaging import IN_COLOUR
from cinn_app.studio.language import listed, tr
from cinn_app.systems.colorization.studio.opening import Opened
from cinn_app.systems.colorization.studio.texts import LACKS, RESTORED, RESTORED_ALIKE

__all__ = ["failed", "told"]


def told(opened: Opened) -> gr.HTML:
    """Say which photograph it is, and what of its past could be brought back."""
    visit = opened.visit
    height, width = visit.size
    warnings = list(visit.large.warnings)
    if opened.lacking is not None:
        lacks = listed([tr(LACKS[lack]) for lack in opened.lacking])
        restored = tr(RESTORED_ALIKE, lacks=lacks) if lacks else tr(RESTORED)
        warnings = [restored, *(warning for warning in warnings if warning != IN_COLOUR)]
    named = tr("{name}, {width:,} x {height:,} pixels.", name=visit.upload.name, width=width, height=height)
    return _notice([named, *warnings], tr("{sentence} {next}", sentence="", next=""), "opened")


def failed(problems: Sequence[str]) -> gr.HTML:
    """Say what went wrong, a line each."""
    return _notice(problems, "<br>", "error")


def _notice(sentences: Sequence[str], between: str, kind: str) -> gr.HTML:
    return gr.HTML(between.join(html.escape(tr(one)) for one in sentences), visible=True, elem_classes=[kind])
