"""gradio's private names: all in one file."""

import ast
import subprocess
import sys
from pathlib import Path

import gradio as gr
import pytest

import cinn_app
from cinn_app.studio.gradio_workarounds import cumulative

PACKAGE = Path(cinn_app.__file__).parent
WORKAROUNDS = PACKAGE / "studio" / "gradio_workarounds.py"
# Documented, but not in gradio's `__all__`.
DOCUMENTED = {"api", "themes"}
# Attributes without an underscore that no page of gradio's documentation mentions.
UNDOCUMENTED = {"GRADIO_CACHE", "default_config", "fns", "mcp_server_obj", "mcp_error", "root_block", "state_holder"}


def private_names(source: str) -> list[str]:
    """Find what code uses of gradio beyond its documented interface, and private attributes of any object."""
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [one.name for one in names if one.name.startswith(("gradio.", "gradio_client"))]
            case ast.ImportFrom(module=str(module)) if module.startswith(("gradio.", "gradio_client")):
                found.append(module)
            case ast.ImportFrom(module="gradio", names=names):
                found += [one.name for one in names if one.name not in {*gr.__all__, *DOCUMENTED}]
            case ast.Attribute(value=ast.Name(id="gr"), attr=name) if name not in {*gr.__all__, *DOCUMENTED}:
                found.append(f"gr.{name}")
            case ast.Attribute(value=ast.Name(id="self" | "cls"), attr=name) if name not in UNDOCUMENTED:
                pass
            case ast.Attribute(attr=name) if name in UNDOCUMENTED or (name[0] == "_" and name[:2] != "__"):
                found.append(name)
            case ast.keyword(arg=str(name)) if name.startswith("_"):
                found.append(name)
    return found


def test_only_one_file_uses_private_names_of_gradio() -> None:
    folders = [PACKAGE / "studio", *PACKAGE.glob("systems/*/studio")]
    files = {file for folder in folders for file in folder.rglob("*.py")} - {WORKAROUNDS}
    assert len(files) > 20
    named_tuples = {"_replace", "_asdict"}  # methods of Python's own with an underscore
    found = {file.name: set(private_names(file.read_text("utf-8"))) - named_tuples for file in files}
    assert {name: names for name, names in found.items() if names} == {}


@pytest.mark.parametrize(
    "source",
    [
        "import gradio.utils",
        "from gradio.context import Context",
        "from gradio import utils",
        "from gradio_client.utils import apply_diff",
        "page._queue.active_jobs",
        "gr.blocks",
        "self.upload.GRADIO_CACHE",
        "page.launch(_frontend=False)",
    ],
)
def test_a_private_name_is_found(source: str) -> None:
    assert private_names(source)


def test_importing_the_studio_writes_no_stubs_and_restores_inspect() -> None:
    statement = (
        "import pathlib; written = []; pathlib.Path.write_text = lambda path, *text: written.append(path)\n"
        "import cinn_app.studio, gradio, inspect; print(inspect.getfile(gradio.Blocks), written)"
    )
    result = subprocess.run([sys.executable, "-c", statement], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("blocks.py []")


def test_each_part_of_an_answer_repeats_those_before_it() -> None:
    assert list(cumulative(lambda: iter([{"a": 1}, {"b": 2}, {"a": 3}]))()) == [
        {"a": 1},
        {"a": 1, "b": 2},
        {"a": 3, "b": 2},
    ]
