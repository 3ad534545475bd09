"""The tab that tells what is installed: models with facts and cards, how to train another, what programs may call."""

import base64
import html
import mimetypes
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.checkpoints import InstalledModel, installed_models
from cinn_app.metrics.labels import label, value
from cinn_app.studio.api.endpoints import Endpoint, Value, describe
from cinn_app.studio.language import later, listed, tr

__all__ = ["ModelsTab", "card_text", "facts", "reference"]

LEAD = later("""
<p>Everything that this page shows is made by these models. Each is a single file with its weights, the recipe that made
it and what was measured in training.</p>
""")
MORE = later("""
<h2>Another model</h2>
<p>A recipe says all that makes a model. One that you trained takes the place of the installed one of its kind:</p>
<pre>cinn train models/digits.toml
cinn app --model checkpoints/digits.safetensors</pre>
<p>A system has its tab as soon as a model of it is installed.</p>
""")
PROGRAMS = later("""
<h2>For programs</h2>
<p>All that the tabs do has a named endpoint, described <a href="gradio_api/openapi.json">in OpenAPI</a> and below.
The link at the foot of the page shows the code that calls them.</p>
""")
CARD = later("The whole card")
IN_USE = later("<p>In use for {system}: it was asked for when the studio was started.</p>")
FACTS = {"system": later("System"), "size": later("Size"), "licence": later("Licence"), "data": later("Learnt from")}
# Of Markdown: a picture, and a link to another page of the project, which is not here.
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
ELSEWHERE = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://)[^)\s]+\)")


class ModelsTab:
    """Lays the tab out in the page that is being built.

    Args:
        endpoints: the functions that programs may call.
        given: name or path of the model that was asked for, which serves its system; it goes first.
    """

    title = later("Models")

    def __init__(self, endpoints: Sequence[Callable[..., Any]], given: str | None = None) -> None:
        with gr.Column(elem_id="models-tab"):
            gr.HTML(tr(LEAD))
            for number, model in enumerate(installed_models(given)):
                self._lay_out(model, asked_for=given is not None and number == 0)
            gr.HTML(tr(MORE))
            gr.HTML(tr(PROGRAMS) + "".join(map(reference, map(describe, endpoints))))

    def _lay_out(self, model: InstalledModel, asked_for: bool) -> None:
        with gr.Column(elem_classes="model"):
            gr.HTML(facts(model, asked_for))
            if model.card is None:
                return
            with gr.Accordion(tr(CARD), open=False, elem_classes="card") as folded:
                card = gr.Markdown(container=False)
            # Its pictures are many times larger than the page, so they come when they are wanted.
            path, quiet = model.card, {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
            folded.expand(lambda: card_text(path), None, card, **quiet)


def facts(model: InstalledModel, asked_for: bool = False) -> str:
    """Tell in HTML what a model says of itself, and whether it was asked for."""
    if model.header is None:
        heading = f"<h2>{html.escape(model.name)} <small>{tr('cannot be read')}</small></h2>"
        return f"{heading}<p>{html.escape(tr(model.problem))}</p>"
    header, recipe = model.header, model.header.recipe
    told: dict[str, Any] = {
        tr(FACTS["system"]): recipe.system,
        tr(FACTS["size"]): f"{model.size / 1e6:.1f} MB",
        tr(FACTS["licence"]): recipe.licence,
        tr(FACTS["data"]): listed(header.data),
        **{tr(label(name)): value(number) for name, number in header.figures.items()},
    }
    rows = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in told.items() if text
    )
    note = tr(IN_USE, system=html.escape(recipe.system)) if asked_for else ""
    heading = f"<h2>{html.escape(model.name)} <small>{html.escape(tr(recipe.description))}</small></h2>{note}"
    return f"{heading}<dl>{rows}</dl>"


def reference(endpoint: Endpoint) -> str:
    """Tell in HTML what an endpoint does, takes and gives."""

    def told(value: Value) -> str:
        name, kind, text = map(html.escape, (value.name, value.type, value.text))
        return f"<dt><b>{name}</b> {kind}</dt><dd>{text}</dd>"

    taken, given = ("".join(map(told, values)) for values in (endpoint.parameters, endpoint.results))
    heading = f"<summary><b>/{endpoint.name}</b> {html.escape(endpoint.text)}</summary>"
    return f"<details>{heading}<dl>{taken}</dl>{tr('Gives')}<dl>{given}</dl></details>"


def card_text(card: Path) -> str:
    """Read a card as Markdown that stands by itself: pictures inside it, title and links within the project gone."""

    def embed(found: re.Match[str]) -> str:
        picture = card.parent / found[2]
        if not picture.is_file():
            return ""
        kind = mimetypes.guess_type(picture.name)[0]
        return f"![{found[1]}](data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()})"

    text = re.sub(r"\A# .*\n", "", card.read_text(encoding="utf-8"))
    return PICTURE.sub(embed, ELSEWHERE.sub(r"\1", text))
