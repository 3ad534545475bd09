"""The page: a tab for each room and one for the models, in every language, and the endpoints behind it."""

import html
import json
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

import gradio as gr

from cinn_app.studio.catalogues import SOURCE, languages, translations
from cinn_app.studio.controls import keep_tab_in_address
from cinn_app.studio.endpoints import publish
from cinn_app.studio.gradio_workarounds import BlocksWithVariants
from cinn_app.studio.handlers import ONE_AT_A_TIME, explain
from cinn_app.studio.language import language, language_links, later, speaking, tr
from cinn_app.studio.models_tab import ModelsApi, ModelsTab
from cinn_app.studio.room import rooms

__all__ = ["build", "gradio_words"]

TITLE = "cinn"
# The next visitor at the same computer finds nothing of the one before.
WAY_OUT = """<form method="post" action="logout" onsubmit="localStorage.clear(); sessionStorage.clear()">
  <button>{}</button></form>"""
# Opens the page in another language and keeps all else in the address.
# A proxy refuses an upload by a page of its own, which would be shown as an error's text.
ON_LOAD = """
const { language, refused } = %s, ask = window.fetch;
document.documentElement.lang = language;
window.fetch = async (...request) => {
    const answer = await ask(...request);
    const ofProxy = answer.status === 413 && answer.headers.get("content-type")?.startsWith("text/html");
    return ofProxy ? new Response(refused, { status: 413 }) : answer;
};
element.addEventListener("click", (event) => {
    const language = event.target.closest("a")?.hreflang, address = new URL(location);
    if (!language) return;
    event.preventDefault();
    address.searchParams.set("lang", language);
    location.assign(address);
});
"""
LOST = later("The connection is lost; trying again …")
REFUSED = later(
    "A proxy before the studio refused this file as too large: choose a smaller one, or ask the administrator to let "
    "larger requests through."
)
# Seconds: every hour gradio deletes files older than a day. All are deleted before, see `clients.py` and `serving.py`.
DELETE_CACHE = (3600, 24 * 3600)


def build(
    models: Mapping[str, Any], shown: str | None = None, given: str | None = None, has_login: bool = False
) -> gr.Blocks:
    """Lay out the page.

    Args:
        models: one for each tab, by the name of its system; all visitors share them.
        shown: name of the system with the open tab; by default the first.
        given: the argument of :func:`cinn_app.studio.room.load_models`.
        has_login: whether visitors have to log in, and can log out.
    """
    page = _lay_out(models, shown, given, has_login)
    page.set_variants(
        lambda: None if language() == SOURCE else language(),
        partial(_lay_out, models, shown, given, has_login),
    )
    page.set_explanation(explain)
    page.queue(api_open=False)  # nothing computes beside the queue
    return page


def _lay_out(
    models: Mapping[str, Any], shown: str | None, given: str | None, has_login: bool
) -> BlocksWithVariants[str]:
    """Lay the page out in the present language."""
    present = {name: room for name, room in rooms().items() if name in models}
    apis = {name: room.api(models[name]) for name, room in present.items()}
    endpoints = [endpoint for api in apis.values() for endpoint in api.endpoints]
    list_models = ModelsApi(apis, given).models
    with BlocksWithVariants[str](title=TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as page:
        _lay_out_header(has_login)
        with gr.Tabs(selected=shown) as tabs:
            for name, room in present.items():
                with gr.Tab(tr(room.title), id=name):
                    room.tab(models[name])
            with gr.Tab(tr(ModelsTab.title), id="models"):
                ModelsTab([*endpoints, list_models], given)
        gr.HTML(_terms(models.values()), elem_id="terms")
        keep_tab_in_address(page, tabs, [*present, "models"], shown)
        for endpoint in endpoints:
            publish(page, endpoint, **ONE_AT_A_TIME)
        publish(page, list_models, queue=False)
    return page


def gradio_words() -> gr.I18n:
    """Translate words that gradio's own tables lack; screen readers speak them."""
    words = {}
    for code in languages():
        locale = translations(code).info().get("language", code).replace("_", "-")  # as gradio writes it: zh-CN
        with speaking(code):
            words[locale] = {"common.complete": tr("Done"), "common.progress": tr("Progress")}
    return gr.I18n(**words)


def _terms(models: Iterable[Any]) -> str:
    """Say what may be done with pictures and weights, in HTML."""
    licences = (f"{model.recipe.name}: {tr(model.recipe.licence)}" for model in models)
    weights = html.escape(" · ".join(licences))
    return f"<p>{tr('Pictures that you make here are your own. The weights of the models:')} <span>{weights}</span></p>"


def _lay_out_header(has_login: bool) -> None:
    text = tr("Nothing leaves the computer that runs this page.")
    way_out = WAY_OUT.format(tr("Log out")) if has_login else ""
    gr.HTML(
        f"<h1>cinn</h1><p>{text}</p>{language_links()}{way_out}"
        f'<p id="line" role="status" data-lost="{tr(LOST)}" data-again="{tr("Load the page again")}"></p>',
        js_on_load=ON_LOAD % json.dumps({"language": language(), "refused": tr(REFUSED)}),
        elem_id="header",
    )
