"""Unusual inputs of `cinn colorize`, none of which it changes."""

import hashlib
import json
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from cinn_app.imaging import read_provenance


def state(folder: str | Path) -> dict[Path, tuple[str, int]]:
    """The content and the modification time of every file."""
    return {
        path: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def names(folder: str) -> set[str]:
    return {path.name for path in Path(folder).rglob("*")}


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def test_each_broken_file_gets_one_line_and_the_rest_continues(colorize: Callable, draw: Callable) -> None:
    whole = draw("whole.jpg", size=(200, 200)).read_bytes()
    draw("in/good.png")
    bad = {
        "cut.jpg": whole[:300],
        "empty.png": b"",
        "letter.jpg": b"Dear aunt, thank you for the photographs.",
        "vast.png": png_that_claims(60_000, 60_000),
        "phone.heic": b"\0\0\0\x18ftypheic" + bytes(100),
    }
    for name, content in bad.items():
        Path("in", name).write_bytes(content)
    Path("in", "ring.jpg").symlink_to("ring.jpg")
    before = state("in")
    result = colorize("in", "nowhere.jpg", "x" * 300, "-o", "out")
    assert result.code == 1
    assert result.out == "Coloured 1 picture into out; 8 failed.\n"
    lines = result.err.splitlines()
    assert len(lines) == 8
    assert all(line.startswith("Error: ") and line.endswith(".") for line in lines)
    for name in (*bad, "ring.jpg", "nowhere.jpg", "x" * 300):
        assert sum(name in line for line in lines) == 1
    assert names("out") == {"good.png"}
    assert state("in") == before


def test_odd_pictures_are_coloured_and_commented_on_once(colorize: Callable, draw: Callable) -> None:
    draw("in/dot.png", size=(1, 1))
    draw("in/thread.png", size=(20_000, 1))
    draw("in/tower.png", size=(1, 20_000))
    draw("in/colour.png", mode="RGB")
    draw("in/really-png.jpg", format="PNG")
    frames = [Image.new("L", (9, 7), shade) for shade in (50, 100, 150)]
    frames[0].save("in/film.gif", save_all=True, append_images=frames[1:])
    before = state("in")
    result = colorize("in", "-o", "out", "--samples", 2)
    assert result.code == 0
    lines = sorted(result.err.splitlines())
    assert len(lines) == 2
    assert "colour.png" in lines[0] and "only its lightness is used" in lines[0]
    assert "film.gif" in lines[1] and "first of 3 frames" in lines[1]
    assert Image.open("out/dot-1.png").size == (1, 1)
    assert Image.open("out/thread-2.png").size == (20_000, 1)
    assert Image.open("out/tower-2.png").size == (1, 20_000)
    assert Image.open("out/film-1.png").size == (9, 7)
    assert state("in") == before


def test_a_picture_that_is_cut_short_is_coloured_with_a_warning(colorize: Callable, draw: Callable) -> None:
    draw("in/a.jpg", size=(200, 150))
    Path("in/a.jpg").write_bytes(Path("in/a.jpg").read_bytes()[:-200])
    result = colorize("in", "-o", "out", "--report", "all.jsonl")
    assert (result.code, result.out) == (0, "Coloured 1 picture into out.\n")
    assert result.err.startswith("in/a.jpg: It is damaged or cut short: ") and result.err.endswith("are missing.\n")
    line = json.loads(Path("all.jsonl").read_text())
    assert line["warnings"] == [result.err.strip().removeprefix("in/a.jpg: ")]
    result = colorize("in", "-o", "strict", "--strict")
    assert (result.code, result.out) == (1, "Coloured 0 pictures into strict; 1 failed.\n")
    assert result.err.startswith("Error: in/a.jpg is damaged or cut short: ")


def test_junk_and_hidden_files_are_ignored(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/.hidden/b.png")
    for name in ("._a.png", ".secret.png", "desktop.ini", "Thumbs.db", "notes.txt"):
        Path("in", name).write_bytes(b"junk")
    result = colorize("in", "in/._a.png", "in/desktop.ini", "-o", "out", "--recursive")
    assert result == (0, "Coloured 1 picture into out.\n", "")


def test_pictures_that_cannot_be_read_are_named_once(colorize: Callable, draw: Callable) -> None:
    draw("in/good.png")
    draw("in/f.tga")
    for name in ("a.cr2", "b.CR2", "c.svg", "notes.txt", "@eaDir/d.png", "__MACOSX/e.jpg"):
        Path("in", name).parent.mkdir(exist_ok=True)
        Path("in", name).write_bytes(Path("in/good.png").read_bytes())
    result = colorize("in", "-o", "out", "--recursive")
    assert names("out") == {"good.png", "f.png"}
    assert result.code == 0
    assert result.err.count("Passed over, since they cannot be read: 2 .cr2, 1 .svg.") == 1
    Path("in/good.png").unlink()
    Path("in/f.tga").unlink()
    assert "(2 .cr2, 1 .svg cannot be read)" in colorize("in", "-o", "out").err


def test_the_input_is_not_overwritten_by_its_own_colouring(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/b.bmp")
    before = state("in")
    result = colorize("in", "-o", "in")
    assert result.code == 1
    assert result.err == (
        "Error: in/a.png was left out, since in/a.png is an input and is not overwritten: "
        "choose another output folder or --format.\n"
    )
    assert names("in") == {"a.png", "b.bmp", "b.png"}
    assert before.items() <= state("in").items()


def test_another_input_is_not_overwritten_either(colorize: Callable, draw: Callable) -> None:
    draw("in/a.jpg")
    draw("in/a.png")
    Path("link").symlink_to("in")
    before = state("in")
    result = colorize("in", "-o", "link", "--format", "png")
    assert (result.code, result.err.count("is an input")) == (1, 1)
    assert names("in") == {"a.jpg", "a.png", "a.jpg.png"}
    assert before.items() <= state("in").items()


def test_two_pictures_of_one_name_get_two_outputs(colorize: Callable, draw: Callable) -> None:
    draw("in/a.jpg")
    draw("in/a.png")
    assert colorize("in", "-o", "out", "--format", "png") == (0, "Coloured 2 pictures into out.\n", "")
    assert names("out") == {"a.jpg.png", "a.png"}
    assert read_provenance("out/a.jpg.png")["source"] == "a.jpg"
    draw("in/a.jpg.png")
    result = colorize("in", "-o", "again", "--format", "png")
    assert (result.code, result.out) == (1, "Coloured 2 pictures into again; 1 failed.\n")
    assert result.err.startswith("Error: in/a.jpg.png was left out, since again/a.jpg.png will be made from in/a.jpg: ")


def test_folders_with_pictures_of_one_name_are_nested(colorize: Callable, draw: Callable) -> None:
    for place in ("x/scans/1.png", "x/scans/deep/2.png", "y/scans/1.png", "y/scans/3.png"):
        draw(place)
    result = colorize("x/scans", "y/scans", "-o", "out", "-r")
    assert (result.code, result.out) == (0, "Coloured 4 pictures into out.\n")
    assert (
        result.err == "Some pictures of different folders have the same name: colourings go under the folders' names.\n"
    )
    assert {path.as_posix() for path in state("out")} == {
        "out/x/scans/1.png", "out/x/scans/deep/2.png", "out/y/scans/1.png", "out/y/scans/3.png"
    }  # fmt: skip
    assert colorize("x/scans/deep", "y/scans/3.png", "-o", "flat").err == ""
    assert names("flat") == {"2.png", "3.png"}


def test_links_that_form_a_circle_end(colorize: Callable, draw: Callable) -> None:
    draw("in/sub/a.png")
    Path("in/sub/round").symlink_to(Path("in").absolute())
    assert colorize("in", "in/sub", "-o", "in/out", "-r").out == "Coloured 2 pictures into in/out.\n"
    assert names("in/out") == {"a.png", "sub"}


def test_colourings_beside_their_inputs_are_not_inputs(colorize: Callable, draw: Callable) -> None:
    draw("in/a.gif")
    assert colorize("in", "-o", "in", "--samples", 2).out == "Coloured 1 picture into in.\n"
    assert colorize("in", "-o", "in", "--samples", 2).out == "Coloured 0 pictures into in; 1 finished before.\n"
    assert names("in") == {"a.gif", "a-1.png", "a-2.png"}


def test_a_pattern_chooses_among_the_pictures_of_folders(colorize: Callable, draw: Callable) -> None:
    for name in ("in/Scan1.png", "in/scan2.JPG", "in/other.png", "other2.png"):
        draw(name)
    Path("in/scan3.txt").write_text("about the scans")
    assert colorize("in", "other2.png", "-o", "out", "--pattern", "scan*").code == 0
    assert names("out") == {"Scan1.png", "scan2.JPG", "other2.png"}


def test_no_picture_is_one_sentence(cinn: Callable, tmp_path: Path, draw: Callable) -> None:
    draw("deep/down/a.png")
    Path("bare").mkdir()
    for inputs, sentence in {
        ("x.jpg",): "There is nothing at x.jpg: check the spelling and the folder.",
        ("x", "y", "z", "u", "v"): "There is nothing at x, y, z and 2 more: check the spelling and the folder.",
        ("bare", "-r"): "There are no pictures in bare: give pictures or folders with some.",
        ("deep",): "There are no pictures in deep: give pictures or folders with some, or search subfolders, too, "
        "with --recursive.",
    }.items():
        result = cinn("colorize", *inputs, "-o", "out")
        assert result == (1, "", f"Error: {sentence}\n")
    assert not Path("out").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.png"],
        ["-o", "out"],
        ["a.png", "-o", "out", "--colour", "red"],
        ["a.png", "-o", "out", "--samples", "0"],
        ["a.png", "-o", "out", "--samples", "many"],
        ["a.png", "-o", "out", "--temperature", "2.1"],
        ["a.png", "-o", "out", "--temperature", "nan"],
        ["a.png", "-o", "out", "--temperature", "0.3,0.5"],
        ["a.png", "-o", "out", "--temperature", "1,1,1,1,warm"],
        ["a.png", "-o", "out", "--strength", "-1"],
        ["a.png", "-o", "out", "--strength", "nan"],
        ["a.png", "-o", "out", "--seed", "-1"],
        ["a.png", "-o", "out", "--format", "gif"],
        ["a.png", "-o", "a.png"],
        ["a.png", "-o", "out", "--quality", "101"],
        ["a.png", "-o", "out", "--jobs", "0"],
        ["a.png", "-o", "-", "--samples", "2"],
        ["a.png", "-o", "-", "--sheet"],
        ["a.png", ".", "-", "-o", "-"],
        ["-", "-", "-o", "out"],
        ["a.png", "-o", "out", "--uncertainty"],
        ["a.png", "-o", "out", "--axis", "warmer"],
        ["a.png", "-o", "out", "--axis", "warmer=4"],
        ["a.png", "b.png", "-o", "out", "--hint", "1,1=#ff0000"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2(cinn: Callable, draw: Callable, arguments: list[str]) -> None:
    draw("a.png")
    draw("b.png")
    result = cinn("colorize", *arguments)
    assert (result.code, result.out) == (2, "")
    assert "Usage:" in result.err and "Traceback" not in result.err
    assert names(".") == {"a.png", "b.png"}


def test_ranges_are_those_of_the_model(tiny_checkpoint: Path) -> None:
    from cinn_app.systems.colorization.colorizer import MAX_TEMPERATURE

    assert MAX_TEMPERATURE == 2


def test_missing_models_and_devices_are_refused(cinn: Callable, draw: Callable, tiny_checkpoint: Path) -> None:
    draw("a.png")
    whole = tiny_checkpoint.read_bytes()
    Path("cut.safetensors").write_bytes(whole[:5000])
    Path("flipped.safetensors").write_bytes(whole[:-100] + bytes(100))
    for options, word in (
        (["--model", "painter"], "no checkpoint at painter"),
        (["--model", "cut.safetensors"], "truncated"),
        (["--model", "flipped.safetensors"], "digest"),
        (["--model", "a.png"], "not a safetensors file"),
        (["--model", tiny_checkpoint, "--device", "abacus"], "device 'abacus' is unknown"),
    ):
        result = cinn("colorize", "a.png", "-o", "out", *options)
        assert result.code == (2 if "device" in word else 1)
        assert len(result.err.splitlines()) == 1 and result.err.startswith("Error: ") and word in result.err
    assert not Path("out").exists()


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be")
def test_control_characters_in_names_do_not_break_the_line(colorize: Callable, draw: Callable) -> None:
    draw("in/good\nlook.png", mode="RGB")
    Path("in", os.fsdecode(b"bad\xff\x1b[31m.png")).write_bytes(b"")
    result = colorize("in", "-o", "out")
    assert result.code == 1
    assert sorted(line.partition(":")[0] for line in result.err.splitlines()) == ["Error", "in/good\\nlook.png"]
    assert "bad\\udcff\\x1b[31m.png" in result.err
    assert names("out") == {"good\nlook.png"}
