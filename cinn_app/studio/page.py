"""The page around the tabs, one for each installed system, and the endpoints behind it."""

import json
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol

import gradio as gr

from cinn_app.checkpoints import find_checkpoint, read_header, shipped_checkpoints
from cinn_app.errors import CinnError
from cinn_app.recipes import ColorizationRecipe
from cinn_app.studio.api.endpoints import Api, publish
from cinn_app.studio.colorize.endpoints import ColorizeApi
from cinn_app.studio.colorize.tab import ColorizeTab
from cinn_app.studio.digits.endpoints import DigitsApi
from cinn_app.studio.digits.tab import DigitsTab
from cinn_app.studio.language import LANGUAGES, SOURCE, language, speaking, tr
from cinn_app.studio.models.endpoints import ModelsApi
from cinn_app.studio.models.tab import ModelsTab
from cinn_app.studio.server.loading import Deferred
from cinn_app.studio.server.startup import without_stubs
from cinn_app.studio.server.status import measured
from cinn_app.studio.widgets.address import keep_tab_in_address
from cinn_app.systems.colorization.axes import axes_from_details
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.digits.generator import DigitGenerator

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


class System(Protocol):
    """What a tab is about."""

    @property
    def recipe(self) -> Any: ...


class Kind(NamedTuple):
    """What the studio knows of a system.

    Attributes:
        model: the name of the model that ships for it.
        load: gives the system by a model's name.
        tab: lays the system out in the page.
        api: has the system's endpoints.
    """

    model: str
    load: Callable[[str], System]
    tab: type[Any]
    api: Callable[[Any], Api]


def _colorizer(name: str) -> Deferred:
    """Load it later: its tab is laid out from the recipe and the axes."""
    known = {"axes": lambda checkpoint: axes_from_details(checkpoint.details)}
    return Deferred(lambda name: measured(Colorizer.load(name), "colorize"), name, ColorizationRecipe, known)


#: By the system's name in recipes, in the order of the tabs.
KINDS = {
    "colorization": Kind("colorize", _colorizer, ColorizeTab, ColorizeApi),
    "digits": Kind("digits", DigitGenerator.load, DigitsTab, DigitsApi),
}
#: What gradio calls the languages.
LOCALES = {"en": "en", "zh": "zh-CN"}
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


def build(systems: Mapping[str, System], shown: str | None = None, model: str | None = None) -> Studio:
    """Lay out the page.

    Args:
        systems: one for each tab, by its name in recipes; all visitors share them.
        shown: whose tab is open at first; by default that of the first.
        model: as :func:`load_systems` was given it.
    """
    studio = _lay_out(systems, shown, model)
    studio.again = partial(_lay_out, systems, shown, model)
    return studio


def _lay_out(systems: Mapping[str, System], shown: str | None, model: str | None) -> Studio:
    """Lay the page out in the language that is being spoken."""
    apis = {name: kind.api(systems[name]) for name, kind in KINDS.items() if name in systems}
    computing = [endpoint for api in apis.values() for endpoint in api.endpoints]
    telling = ModelsApi(apis, model).models
    with Studio(title=TITLE, analytics_enabled=False, delete_cache=DELETE_CACHE) as studio:
        _lay_out_header()
        with gr.Tabs(selected=shown) as tabs:
            for name, kind in KINDS.items():
                if name in systems:
                    with gr.Tab(tr(kind.tab.title), id=name):
                        kind.tab(systems[name])
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
    for one, locale in LOCALES.items():
        with speaking(one):
            said[locale] = {"common.complete": tr("Done"), "common.progress": tr("Progress")}
    return gr.I18n(**said)


def _lay_out_header() -> None:
    said = tr("Photographs in colour, digits in any hand. Nothing leaves the computer that runs this page.")
    here = language()
    languages = " / ".join(
        f"<b>{name}</b>" if one == here else f'<a href="?lang={one}" hreflang="{one}" lang="{one}">{name}</a>'
        for one, name in LANGUAGES.items()
    )
    gr.HTML(
        f'<h1>cinn</h1><p>{said}</p><nav aria-label="{tr("Language")}">{languages}</nav>',
        js_on_load=CHANGING % json.dumps(here),
        elem_id="header",
    )


def load_systems(model: str | None = None) -> dict[str, System]:
    """Load the installed model of each system; of what takes long, only the recipe at first.

    Args:
        model: name of an installed model, or path of a checkpoint, that takes the place of its system's.

    Returns:
        By name in recipes; the given model's first, the others in the order of their tabs.

    Raises:
        CinnError: if the given model cannot be loaded, or none is given and none can be.
    """
    systems: dict[str, System] = {}
    if model is not None:
        given = read_header(find_checkpoint(model)).recipe.system
        systems[given] = KINDS[given].load(model)
    failures = []
    for name, kind in KINDS.items():
        if name in systems:
            continue
        try:
            systems[name] = kind.load(kind.model)
        except CinnError as error:
            failures.append(error)
            if (shipped_checkpoints() / f"{kind.model}.safetensors").exists():
                print(f"There is no tab {kind.tab.title}: {error}", flush=True)
    if not systems:
        raise failures[0]
    return systems
