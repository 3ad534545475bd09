"""What the documentation site has beyond the pages of this folder: MkDocs calls the functions named `on_...`.

Pages of the repository's root and of `models/` join the site where they stand in the repository, and each folder of
the package gets a page of its API. Docstrings may have Sphinx's roles: equations become drawings, which need no
script and no font, and names become links.
"""

import contextlib
import html
import pkgutil
import posixpath
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import griffe
import ziamath
from markdown import Markdown
from markdown.extensions import Extension
from markdown.inlinepatterns import InlineProcessor
from markdown.preprocessors import Preprocessor
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
#: Pages outside this folder, by their place on the site.
PAGES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
PAGES |= {f"models/{card.name}": f"models/{card.name}" for card in sorted(ROOT.glob("models/*.md"))}
#: Folders that are not imported from.
FRONT_ENDS = {"cli", "studio", "commands"}


def on_config(config: Any) -> None:
    """Read equations, and list the pages that this file adds."""
    config.markdown_extensions.append(Equations())
    cards = [{Path(page).stem: page} for page in PAGES if page.startswith("models/")]
    reference = [{package.removeprefix("cinn_app."): _place(package)} for package in _packages()]
    config.nav += [
        {"API": reference},
        {"Models": cards},
        {"Project": [{"Contributing": "contributing.md"}, {"Changelog": "changelog.md"}]},
    ]


def on_files(files: Files, config: Any) -> None:
    """Add the pages, and the files that pages link to."""
    for place, source in PAGES.items():
        files.append(File.generated(config, place, content=(ROOT / source).read_text(encoding="utf-8")))
    for package in _packages():
        files.append(File.generated(config, _place(package), content=_reference(package)))
    for page in list(files.documentation_pages()):
        for target in _linked(page.content_string, _source(page)):
            place = _place_of(target)
            if place not in files.src_uris and (ROOT / target).is_file():
                files.append(File.generated(config, place, abs_src_path=str(ROOT / target)))


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links lead to where the site has what they name in the repository."""
    source = _source(page.file)

    def lead(match: re.Match[str]) -> str:
        path, _, anchor = match[1].partition("#")
        if not path or "://" in path:
            return match[0]
        place = _place_of(posixpath.normpath(posixpath.join(posixpath.dirname(source), path)))
        target = posixpath.relpath(place, posixpath.dirname(page.file.src_uri) or ".")
        return f"]({target}{'#' if anchor else ''}{anchor})"

    return re.sub(LINK, lead, markdown)


LINK = r"\]\(([^)\s]+)\)"


def _linked(markdown: str, source: str) -> Iterator[str]:
    """Yield the files of the repository that a page links to."""
    for link in re.findall(LINK, markdown):
        if "://" not in link and not link.startswith("#"):
            yield posixpath.normpath(posixpath.join(posixpath.dirname(source), link.partition("#")[0]))


def _source(file: File) -> str:
    """Return where a page stands in the repository."""
    return PAGES.get(file.src_uri, f"docs/{file.src_uri}")


def _place_of(source: str) -> str:
    """Return where the site has a file of the repository."""
    places = {source: place for place, source in PAGES.items()}
    return places.get(source, source.removeprefix("docs/"))


def _place(package: str) -> str:
    return f"reference/{package.removeprefix('cinn_app.').replace('.', '-')}.md"


def _packages(name: str = "cinn_app") -> Iterator[str]:
    """Yield the package and the packages in it."""
    yield name
    folder = ROOT / name.replace(".", "/")
    for module in pkgutil.iter_modules([str(folder)]):
        if module.ispkg and module.name not in FRONT_ENDS:
            yield from _packages(f"{name}.{module.name}")


def _reference(package: str) -> str:
    """Write the page of a package: its own docstring, then its modules."""
    modules = pkgutil.iter_modules([str(ROOT / package.replace(".", "/"))])
    names = [module.name for module in modules if not module.ispkg and not module.name.startswith("_")]
    pages = [f"# {package}", f"::: {package}\n    options: {{members: false, show_root_heading: false}}"]
    return "\n\n".join([*pages, *(f"::: {package}.{name}" for name in names)])


ziamath.config.svg2 = False  # without identifiers, which would clash on a page
ziamath.config.precision = 2


def _drawing(latex: str, inline: bool) -> str:
    """Draw an equation as SVG, on the baseline of the text around it."""
    latex = " ".join(latex.split())
    equation = ziamath.Math.fromlatex(latex, size=16, color="currentColor", inline=inline)
    place = f"vertical-align: {equation.getyofst():.2f}px" if inline else "display: block; margin: auto"
    return equation.svg().replace("<svg ", f'<svg role="img" aria-label="{html.escape(latex)}" style="{place}" ', 1)


class Equations(Extension):
    """``:math:`` and ``.. math::`` become drawings."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        md.preprocessors.register(_Blocks(md), "sphinx_blocks", 28)
        md.inlinePatterns.register(_Equation(r":math:`([^`]+)`", md), "sphinx_math", 195)


