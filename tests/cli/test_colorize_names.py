"""The files that `cinn colorize` writes: names, formats, contents."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinn_app.files import name_key
from cinn_app.imaging import read_provenance

PILLOW_NAMES = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG", "webp": "WEBP", "tif": "TIFF", "tiff": "TIFF"}


def files(folder: str) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if path.is_file())


def colours(path: str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_one_sample_keeps_name_size_and_tree(colorize: Callable, draw: Callable) -> None:
    draw("in/a.jpg", size=(31, 17))
    draw("in/1950/b.png", size=(16, 90))
    draw("in/1950/summer/c.tif")
    result = colorize("in", "-o", "made/out", "--recursive")
    assert result == (0, "Coloured 3 pictures into made/out.\n", "")
    assert files("made/out") == ["1950/b.png", "1950/summer/c.tif", "a.jpg"]
    assert Image.open("made/out/a.jpg").size == (31, 17)
    assert Image.open("made/out/1950/b.png").size == (16, 90)
    assert np.ptp(colours("made/out/1950/b.png"), axis=-1).mean() > 5


def test_subfolders_are_left_alone_unless_asked_for(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/sub/b.png")
    assert colorize("in", "-o", "out").out == "Coloured 1 picture into out.\n"
    assert files("out") == ["a.png"]


def test_several_samples_are_numbered_and_differ(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    assert colorize("a.png", "-o", "out", "--samples", 3, "--temperature", 1).code == 0
    assert files("out") == ["a-1.png", "a-2.png", "a-3.png"]
    first, second, third = (colours(f"out/a-{number}.png") for number in (1, 2, 3))
    assert (first != second).any() and (first != third).any() and (second != third).any()


def test_keep_writes_the_input_format_or_png(colorize: Callable, draw: Callable) -> None:
    for name in ("a.jpg", "b.JPG", "c.jpeg", "d.png", "e.webp", "f.tif", "g.tiff", "h.gif", "i.bmp", "j.ppm"):
        draw(f"in/{name}")
    draw("in/k.mpo", format="MPO")
    assert colorize("in", "-o", "out").code == 0
    written = files("out")
    assert written == [
        "a.jpg", "b.JPG", "c.jpeg", "d.png", "e.webp", "f.tif", "g.tiff", "h.png", "i.png", "j.png", "k.jpg"
    ]  # fmt: skip
    for name in written:
        assert Image.open(f"out/{name}").format == PILLOW_NAMES[name.lower().rpartition(".")[2]]


@pytest.mark.parametrize("chosen", ["png", "jpg", "webp", "tiff"])
def test_format_is_written_whatever_the_input_is(colorize: Callable, draw: Callable, chosen: str) -> None:
    draw("a.jpeg")
    draw("b.gif")
    assert colorize("a.jpeg", "b.gif", "-o", "out", "--format", chosen).code == 0
    assert files("out") == [f"a.{chosen}", f"b.{chosen}"]
    assert Image.open(f"out/a.{chosen}").format == PILLOW_NAMES[chosen]


def test_output_inside_the_input_is_never_read_again(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/sub/b.png")
    for _ in range(2):
        result = colorize("in", "-o", "in/sub/out", "-r", "--overwrite")
        assert result.out == "Coloured 2 pictures into in/sub/out.\n"
    assert files("in/sub/out") == ["a.png", "sub/b.png"]


def test_a_picture_named_twice_is_coloured_once(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    assert colorize("in", "in/a.png", "./in/../in/a.png", "-o", "out").out == "Coloured 1 picture into out.\n"


def test_names_that_some_systems_take_for_one_never_share_an_output(colorize: Callable, draw: Callable) -> None:
    composed, apart = (unicodedata.normalize(form, "été.png") for form in ("NFC", "NFD"))
    for name in ("A.jpg", "a.jpg", "a.JPG", "Album/b.png", "album/b.png", composed, apart):
        draw(f"in/{name}")
    for _ in range(2):  # the second run finds all of them finished
        result = colorize("in", "-o", "out", "-r", "--sheet")
        assert (result.code, result.err) == (0, "")
    made = files("out")
    assert len({name_key(name) for name in made}) == len(made) == 14
    assert {"A.jpg", "a (2).JPG", "a (3).jpg", "Album/b.png", "album/b (2).png"} <= {*made}
    sources = {read_provenance(Path("out", name))["source"] for name in made if "sheet" not in name}
    assert sources == {"A.jpg", "a.JPG", "a.jpg", "b.png", composed, apart}


@pytest.mark.skipif(os.name == "nt", reason="paths are too long there before names are")
def test_long_names_are_cut_between_letters_and_keep_their_numbers(colorize: Callable, draw: Callable) -> None:
    accented = unicodedata.normalize("NFD", "é")  # three bytes
    for name in ("a" * 249 + "1.png", "a" * 249 + "2.png", accented * 83 + ".png", "short.png"):
        draw(f"in/{name}")
    for _ in range(2):  # the second run finds all of them finished
        result = colorize("in", "-o", "out", "--samples", 2, "--uncertainty", "--sheet")
        assert (result.code, result.err) == (0, "")
    assert "4 finished before" in result.out
    made = files("out")
    assert len(made) == 16 and max(len(name.encode()) for name in made) <= 255
    assert {"short-1.png", "short-uncertainty.png"} <= {*made}
    cut = "a" * 239  # and -uncertainty.png
    assert {f"{cut}-1.png", f"{cut}-sheet.jpg", f"{cut[:-4]} (2)-2.png", f"{cut[:-4]} (2)-uncertainty.png"} <= {*made}
    assert f"{accented * 79}-2.png" in made
    assert colorize("in", "-o", "one").code == 0
    assert files("one") == files("in")  # these fit


def test_seed_repeats_and_varies(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    for folder, seed in (("one", 3), ("again", 3), ("other", 4)):
        assert colorize("a.png", "-o", folder, "--seed", seed, "--temperature", 1).code == 0
    one, again, other = (Path(folder, "a.png").read_bytes() for folder in ("one", "again", "other"))
    assert one == again != other


def test_no_strength_is_gray(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    assert colorize("a.png", "-o", "out", "--strength", 0).code == 0
    assert np.ptp(colours("out/a.png"), axis=-1).max() <= 1
