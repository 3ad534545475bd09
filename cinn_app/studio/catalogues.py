"""The catalogues of the studio's texts: read at the start, and brought up to date with ``make texts``.

English is the source and stands in the code. Each other language has a gettext catalogue beside the code whose texts
it translates: ``cinn_app/studio/locale/zh.po`` for the core and all that several rooms say, and
``cinn_app/systems/NAME/studio/locale/zh.po`` for what a system and its room say alone. A further language needs nothing
but its catalogues: ``python -m cinn_app.studio.catalogues de`` begins them.
"""

import ast
import builtins
import functools
import gettext
import io
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from babel import Locale
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from cinn_app.registry import room_folders

__all__ = ["SOURCE", "catalogue_files", "extracted", "languages", "translations", "update"]

#: The language of the code.
SOURCE = "en"
STUDIO = Path(__file__).parent
PACKAGE = STUDIO.parent
#: What is called with a text: these, and whatever ends in "Error"; `ntr` takes a singular and a plural.
MARKS = {"tr", "ntr", "later", "Message", "Damage"}
#: Folders and files whose texts the studio never shows: the command line and training.
NOT_SHOWN = {"cli", "commands", "training", "flows", "systems", "data", "evaluation", "pack"}
NOT_SHOWN |= {"bidirectional", "calibration", "observations", "plots", "problem", "simulations"}


@functools.cache
def languages() -> dict[str, str]:
    """Return what each language calls itself, by its code in addresses and HTML; the source comes first."""
    codes = sorted({file.stem for folder in _folders() for file in folder.glob("locale/*.po")})
    return {code: Locale.parse(code).get_display_name() or code for code in (SOURCE, *codes)}


@functools.cache
def translations(language: str) -> gettext.NullTranslations:
    """Return the texts in a language; what no catalogue has stays English."""
    chain = gettext.NullTranslations()
    for file in catalogue_files(language):
        compiled = io.BytesIO()
        write_mo(compiled, _read(file))
        compiled.seek(0)
        further = gettext.GNUTranslations(compiled)
        further.add_fallback(chain)
        chain = further
    return chain


def catalogue_files(language: str) -> list[Path]:
    """Return the catalogues of a language that there are."""
    files = [folder / "locale" / f"{language}.po" for folder in _folders()]
    return [file for file in files if file.exists()]


def extracted() -> dict[Path, Catalog]:
    """Find the texts in the code, by the folder of the studio or of a room whose catalogue they belong in."""
    studio, *rooms = _folders()
    found = {studio: _extract(PACKAGE), **{room: _extract(room.parent) for room in rooms}}
    for file in sorted((PACKAGE.parent / "models").glob("*.toml")):
        recipe = tomllib.loads(file.read_text("utf-8"))
        room = next((room for room in rooms if room.parent.name == recipe["system"]), studio)
        for text in (recipe["description"], recipe["licence"]):
            found[room].add(text, locations=[(f"models/{file.name}", 0)])
    times = Counter(message.id for catalog in found.values() for message in catalog)
    for room in rooms:
        for message in [message for message in found[room] if message.id and times[message.id] > 1]:
            found[studio].add(message.id, locations=message.locations)
            found[room].delete(message.id)
    return found


def update(language: str) -> None:
    """Write the catalogues of a language: new texts are empty or marked fuzzy, those that are gone are at the end."""
    read = [_read(file) for file in catalogue_files(language)]
    known = [message for catalog in read for message in (*catalog, *catalog.obsolete.values()) if message.id]
    for folder, template in extracted().items():
        file = folder / "locale" / f"{language}.po"
        catalog = _read(file) if file.exists() else Catalog(language, header_comment=f"# {folder.parent.name}")
        own = {message.id for message in (*catalog, *catalog.obsolete.values())}
        catalog.obsolete.clear()
        for message in known:  # a text may have moved from another room, or have come back
            if message.id not in catalog:
                catalog[message.id] = message
        catalog.update(template, update_creation_date=False)
        for key in [key for key, message in catalog.obsolete.items() if message.id not in own]:
            del catalog.obsolete[key]
        file.parent.mkdir(exist_ok=True)
        with file.open("wb") as stream:
            write_po(stream, catalog, width=120, include_lineno=False)


def _folders() -> list[Path]:
    return [STUDIO, *room_folders()]


def _read(file: Path) -> Catalog:
    with file.open("rb") as stream:
        return read_po(stream, locale=file.stem)


def _extract(folder: Path) -> Catalog:
    catalog = Catalog()
    for file in _shown(folder):
        for text in _texts(ast.parse(file.read_text("utf-8"))):
            catalog.add(text, locations=[(file.relative_to(PACKAGE.parent).as_posix(), 0)])
    return catalog


def _texts(tree: ast.AST) -> Iterator[str | tuple[str, str]]:
    """Find the texts that a module marks, in its order; Babel's own extractor finds none inside f-strings."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        texts = [one.value for one in call.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if texts and (name in MARKS or (name.endswith("Error") and not hasattr(builtins, name))):
            yield (texts[0], texts[1]) if name == "ntr" else texts[0]


def _shown(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.stem in NOT_SHOWN:
            continue
        if entry.is_dir():
            yield from _shown(entry)
        elif entry.suffix == ".py":
            yield entry


if __name__ == "__main__":
    for language in sys.argv[1:] or list(languages())[1:]:
        update(language)
