"""Fixtures that all tests share, and the order in which they run."""

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont
from tiny_recipes import TINY_DIGITS_RECIPE, TINY_RECIPE


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--last-bits", action="store_true", help="disturb the last bits of floats, as other CPUs do")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    if not item.config.getoption("last_bits") or "compiles" in item.name:  # torch.compile supports no dispatch mode
        return (yield)
    from last_bits import LastBits

    with LastBits():
        return (yield)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that drive a browser or start a studio, begin with the longest, keep together what shares fixtures.

    Workers take tests one by one, so that all of them end at the same time; but tests that share a fixture of their
    module go to one worker, which makes it once.
    """
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "browser" in fixtures:
            item.add_marker("browser")
        elif "serving" in fixtures:  # a studio in a process of its own
            item.add_marker("slow")
        if isinstance(item, pytest.Function) and any(
            definition.scope == "module"
            for definitions in item._fixtureinfo.name2fixturedefs.values()
            for definition in definitions
        ):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    items.sort(key=lambda item: (not item.get_closest_marker("slow"), not item.get_closest_marker("browser")))


@pytest.fixture
def tiny_recipe() -> dict[str, Any]:
    """The recipe of the smallest model there is, as a TOML file would give it, to be changed at will."""
    return copy.deepcopy(TINY_RECIPE)


@pytest.fixture
def as_toml() -> Callable[[dict[str, Any]], str]:
    """Write a recipe as a file has it: JSON's values are TOML's, too."""

    def write(recipe: dict[str, Any]) -> str:
        lines = [f"{key} = {json.dumps(value)}" for key, value in recipe.items() if not isinstance(value, dict)]
        for name, section in recipe.items():
            if isinstance(section, dict):
                lines += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in section.items())]
        return "\n".join(lines)

    return write


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the smallest model there is, with random weights: quick, and as colourful as it is wrong."""
    import torch

    from cinn_app.checkpoints import Checkpoint, save_checkpoint
    from cinn_app.recipes import parse_recipe
    from cinn_app.systems.colorization.model import ColorizationModel

    recipe = parse_recipe(TINY_RECIPE, "the tests")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ColorizationModel(recipe.architecture)
        # Also what starts at zero, such as the last layer of every subnet, so that the flow is not the identity.
        parts = (model.decoder, 0.2), (model.splits, 0.1), (model.to_details, 0.1), (model.flow.details, 0.1)
        for part, deviation in (*parts, (model.flow.base, 0.03)):
            for parameter in part.parameters():
                parameter.data += deviation * torch.randn_like(parameter)
    path = tmp_path_factory.mktemp("checkpoints") / "tiny.safetensors"
    save_checkpoint(path, Checkpoint(recipe, dict(model.state_dict()), {"held_out_bits_per_dim": 5.25}, ["noise"]))
    return path


@pytest.fixture
def tiny_digits_recipe() -> dict[str, Any]:
    """The recipe of the smallest generator of digits, as a TOML file would give it, to be changed at will."""
    return copy.deepcopy(TINY_DIGITS_RECIPE)


@pytest.fixture(scope="session")
def tiny_digits_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the smallest generator of digits, with random weights and axes: quick, and illegible."""
    import torch

    from cinn_app.checkpoints import Checkpoint, save_checkpoint
    from cinn_app.recipes import parse_recipe
    from cinn_app.systems.digits.model import AXES, CLASSES, DigitModel

    recipe = parse_recipe(TINY_DIGITS_RECIPE, "the tests")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = DigitModel(recipe.architecture)
        for parameter in model.parameters():
            parameter.data += 0.04 * torch.randn_like(parameter)
        model.axes.copy_(torch.nn.functional.normalize(torch.randn_like(model.axes), dim=-1))
    names = ["slant", "width", *(f"shape {number}" for number in range(3, AXES + 1))]
    axes = [[[name, 0.5 / number] for number, name in enumerate(names, start=1)]] * (CLASSES + 1)
    path = tmp_path_factory.mktemp("checkpoints") / "tiny-digits.safetensors"
    save_checkpoint(
        path, Checkpoint(recipe, dict(model.state_dict()), {"held_out_bits_per_dim": 7.5}, ["noise"], {"axes": axes})
    )
    return path


@pytest.fixture(scope="session")
def drawn_mnist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 400 training and 60 test digits in MNIST's files, drawn with a font in place of a pen."""
    folder = tmp_path_factory.mktemp("drawn")
    raw = folder / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, count in (("train", 400), ("t10k", 60)):
        labels = np.arange(count, dtype=np.uint8) % 10
        _write_idx(raw / f"{name}-labels-idx1-ubyte", labels)
        _write_idx(raw / f"{name}-images-idx3-ubyte", np.stack([_drawn_digit(label, rng) for label in labels]))
    return folder


def _drawn_digit(label: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a digit with Pillow's own font, somewhere near the middle and slanted."""
    picture = Image.new("L", (28, 28))
    shift = rng.uniform(-2, 2, 2)
    ImageDraw.Draw(picture).text((14 + shift[0], 14 + shift[1]), str(label), 255, ImageFont.load_default(22), "mm")
    slant = rng.uniform(-0.3, 0.3)
    return np.asarray(picture.transform((28, 28), Image.Transform.AFFINE, (1, slant, -14 * slant, 0, 1, 0)))


def _write_idx(path: Path, values: np.ndarray) -> None:
    path.write_bytes(bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes())
