"""Every installed file is under the MIT licence, or NOTICE says whose it is; the texts of all licences are there."""

import re
import tomllib
from pathlib import Path

import pytest

from cinn_app.checkpoints import find_checkpoint, read_header
from cinn_app.recipes import load_recipe

ROOT = Path(__file__).parents[1]
NOTICE = (ROOT / "NOTICE").read_text("utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
#: Names of files, each on a line of its own, with what is said about them below.
NAMED = {
    name: said
    for names, said in re.findall(r"^((?:\S+\n)+)((?: {4}.*\n)+)", NOTICE, re.MULTILINE)
    for name in names.splitlines()
}
#: Pictures that the authors made: plots, and what the models drew.
OWN = (
    r"docs/images/(digits|digit-axes|(kinematics|star-cluster|tissue|eight-modes|tutorial)-\w+|eight-modes"
    r"|studio-(digits|hand|map))\.\w+|examples/conditional_flow\.ipynb"
)


def terms(file: str) -> set[str]:
    """Return the licences that NOTICE gives for a file."""
    return set(re.findall(r"\b(Apache-2\.0|CC0-1\.0|CC-BY[\w.-]*\d)", NAMED[file]))


def test_each_named_file_exists_and_each_foreign_one_is_named() -> None:
    assert all((ROOT / name).is_file() for name in NAMED)
    shown = (
        path for pattern in ("docs/images/*", "examples/*.ipynb", "cinn_app/**/*.webp") for path in ROOT.glob(pattern)
    )
    pictures = {name for path in shown if not re.fullmatch(OWN, name := path.relative_to(ROOT).as_posix())}
    weights = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.glob("checkpoints/*.safetensors")
        if read_header(path).recipe.licence != "MIT"
    }
    assert {*NAMED} == pictures | weights


def test_the_licence_expression_names_all_parts_whose_texts_are_there() -> None:
    expression = set(PROJECT["project"]["license"].split(" AND "))
    parts = set().union(*map(terms, NAMED))
    assert expression == {"MIT", *parts}
    assert {path.stem for path in (ROOT / "LICENSES").iterdir()} == parts
    assert PROJECT["project"]["license-files"] == ["LICENSE", "NOTICE", "LICENSES/*.txt"]


@pytest.mark.parametrize(
    ("name", "licence"), [("colorize", "CC BY-NC 4.0"), ("colorize-open", "CC BY 4.0"), ("digits", "CC BY-SA 3.0")]
)
def test_recipe_checkpoint_card_and_notice_say_the_same_of_the_weights(name: str, licence: str) -> None:
    recipe = load_recipe(ROOT / "models" / f"{name}.toml")
    assert read_header(find_checkpoint(name)).recipe.licence == recipe.licence
    assert recipe.licence.startswith(licence)
    card = " ".join((ROOT / "models" / f"{name}.md").read_text("utf-8").split())
    assert licence in card and "Pictures that you make with the model are your own." in card
    assert licence.replace(" ", "-") in terms(f"checkpoints/{name}.safetensors")


def test_the_main_models_terms_name_its_data() -> None:
    for text in (load_recipe(ROOT / "models" / "colorize.toml").licence, NAMED["checkpoints/colorize.safetensors"]):
        flat = " ".join(text.split())
        assert "private and other non-commercial use" in flat and "as far as it is ours to give" in flat
        assert all(name in flat for name in ("photos2", "photos", "ImageNet", "non-commercial research"))


def test_the_open_models_terms_name_its_data_and_a_shop() -> None:
    said = load_recipe(ROOT / "models" / "colorize-open.toml").licence
    card = " ".join((ROOT / "models" / "colorize-open.md").read_text("utf-8").split())
    assert "in a shop" in said and "in a shop" in card
    for data in ("Unsplash", "Pexels", "Caltech 101", "TensorFlow", "Grocery Store", "MIT", "CC0", "CC BY"):
        assert data in said and data in card
