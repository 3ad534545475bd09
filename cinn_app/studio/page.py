"""The page around the tabs, one for each installed system, and the endpoints behind it."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gradio as gr

from cinn_app.checkpoints import find_checkpoint, read_header, shipped_checkpoints
from cinn_app.errors import CinnError
from cinn_app.studio.api.endpoints import publish
from cinn_app.studio.catalogues import SOURCE, languages, translations
from cinn_app.studio.language import language, speaking, tr
from cinn_app.studio.models.endpoints import ModelsApi
from cinn_app.studio.models.tab import ModelsTab
from cinn_app.studio.room import rooms
from cinn_app.studio.server.startup import without_stubs
from cinn_app.studio.widgets.address import keep_tab_in_address

__all__ = ["build", "load_systems", "missing_words"]

TITLE = "cinn"
# Goes to the page in another language, with all else that stands in the address; the visit begins anew there, about
# which the page's script asks before any such end.
CHANGING = """
document.documentElement.lang = %s;
element.addEventListener("click", (event) => {
    const asked = event.target.closest("a")?.hreflang, address = new URL(location);
    if (!asked) return;
    event.preventDefault();
    address.searchParams.set("lang", asked);
    location.assign(address);
});
"""


# Seconds: every hour gradio deletes what is older than a day. Most goes long before: see `serving.py`.
DELETE_CACHE = (3600, 24 * 3600)


with without_stubs():  # gradio would write one for whatever is derived from its classes

    class Studio(gr.Blocks):
        """The page in every language; whoever asks gets its texts in his own, and the same program behind them."""

        #: Lays the same page out in the language that is being spoken: not before someone wants it.
        again: Callable[[], gr.Blocks] | None = None

        @property
        def config(self) -> Any:
            """All that a browser is told of the page."""
            if self.again is None or language() == SOURCE:
                return self._config
            with self._lock:
                if language() not in self._said:
                    self._said[language()] = self._learn(self.again())
                return {**self._config, **self._said[language()]}

        @config.setter
        def config(self, config: Any) -> None:
            self._config, self._lock = config, threading.Lock()
            self._said: dict[str, dict[str, Any]] = {}

        def _learn(self, page: gr.Blocks) -> dict[str, Any]:
            """Take the texts of the page in another language; its components have other numbers."""
            pairs = zip(self._config["components"], page.config["components"], strict=True)
            return {"components": [{**said, "id": one["id"]} for one, said in pairs]}


def build(systems: Mapping[str, Any], shown: str | None = None, model: str | None = None) -> Studio:
    """Lay out the page.

    Args:
        systems: one for each tab, by its name in recipes; all visitors share them.
        shown: whose tab is open at first; by default that of the first.
        model: as :func:`load_systems` was given it.
    """
    studio = _lay_out(systems, shown, model)
    studio.again = partial(_lay_out, systems, shown, model)
    return studio


def _lay_out(systems: Mapping[str, Any], shown: str | None, model: str | None) -> Studio:
    """Lay the page out in the language that is being spoken."""
    shown_rooms = {name: room for name, (_, room) in rooms().items() if name in systems}
    apis = {name: room.api(systems[name]) for name, room in shown_rooms.items()}
    computing = [endpoint for api in apis.values() for endpoint in api.endpoints]
    telling = ModelsApi(apis, model).models
    with Studio(title=TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as studio:
        _lay_out_header()
        with gr.Tabs(selected=shown) as tabs:
            for name, room in shown_rooms.items():
                with gr.Tab(tr(room.title), id=name):
                    room.tab(systems[name])
            with gr.Tab(tr(ModelsTab.title), id="models"):
                ModelsTab([*computing, telling], model)
        keep_tab_in_address(tabs)
        for endpoint in computing:  # in one line with the page's visitors
            publish(studio, endpoint, concurrency_id="colorizer", concurrency_limit=1)
        publish(studio, telling, queue=False)
    return studio


def missing_words() -> gr.I18n:
    """Give gradio the words that are not in its own tables; they are read out to those who cannot see the page."""
    said = {}
    for code in languages():
        locale = translations(code).info().get("language", code).replace("_", "-")  # as gradio writes it: zh-CN
        with speaking(code):
            said[locale] = {"common.complete": tr("Done"), "common.progress": tr("Progress")}
    return gr.I18n(**said)


def _lay_out_header() -> None:
    said = tr("Photographs in colour, digits in any hand. Nothing leaves the computer that runs this page.")
    here = language()
    links = " / ".join(
        f"<b>{name}</b>" if one == here else f'<a href="?lang={one}" hreflang="{one}" lang="{one}">{name}</a>'
        for one, name in languages().items()
    )
    gr.HTML(
        f'<h1>cinn</h1><p>{said}</p><nav aria-label="{tr("Language")}">{links}</nav>',
        js_on_load=CHANGING % json.dumps(here),
        elem_id="header",
    )


def load_systems(model: str | None = None) -> dict[str, Any]:
    """Load the installed model of each system; of what takes long, only the recipe at first.

    Args:
        model: name of an installed model, or path of a checkpoint, that takes the place of its system's.

    Returns:
        By name in recipes; the given model's first, the others in the order of their tabs.

    Raises:
        CinnError: if the given model cannot be loaded, or none is given and none can be.
    """
    loaded: dict[str, Any] = {}
    if model is not None:
        given = read_header(find_checkpoint(model)).recipe.system
        loaded[given] = rooms()[given][1].load(model)
    failures = []
    for name, (system, room) in rooms().items():
        if name in loaded:
            continue
        try:
            loaded[name] = room.load(system.default_model)
        except CinnError as error:
            failures.append(error)
            if (shipped_checkpoints() / f"{system.default_model}.safetensors").exists():
                print(f"There is no tab {room.title}: {error}", flush=True)
    if not loaded:
        raise failures[0]
    return loaded
