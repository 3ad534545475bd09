"""`cinn colorize` with constraints: hints, axes, a choice of many, and the map of where they differ."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app import Colorizer, Hints
from cinn_app.imaging import read_provenance
from cinn_app.systems.colorization.selection import best_first


def colours(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_a_hint_puts_its_colour_there(colorize: Callable, draw: Callable) -> None:
    draw("a.png", size=(96, 64))
    for folder, hint in (("red", "40,30=#d02020"), ("blue", "40,30=#2040d0")):
        assert colorize("a.png", "-o", folder, "--hint", hint).code == 0
    red, blue = colours("red/a.png")[30, 40], colours("blue/a.png")[30, 40]
    assert red[0] > red[2] + 20 and blue[2] > blue[0] + 20
    assert read_provenance("red/a.png")["hints"][0]["colour"] == "#d02020"


def test_changed_constraints_are_named(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    assert colorize("a.png", "-o", "out", "--hint", "4,3=#d02020").code == 0
    assert colorize("a.png", "-o", "out", "--hint", "4,3=#d02020").out.endswith("1 finished before.\n")
    assert "out/a.png was made with hints" in colorize("a.png", "-o", "out").err


def test_fading_is_removed_on_request_only(colorize: Callable) -> None:
    y, x = np.mgrid[0:64, 0:96]
    Image.fromarray((155 + 45 * np.sin(x / 9) * np.cos(y / 7)).astype(np.uint8)).save("faded.png")
    assert colorize("faded.png", "-o", "as-is").code == 0
    assert colorize("faded.png", "-o", "out", "--restore-levels").code == 0
    assert np.ptp(colours("as-is/faded.png").mean(-1)) < 100 and np.ptp(colours("out/faded.png").mean(-1)) > 200
    assert read_provenance("out/faded.png")["restore_levels"] is True
    assert colorize("faded.png", "-o", "out", "--restore-levels").out.endswith("1 finished before.\n")
    assert "out/faded.png was made with restore_levels True" in colorize("faded.png", "-o", "out").err


def test_dark_rims_are_cut_off_on_request_and_places_move_along(colorize: Callable) -> None:
    waves = (128 + 90 * np.sin(np.mgrid[:80, :120][1] / 9)).astype(np.uint8)
    Image.fromarray(np.pad(waves, 12, constant_values=4)).save("film.png")
    hint = ("--hint", "62,42=#d02020")
    result = colorize("film.png", "-o", "out", "--trim", *hint)
    assert result.code == 0 and "Cut the dark rim of a film off 1 picture." in result.out
    mark, shown = read_provenance("out/film.png"), colours("out/film.png")
    left, top, width, height = mark["crop"]
    assert shown.shape[:2] == (height, width) and 74 <= height <= 80 and 114 <= width <= 120
    assert mark["hints"][0]["points"] == [[62 - left, 42 - top]]
    red = shown[42 - top, 62 - left]
    assert red[0] > red[2] + 20
    assert colorize("film.png", "-o", "out", "--trim", *hint).out.endswith("1 finished before.\n")
    assert "was made with crop" in colorize("film.png", "-o", "out", *hint).err
    assert colorize("film.png", "-o", "all", *hint).code == 0
    assert colours("all/film.png").shape[:2] == (104, 144) and "crop" not in read_provenance("all/film.png")
    for place in (("--hint", "3,3=#d02020"), ("--axis", "warmer=1", "--thing", 3, 3)):
        refused = colorize("film.png", "-o", "rim", "--trim", *place)
        assert refused.code == 1 and "is not on the photograph without its dark rim" in refused.err


@pytest.mark.parametrize(
    ("constraint", "message", "code"),
    [
        (["--hint", "4,3=red"], "The hint's colour 'red' is invalid", 2),
        (["--hint", "400,3=#d02020"], "outside the picture of 24 x 16 pixels", 1),
        (["--axis", "sweeter=1"], "There is no axis 'sweeter': choose one of 1 warmer, 2 greener, 3 more vivid", 2),
        (["--axis", "warmer=1", "--thing", "24", "3"], "The thing at 24,3 is outside the picture of 24 x 16", 1),
    ],
)
def test_an_impossible_constraint_is_one_sentence(
    colorize: Callable, draw: Callable, constraint: list, message: str, code: int
) -> None:
    draw("a.png")
    result = colorize("a.png", "-o", "out", *constraint)
    assert result.code == code and message in result.err and len(result.err.splitlines()) == 1
    assert not Path("out").exists()


def test_an_axis_moves_colours_both_ways(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    for folder, step in (("back", -2), ("stay", 0), ("on", 2)):
        assert colorize("a.png", "-o", folder, "--axis", f"warmer={step}", "--temperature", 0).code == 0
    back, stay, on = (colours(f"{folder}/a.png") for folder in ("back", "stay", "on"))
    assert np.abs(on - back).mean() > np.abs(on - stay).mean() > 0
    assert read_provenance("on/a.png")["axes"] == {"warmer": 2.0}


def test_each_scale_may_have_a_temperature(colorize: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    source, each = draw("a.png", size=(64, 48)), ("--temperature", "0,0.1,0.2,0.5,0.9", "--seed", 3)
    assert colorize(source, "-o", "out", *each).code == 0
    mark = read_provenance("out/a.png")
    assert mark["temperature"] == [0, 0.1, 0.2, 0.5, 0.9]
    assert colorize(source, "-o", "out", *each).out.endswith("before.\n")
    assert "made with temperature" in colorize(source, "-o", "out", "--seed", 3).err
    drawn = Colorizer.load(tiny_checkpoint, "cpu").colorize(source, 1, mark["temperature"], 3)[0].render()
    assert np.abs(colours("out/a.png") - drawn).max() <= 1
    result = colorize(source, "-o", "two", "--temperature", "0.3,0.5")
    assert result.code == 2 and "2 temperatures were given: give one" in result.err


def test_an_axis_moves_one_thing(colorize: Callable, draw: Callable) -> None:
    ramp = np.where(np.arange(96) < 48, 60, 200).astype(np.uint8)
    Image.fromarray(np.broadcast_to(ramp, (64, 96)).copy()).save("halves.png")
    for folder, options in (("free", []), ("moved", ["--axis", "warmer=2", "--thing", "10", "30"])):
        assert colorize("halves.png", "-o", folder, *options).code == 0
    change = np.abs(colours("moved/halves.png") - colours("free/halves.png"))
    assert change[30, 10].max() > 3 * change[:, 70:].max()
    assert read_provenance("moved/halves.png")["thing"] == [10.0, 30.0]
    draw("a.png")
    result = colorize("a.png", "halves.png", "-o", "out", "--axis", "warmer=2", "--thing", "10", "30")
    assert result.code == 2 and "A --hint or a --thing is a place of one picture" in " ".join(result.err.split())
    result = colorize("a.png", "-o", "out", "--thing", "4", "3")
    assert result.code == 2 and "A --thing moves along axes of colour: give one with --axis" in result.err


def test_a_reference_gives_its_colours(colorize: Callable, draw: Callable) -> None:
    draw("a.png", size=(64, 48))
    for name, colour in (("orange.png", (200, 110, 20)), ("blue.png", (20, 90, 220))):
        shaded = np.linspace(0.3, 1, 64 * 48).reshape(48, 64, 1) * colour
        Image.fromarray(shaded.astype(np.uint8)).save(name)
        assert colorize("a.png", "-o", name[:-4], "--reference", name).code == 0
    orange, blue = colours("orange/a.png"), colours("blue/a.png")
    assert (orange[..., 0] - orange[..., 2]).mean() > (blue[..., 0] - blue[..., 2]).mean() + 1
    assert "was made with reference" in colorize("a.png", "-o", "blue").err
    result = colorize("a.png", "-o", "gray", "--reference", "a.png")
    assert (result.code, result.err) == (1, "Error: The reference has no colours to take: give a picture in colour.\n")
    assert colorize("a.png", "-o", "out", "--reference", "nothing.png").code == 2


def test_hints_of_a_file_and_typed_ones_work_together(colorize: Callable, draw: Callable) -> None:
    draw("a.png", size=(64, 48))
    Hints.parse(["10,10=#40a040"]).on((48, 64)).save(Path("mine.json"))
    assert colorize("a.png", "-o", "out", "--hint", "mine.json", "--hint", "50,40=#4040c0").code == 0
    assert [hint["colour"] for hint in read_provenance("out/a.png")["hints"]] == ["#40a040", "#4040c0"]
    draw("b.png", size=(48, 64))
    other = colorize("b.png", "-o", "out", "--hint", "mine.json")
    assert (other.code, len(other.err.splitlines())) == (1, 1)
    assert "The hints belong to a picture of 64 x 48 pixels, and this one has 48 x 64" in other.err
    Hints.parse(["10,10=#40a040"]).on((64, 48)).save(Path("yours.json"))
    both = colorize("a.png", "-o", "out", "--hint", "mine.json", "--hint", "yours.json")
    assert both.code == 2 and "different sizes" in " ".join(both.err.split())
    missing = colorize("a.png", "-o", "out", "--hint", "none.json")
    assert missing.code == 1 and "none.json cannot be read" in missing.err


def test_diverse_keeps_those_that_represent_many(colorize: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    source = draw("a.png", size=(64, 48))
    assert colorize(source, "-o", "out", "--samples", 2, "--diverse", "--temperature", 1).code == 0
    marks = [read_provenance(f"out/a-{number}.png") for number in (1, 2)]
    assert {mark["chosen_of"] for mark in marks} == {8}
    drawn = Colorizer.load(tiny_checkpoint, "cpu").colorize(source, 8, 1.0)
    first, second = (mark["sample"] for mark in marks)
    assert torch.allclose(drawn[first].ab, best_first(drawn)[0].ab, atol=1e-3)
    ab = torch.stack([colouring.ab for colouring in drawn]).flatten(1)
    distances = torch.cdist(ab, ab)
    near = distances.mean(1).argsort()[:6]
    distances = distances[:, near]
    left = [float(torch.minimum(distances[first], distances[number]).sum()) for number in near]
    with_second = torch.minimum(distances[first], distances[second]).sum()
    assert float(with_second) == pytest.approx(min(left), rel=1e-3)
    assert colorize(source, "-o", "out", "--samples", 2, "--diverse", "--temperature", 1).out.endswith("before.\n")
    assert "chosen_of 8, not None" in colorize(source, "-o", "out", "--samples", 2, "--temperature", 1).err


def test_the_map_of_uncertainty(colorize: Callable, draw: Callable) -> None:
    draw("a.png", size=(60, 40))
    for folder, temperature in (("still", 0), ("cool", 0.3), ("warm", 0.8)):
        options = ["--samples", 3, "--uncertainty", "--sheet", "--temperature", temperature]
        assert colorize("a.png", "-o", folder, *options).code == 0
        assert colorize("a.png", "-o", folder, *options).out.endswith("1 finished before.\n")
    still, cool, warm = (Image.open(f"{folder}/a-uncertainty.png") for folder in ("still", "cool", "warm"))
    assert warm.mode == "L" and warm.size == (60, 40)
    assert np.max(still) == 0 < np.mean(cool) < np.mean(warm)