class _Equation(InlineProcessor):
    def handleMatch(self, m: re.Match[str], data: str) -> tuple[str, int, int]:  # type: ignore[override]  # noqa: N802
        return self.md.htmlStash.store(_drawing(m[1], inline=True)), m.start(0), m.end(0)


class _Blocks(Preprocessor):
    """Displayed equations, and examples that no fence encloses."""

    def run(self, lines: list[str]) -> list[str]:
        # Every second part is a fenced block, which stays as it is.
        parts = re.split(r"^( *```.*?^ *```.*?$)", "\n".join(lines), flags=re.DOTALL | re.MULTILINE)
        parts[::2] = map(self._read, parts[::2])
        return "".join(parts).split("\n")

    def _read(self, text: str) -> str:
        text = re.sub(r"^>>> (?:.+\n?)+", "```pycon\n\\g<0>\n```\n", text, flags=re.MULTILINE)
        return re.sub(r"^( *)\.\. math::(.*(?:\n(?:\1 +.*)?)*)", self._display, text, flags=re.MULTILINE)

    def _display(self, match: re.Match[str]) -> str:
        equation = self.md.htmlStash.store(f"<div>{_drawing(match[2], inline=False)}</div>")
        return f"\n{match[1]}{equation}\n\n"


class RoleLinks(griffe.Extension):
    """``:class:`` and its like become links, or plain code if what they name has no page.

    A name is looked up where it stands, then in the whole package. What is found nowhere becomes a link that leads
    nowhere, of which MkDocs warns.
    """

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Replace the roles of all docstrings."""
        known = {one.path: one for one in _objects(pkg)}
        for one in known.values():
            if one.docstring:
                one.docstring.value = re.sub(
                    r":(?:class|func|meth|mod|data|attr):`~?([^`]+)`",
                    lambda match, scope=one: self._link(match[1], scope, known),
                    one.docstring.value,
                )

    def _link(self, name: str, scope: griffe.Object, known: dict[str, griffe.Object]) -> str:
        target = self._find(name, scope, known)
        if target in known:
            return f"[`{name}`][{target}]" if _has_page(known[target]) else f"`{name}`"
        external = not name.startswith("cinn_app") and find_spec(name.partition(".")[0])
        return f"`{name}`" if external else f"[`{name}`][{name}]"

    def _find(self, name: str, scope: griffe.Object, known: dict[str, griffe.Object]) -> str:
        first, dot, rest = name.partition(".")
        with contextlib.suppress(griffe.NameResolutionError):
            found = f"{scope.resolve(first)}{dot}{rest}"
            if found in known:
                return found
        owner, _, member = name.rpartition(".")
        parent = known.get(self._find(owner, scope, known)) if owner else None
        if parent and parent.is_class and member in parent.inherited_members:
            return parent.inherited_members[member].target_path
        return min((path for path in known if f".{path}".endswith(f".{name}")), key=len, default=name)


def _objects(parent: griffe.Object) -> Iterator[griffe.Object]:
    yield parent
    for member in parent.members.values():
        if not member.is_alias:
            yield from _objects(member)


def _has_page(one: griffe.Object) -> bool:
    if FRONT_ENDS & set(one.path.split(".")) or not one.docstring:
        return False
    while one.parent:
        if not one.is_public:
            return False
        one = one.parent
    return True
