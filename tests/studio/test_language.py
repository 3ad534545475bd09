"""English and Chinese: nothing shown is without its Chinese, and no Chinese without its English."""

import ast
import string
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import cinn_app
from cinn_app.studio.language import language, retell, speaking, tr, wanted

PACKAGE = Path(cinn_app.__file__).parent
STUDIO = PACKAGE / "studio"


def key(text: str) -> str:
    return " ".join(text.split())


def said_in(folder: Path) -> Iterator[str]:
    """Find the texts that are handed to `tr` and `later`."""
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("tr", "later"):
                text = node.args[0]
                assert not isinstance(text, ast.JoinedStr), f"{file.name}, {text.lineno}: a text without f, please"
                branches = [text.body, text.orelse] if isinstance(text, ast.IfExp) else [text]
                yield from (
                    key(one.value) for one in branches if isinstance(one, ast.Constant) and isinstance(one.value, str)
                )


def written_below() -> Iterator[str]:
    """Find what the floors below the studio, and the recipes, write; "{}" stands for what is put in."""
    for file in PACKAGE.rglob("*.py"):
        if file.is_relative_to(STUDIO):
            continue
        tree = ast.parse(file.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                yield key("".join(part.value if isinstance(part, ast.Constant) else "{}" for part in node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield key(node.value)
    for recipe in (PACKAGE.parent / "models").glob("*.toml"):
        yield tomllib.loads(recipe.read_text("utf-8"))["description"]


def entries(kind: str) -> list[dict[str, str]]:
    files = sorted(STUDIO.rglob("zh.toml"))
    return [entry for file in files for entry in tomllib.loads(file.read_text("utf-8")).get(kind, ())]


def blanks(text: str) -> set[str]:
    """Find the names in braces, with how each is written."""
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


def test_every_text_has_its_chinese_and_no_chinese_is_left_over() -> None:
    shown, translated = set(said_in(STUDIO)), {key(entry["en"]) for entry in entries("text")}
    assert shown - translated == set(), "give these their Chinese in the room's zh.toml"
    assert translated - shown == set(), "nobody says these any more"


def test_every_sentence_from_below_is_one_that_is_still_written_there() -> None:
    below = set(written_below())
    for entry in entries("told"):
        parts = string.Formatter().parse(key(entry["en"]))
        assert "".join(text + "{}" * (name is not None) for text, name, _, _ in parts) in below, entry["en"]


def test_a_translation_has_the_same_blanks() -> None:
    for entry in entries("text") + entries("told"):
        assert blanks(entry["en"]) == blanks(entry["zh"]), entry["en"]


def test_no_text_is_translated_twice() -> None:
    twice = Counter(key(entry["en"]) for entry in entries("text") + entries("told"))
    assert [text for text, count in twice.items() if count > 1] == []


@pytest.mark.parametrize(
    ("query", "header", "language"),
    [
        ({}, "", "en"),
        ({}, "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ({}, "zh-TW", "zh"),
        ({}, "en-US,en;q=0.9,zh-CN;q=0.8", "en"),
        ({}, "de,zh;q=0.3,en;q=0.9", "en"),
        ({}, "fr;q=x, *", "en"),
        ({"lang": "zh"}, "en-US", "zh"),
        ({"lang": "en"}, "zh-CN", "en"),
        ({"lang": "xx"}, "zh-CN", "zh"),
    ],
)
def test_the_address_goes_before_the_browser_and_the_browsers_first_before_its_second(
    query: dict[str, str], header: str, language: str
) -> None:
    assert wanted(query, {"accept-language": header}) == language


def test_english_is_the_source_and_stays_as_it_is() -> None:
    assert language() == "en"
    assert tr("Painting No. {number}", number=3) == "Painting No. 3"
    assert retell("The hints a.json cannot be read (gone): check the path.").startswith("The hints a.json")


def test_what_is_not_known_is_said_in_english() -> None:
    with speaking("zh"):
        assert tr("Painting No. {number}", number=3) == "正在绘制 3 号"
        assert tr("Nobody says this.") == "Nobody says this."
        assert retell("Nobody {says} this.") == "Nobody {says} this."


def test_what_is_put_into_a_sentence_from_below_is_told_too() -> None:
    with speaking("zh"):
        assert retell("Only the first of 3 pages is used.") == "共 3 页，只使用第一页。"
        assert retell("{0} is empty (0 bytes): fetch it again from where it came.").startswith("{0} 是空文件")
