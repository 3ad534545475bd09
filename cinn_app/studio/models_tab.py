"""The tab about models: facts and cards, how to train another, what programs may call. The same for programs."""

import base64
import html
import mimetypes
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from cinn_app.checkpoints import InstalledModel, installed_models
from cinn_app.figures import figures_of, format_number
from cinn_app.studio.endpoints import Api, Endpoint, Line, describe
from cinn_app.studio.gradio_workarounds import Value, type_name
from cinn_app.studio.handlers import QUIET
from cinn_app.studio.language import later, listed, tr

__all__ = ["ModelsApi", "ModelsTab", "card_text", "facts", "reference"]

LEAD = later("""
<p>These models make everything on this page. Each is a single file with its weights, its recipe and the figures of its
training.</p>
""")
MORE = later("""
<h2>Another model</h2>
<p>A recipe defines a model completely. A model that you trained replaces the installed one of its system:</p>
<pre>cinn train models/NAME.toml
cinn app --model checkpoints/NAME.safetensors</pre>
<p>A system has a tab once a model of it is installed.</p>
""")
PROGRAMS = later("""
<h2>For programs</h2>
<p>Everything that the tabs do has a named endpoint, described <a href="gradio_api/openapi.json">in OpenAPI</a> and
below. The link at the bottom of the page shows code that calls them.</p>
""")
CARD = later("Full model card")
IN_USE = later("<p>In use for {system}: the studio was started with this model.</p>")
FACTS = {"system": later("System"), "size": later("Size"), "licence": later("Licence"), "data": later("Trained on")}
# Markdown: a picture, and a link to another page of the project, which the studio does not have.
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
PROJECT_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\((?!https?://)[^)\s]+\)")


class ModelsApi:
    """The endpoint that lists the models.

    Args:
        apis: the endpoints of each system that has a tab, by its name.
        given: name or path of the model that `cinn app` was given; it comes first.
    """

    def __init__(self, apis: Mapping[str, Api], given: str | None = None) -> None:
        self._apis, self._given = apis, given

    def models(self) -> tuple[list[Line], dict[str, list[str]]]:
        """List the installed models, and the axes along which samples can be moved.

        Returns:
            models: For each its name, system, description, size, licence, data and figures of its training.
            axes: By system, the names of the served model's axes, the strongest first.
        """
        lines: list[Line] = []
        for model in installed_models(self._given):
            line: Line = {"name": model.name, "megabytes": round(model.size / 1e6, 1)}
            if model.header is None:
                lines.append({**line, "problem": model.problem})
                continue
            recipe, header = model.header.recipe, model.header
            line |= {"system": recipe.system, "description": recipe.description, "licence": recipe.licence}
            lines.append({**line, "data": header.data, "figures": header.figures})
        return lines, {name: api.axes() for name, api in self._apis.items()}


class ModelsTab:
    """Lays the tab out in the page that is being built.

    Args:
        endpoints: the functions that programs may call.
        given: name or path of the model that `cinn app` was given; it comes first.
    """

    title = later("Models")

    def __init__(self, endpoints: Sequence[Callable[..., Any]], given: str | None = None) -> None:
        with gr.Column(elem_id="models-tab"):
            gr.HTML(tr(LEAD))
            for number, model in enumerate(installed_models(given)):
                self._lay_out(model, in_use=given is not None and number == 0)
            gr.HTML(tr(MORE))
            gr.HTML(tr(PROGRAMS) + "".join(map(reference, map(describe, endpoints))))

    def _lay_out(self, model: InstalledModel, in_use: bool) -> None:
        with gr.Column(elem_classes="model"):
            gr.HTML(facts(model, in_use))
            if model.card is None:
                return
            with gr.Accordion(tr(CARD), open=False, elem_classes="card") as accordion:
                card = gr.Markdown(container=False)
            # A card's pictures are many times larger than the page, so it is read when it is opened.
            path = model.card
            accordion.expand(lambda: card_text(path), None, card, **QUIET)


def facts(model: InstalledModel, in_use: bool = False) -> str:
    """Describe a model in HTML: its facts and figures, and whether it was given to `cinn app`."""
    if model.header is None:
        heading = f"<h2>{html.escape(model.name)} <small>{tr('cannot be read')}</small></h2>"
        return f"{heading}<p>{html.escape(tr(model.problem))}</p>"
    header, recipe = model.header, model.header.recipe
    figures = figures_of(recipe.system)
    texts: dict[str, Any] = {
        tr(FACTS["system"]): recipe.system,
        tr(FACTS["size"]): f"{model.size / 1e6:.1f} MB",
        tr(FACTS["licence"]): tr(recipe.licence),
        tr(FACTS["data"]): listed(header.data),
        **{tr(figures.label(name)): format_number(number) for name, number in header.figures.items()},
    }
    rows = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in texts.items() if text
    )
    note = tr(IN_USE, system=html.escape(recipe.system)) if in_use else ""
    heading = f"<h2>{html.escape(model.name)} <small>{html.escape(tr(recipe.description))}</small></h2>{note}"
    return f"{heading}<dl>{rows}</dl>"


def reference(endpoint: Endpoint) -> str:
    """Describe an endpoint in HTML, with its parameters and results."""

    def entry(value: Value) -> str:
        name, kind, text = map(html.escape, (value.name, type_name(value.schema), value.text))
        return f"<dt><b>{name}</b> {kind}</dt><dd>{text}</dd>"

    parameters, results = ("".join(map(entry, values)) for values in (endpoint.parameters, endpoint.results))
    heading = f"<summary><b>/{endpoint.name}</b> {html.escape(endpoint.text)}</summary>"
    return f"<details>{heading}<dl>{parameters}</dl>{tr('Returns')}<dl>{results}</dl></details>"


def card_text(card: Path) -> str:
    """Read a card as Markdown that stands alone: pictures embedded, title and links within the project removed."""

    def embed(found: re.Match[str]) -> str:
        picture = card.parent / found[2]
        if not picture.is_file():
            return ""
        kind = mimetypes.guess_type(picture.name)[0]
        return f"![{found[1]}](data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()})"

    text = re.sub(r"\A# .*\n", "", card.read_text(encoding="utf-8"))
    return PICTURE.sub(embed, PROJECT_LINK.sub(r"\1", text))
