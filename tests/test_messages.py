"""Messages and errors: English strings that keep their template and values, so that a front end can translate them."""

import ast
import json
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

import cinn_app
from cinn_app import errors
from cinn_app.errors import CinnError, DiskFullError, ImageError
from cinn_app.messages import Message

PACKAGE = Path(cinn_app.__file__).parent


def test_a_message_is_a_string_with_its_template_and_values() -> None:
    message = Message("{share:.0%} of {name}", share=0.25, name="{braces}")
    assert (message, len(message)) == ("25% of {braces}", 15)
    assert json.dumps({message: message}) == '{"25% of {braces}": "25% of {braces}"}'
    assert {message: 1}["25% of {braces}"] == 1
    copy = pickle.loads(pickle.dumps(message))
    assert (copy, copy.template, copy.values) == (message, "{share:.0%} of {name}", {"share": 0.25, "name": "{braces}"})


def test_without_values_braces_stay() -> None:
    assert Message("{'slant': 1.5}") == str(CinnError("{'slant': 1.5}")) == "{'slant': 1.5}"


def test_an_error_keeps_its_template_and_values() -> None:
    error = ImageError("{name}: {problem}", name="a.png", problem=CinnError("{count} holes", count=3))
    assert str(error) == error.message == "a.png: 3 holes"
    assert error.template == error.message.template == "{name}: {problem}"
    copy = pickle.loads(pickle.dumps(DiskFullError("{name} is too large.", name="a.png")))
    assert (str(copy), copy.template, copy.values) == ("a.png is too large.", "{name} is too large.", {"name": "a.png"})


def templates(file: Path) -> Iterator[tuple[str, ast.expr]]:
    """Find the templates of errors and messages in a module, with their line."""
    names = {*errors.__all__, "FlowError", "Message", "MissingExtraError", "ShapeError"}
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and node.args:
            yield f"{file.relative_to(PACKAGE)}:{node.lineno}", node.args[0]


@pytest.mark.parametrize("folder", [entry.name for entry in sorted(PACKAGE.iterdir()) if entry.is_dir()] + ["*.py"])
def test_no_error_and_no_message_is_put_together_before_it_is_one(folder: str) -> None:
    """Neither f-strings, nor sums, nor formatted strings: a catalogue could not have them."""
    for file in PACKAGE.glob(folder if folder == "*.py" else f"{folder}/**/*.py"):
        for place, template in templates(file):
            assert not isinstance(template, ast.JoinedStr | ast.BinOp | ast.Call), place
