"""`cinn digits`: what it writes, says and refuses."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw
from pixels import assert_same_pixels

from cinn_app import DigitGenerator, __version__
from cinn_app.checkpoints import load_checkpoint, save_checkpoint
from cinn_app.cli import console
from cinn_app.errors import CinnError
from cinn_app.imaging import read_provenance
from cinn_app.limits import MAX_STEP, MAX_TEMPERATURE

#: Sheet pixels from one digit to the next: 28 times 3, and a gap of 2 on both sides.
TILE = 88


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the cells of tables on one line."""
    monkeypatch.setattr(console.out, "width", 300)
    monkeypatch.setenv("COLUMNS", "300")  # for the box around wrong usage, too


@pytest.fixture
def digits(cinn: Callable, tiny_digits_checkpoint: Path) -> Callable:
    """Run `cinn digits` with the tiny model."""
    options = ("--model", tiny_digits_checkpoint, "--device", "cpu")
    return lambda *arguments: cinn("digits", *arguments, *options)


@pytest.fixture
def generator(tiny_digits_checkpoint: Path) -> DigitGenerator:
    """The same model in Python."""
    return DigitGenerator.load(tiny_digits_checkpoint, "cpu")


def pixels(path: str | Path) -> np.ndarray:
    with Image.open(path) as file:
        return np.asarray(file)


def tile(sheet: np.ndarray, row: int, column: int) -> np.ndarray:
    """Cut a digit out of a sheet, 28x28."""
    return sheet[TILE * row + 2 : TILE * (row + 1) - 2 : 3, TILE * column + 2 : TILE * (column + 1) - 2 : 3]


def four(path: str, mode: str = "L", size: int = 60) -> Path:
    """Draw a 4, dark on light."""
    picture = Image.new(mode, (size, size), "white")
    strokes = [(0.5, 0.1, 0.2, 0.6), (0.2, 0.6, 0.8, 0.6), (0.6, 0.3, 0.6, 0.9)]
    for stroke in strokes:
        ImageDraw.Draw(picture).line([round(size * place) for place in stroke], "black", max(1, size // 15))
    picture.save(path)
    return Path(path)


def test_a_sheet_has_a_row_per_digit_and_a_column_per_handwriting(digits: Callable, generator: DigitGenerator) -> None:
    assert digits("-o", "all.png") == (0, "Wrote all.png.\n", "")
    with Image.open("all.png") as file:
        sheet = file.copy()
    assert (sheet.mode, sheet.size) == ("L", (10 * TILE, 10 * TILE))
    assert digits("--label", 7, "--count", 3, "--seed", 2, "--temperature", 0.5, "-o", "sevens.png").code == 0
    sevens = pixels("sevens.png")
    assert sevens.shape == (TILE, 3 * TILE)
    expected = generator.sample([7], 3, 0.5, 2)[0].numpy()
    for column in range(3):
        assert_same_pixels(tile(sevens, 0, column), expected[column])


def test_axes_move_by_name_and_by_number(digits: Callable, generator: DigitGenerator) -> None:
    options = ("--label", 3, "--count", 2, "-o")
    for axes in (["slant=2.5", "shape 3=-1"], ["1=2.5", "3=-1"]):
        assert digits(*(f"--axis={axis}" for axis in axes), *options, "moved.png").code == 0
        expected = generator.sample([3], 2, steps={"slant": 2.5, "shape 3": -1})[0, 1].numpy()
        assert_same_pixels(tile(pixels("moved.png"), 0, 1), expected)
    assert digits(*options, "still.png").code == 0
    assert (pixels("still.png") != pixels("moved.png")).any()


def test_axes_are_found_in_any_letter_case(digits: Callable) -> None:
    for name in ("slant", "SLANT"):
        assert digits("--label", 3, f"--axis={name}=2", "-o", f"{name}.png").code == 0
    assert Path("slant.png").read_bytes() == Path("SLANT.png").read_bytes()
    assert digits("--axis", "Slant=1", "--axis", "slant=2", "-o", "a.png").code == 2


def test_axes_within_a_digit_are_its_own(digits: Callable, generator: DigitGenerator) -> None:
    options = ("--label", 7, "--count", 2, "--axis", "slant=3")
    assert digits(*options, "--within", 7, "-o", "own.png").code == 0
    assert digits(*options, "--within", 7, "--separate", "-o", "set").code == 0
    expected = generator.sample([7], 2, steps={"slant": 3}, within=7)[0, 1].numpy()
    assert_same_pixels(tile(pixels("own.png"), 0, 1), expected)
    assert_same_pixels(pixels("set/7/0001.png"), expected)
    assert read_provenance("own.png")["axes_within"] == read_provenance("set/7/0001.png")["axes_within"] == 7
    assert digits(*options, "-o", "all.png").code == 0
    assert (pixels("all.png") != pixels("own.png")).any()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif"])
def test_a_sheet_has_a_record(digits: Callable, generator: DigitGenerator, name: str) -> None:
    options = ("--label", 7, "--count", 2, "--seed", 4, "--temperature", 0.5, "--axis", "2=1.5")
    assert digits(*options, "-o", name).code == 0
    assert read_provenance(name) == {
        "program": f"cinn_app {__version__}",
        "model": "tiny-digits",
        "weights": generator.checkpoint.digest[:12],
        "seed": 4,
        "temperature": 0.5,
        "axes": {"width": 1.5},
        "labels": [7],
        "samples": 2,
    }
    assert digits(*options, "--no-mark", "-o", name).code == 0
    assert read_provenance(name) is None


def test_separate_and_restyled_files_have_records(digits: Callable) -> None:
    assert digits("--separate", "--count", 2, "-o", "set").code == 0
    mark = read_provenance("set/4/0001.png")
    assert (mark["model"], mark["label"], mark["sample"], mark["seed"]) == ("tiny-digits", 4, 1, 0)
    assert (mark["temperature"], "axes" in mark) == (0.8, False)
    assert digits("restyle", four("four.png"), "--label", 4, "-o", "ten.png").code == 0
    mark = read_provenance("ten.png")
    assert (mark["model"], mark["label"], mark["source"]) == ("tiny-digits", 4, "four.png")
    assert digits("restyle", "four.png", "--no-mark", "-o", "ten.png").code == 0
    assert digits("--separate", "--count", 2, "--no-mark", "-o", "set").code == 0
    assert read_provenance("ten.png") is None and read_provenance("set/4/0001.png") is None


def test_separate_files_are_gray_and_the_same_as_on_the_sheet(digits: Callable, generator: DigitGenerator) -> None:
    assert digits("--separate", "--count", 3, "-o", "new/set") == (0, "Wrote 30 pictures into new/set.\n", "")
    written = sorted(path.relative_to("new/set").as_posix() for path in Path("new/set").rglob("*.*"))
    assert written == [f"{label}/000{number}.png" for label in range(10) for number in range(3)]
    expected = generator.sample(range(10), 3).numpy()
    for name in written:
        picture = Image.open(f"new/set/{name}")
        assert (picture.mode, picture.size, picture.format) == ("L", (28, 28), "PNG")
        assert_same_pixels(picture, expected[int(name[0]), int(name[5])])


def test_several_batches_are_one_series(
    digits: Callable, generator: DigitGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cinn_app.systems.digits.commands.BATCH", 4)
    assert digits("--separate", "--label", 5, "--count", 10, "-o", "set").out == "Wrote 10 pictures into set.\n"
    assert [path.name for path in sorted(Path("set/5").iterdir())] == [f"{number:04}.png" for number in range(10)]
    assert np.abs(pixels("set/5/0009.png").astype(int) - generator.sample([5], 10)[0, 9].numpy()).max() <= 1


def test_existing_files_are_replaced_and_others_left_alone(digits: Callable) -> None:
    Path("set/1").mkdir(parents=True)
    Path("set/1/0000.png").write_text("old")
    Path("set/1/mine.txt").write_text("mine")
    assert digits("--separate", "--label", 1, "--count", 1, "-o", "set").code == 0
    assert Image.open("set/1/0000.png").size == (28, 28)
    assert Path("set/1/mine.txt").read_text() == "mine"
    Path("one.png").write_text("old")
    assert digits("--label", 1, "-o", "one.png").code == 0
    assert Image.open("one.png").size == (10 * TILE, TILE)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPEG", "a.webp", "a.tiff", "a.tif"])
def test_the_suffix_chooses_the_format(digits: Callable, name: str) -> None:
    assert digits("--label", 0, "--count", 1, "-o", name).code == 0
    assert Image.open(name).size == (TILE, TILE)


def test_axes_are_listed_with_their_shares(cinn: Callable, tiny_digits_checkpoint: Path) -> None:
    result = cinn("digits", "axes", "--model", tiny_digits_checkpoint)
    assert (result.code, result.err) == (0, "")
    rows = [line.replace("│", " ").split() for line in result.out.splitlines() if "%" in line]
    assert len(rows) == 12 and rows[:3] == [
        ["1", "slant", "50.0%"],
        ["2", "width", "25.0%"],
        ["3", "shape", "3", "16.7%"],
    ]


def test_axes_within_a_digit_are_listed(cinn: Callable, tmp_path: Path, tiny_digits_checkpoint: Path) -> None:
    """In a checkpoint with axes of its own for sevens."""
    checkpoint = load_checkpoint(tiny_digits_checkpoint)
    rows = [list(row) for row in checkpoint.details["axes"]]
    rows[7] = [["bar", 0.125], *rows[7][1:]]
    save_checkpoint(tmp_path / "own.safetensors", replace(checkpoint, details={**checkpoint.details, "axes": rows}))
    result = cinn("digits", "axes", "--within", 7, "--model", "own.safetensors")
    assert (result.code, "bar" in result.out, "12.5%" in result.out) == (0, True, True)
    assert "bar" not in cinn("digits", "axes", "--model", "own.safetensors").out
    assert cinn("digits", "axes", "--within", 10, "--model", "own.safetensors").code == 2


def test_restyle_shows_the_picture_and_ten_digits(digits: Callable, generator: DigitGenerator) -> None:
    from cinn_app.systems.digits.images import read_digit

    image = four("four.png")
    before = image.read_bytes()
    result = digits("restyle", image, "-o", "ten.png")
    read = read_digit(image)
    shown = generator.restyle(read).label
    article = "an" if shown == 8 else "a"
    # The model of the tests has learnt nothing, so it does not recognise a four.
    sentence = f"Taken for {article} {shown}, which it resembles most; give --label if it is another digit."
    doubt = f"It hardly looks like {article} {shown}, so expect an odd handwriting: draw a single digit clearly.\n"
    assert result == (0, f"{sentence}\nWrote ten.png.\n", doubt)
    sheet = pixels("ten.png")
    assert sheet.shape == (TILE, 11 * TILE)
    assert (tile(sheet, 0, 0) == read.numpy()).all()
    expected = generator.restyle(read).images.numpy()
    for label in range(10):
        assert_same_pixels(tile(sheet, 0, label + 1), expected[label])
    assert image.read_bytes() == before


def test_restyle_gives_the_probability_of_a_clear_digit(cinn: Callable) -> None:
    assert cinn("digits", "--label", 7, "--count", 1, "--separate", "-o", "sevens").code == 0
    result = cinn("digits", "restyle", "sevens/7/0000.png", "-o", "ten.png")
    assert re.fullmatch(
        r"Read as a 7, with a probability of \d+\.\d%; give --label if it is another digit\.\nWrote ten\.png\.\n",
        result.out,
    )
    assert result.err == ""


def test_restyle_believes_the_label(digits: Callable, generator: DigitGenerator) -> None:
    from cinn_app.systems.digits.images import read_digit

    result = digits("restyle", four("four.png", "RGB"), "--label", 8, "-o", "ten.png")
    assert result.code == 0
    assert result.out.startswith("Taken for an 8, as --label says; the model alone gives that a probability of ")
    expected = generator.restyle(read_digit("four.png"), 8).images.numpy()
    assert_same_pixels(tile(pixels("ten.png"), 0, 5), expected[4])


def test_restyle_refuses_pictures_in_one_sentence(digits: Callable) -> None:
    whole = four("whole.png", size=200).read_bytes()
    Image.new("L", (50, 40), "white").save("empty.png")
    Image.new("RGB", (50, 40), (255, 254, 255)).save("faint.png")
    Image.new("RGBA", (50, 40), "black").save("painted.png")
    Path("cut.png").write_bytes(whole[: len(whole) // 2])
    Path("letter.png").write_bytes(b"Dear aunt, this is a 4.")
    Path("vast.pgm").write_bytes(b"P5 60000 60000 255\n")
    Path("folder.png").mkdir()
    for name, word in (
        ("empty.png", "empty.png is empty: draw one digit"),
        ("faint.png", "faint.png is empty"),
        ("painted.png", "painted.png has the same colour everywhere"),
        ("cut.png", "cut.png"),
        ("letter.png", "letter.png"),
        ("vast.pgm", "vast.pgm"),
        ("folder.png", "folder.png"),
        ("nowhere.png", "nowhere.png"),
    ):
        result = digits("restyle", name, "-o", "out.png")
        assert (result.code, result.out) == (1, "")
        assert result.err.startswith("Error: ") and word in result.err and len(result.err.splitlines()) == 1
        assert "unexpected error" not in result.err
        assert not Path("out.png").exists()


def test_restyle_reads_a_large_coloured_picture(digits: Callable) -> None:
    picture = Image.new("RGB", (3000, 2000), (250, 220, 120))
    ImageDraw.Draw(picture).line([(1500, 300), (1400, 1700)], (20, 20, 160), 150)
    picture.save("one.jpg")
    assert digits("restyle", "one.jpg", "-o", "ten.png").code == 0
    assert pixels("ten.png")[:TILE, :TILE].max() == 255


def test_restyle_never_overwrites_the_picture(digits: Callable) -> None:
    before = four("four.png").read_bytes()
    Path("link.png").symlink_to("four.png")
    result = digits("restyle", "four.png", "-o", "link.png")
    assert (result.code, result.out) == (1, "")
    assert "is the input picture and is not overwritten" in result.err and len(result.err.splitlines()) == 1
    assert Path("four.png").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("--label 12 -o a.png", "Invalid value for '--label': '12' is not one of '0', '1',"),
        ("--label cat -o a.png", "Invalid value for '--label': 'cat' is not one of"),
        ("--axis slant=abc -o a.png", "--axis slant=abc is not a step along an axis"),
        ("--axis slant -o a.png", "--axis slant is not a step along an axis"),
        ("--axis =1 -o a.png", "--axis =1 is not a step along an axis"),
        ("--axis slant=nan -o a.png", "--axis slant=nan is not a step along an axis"),
        ("--axis slant=inf -o a.png", "--axis slant=inf is not a step along an axis"),
        ("--axis slant=3.1 -o a.png", "and a number from -3 to 3"),
        ("--axis slant=1 --axis slant=2 -o a.png", "--axis slant is given twice"),
        ("--count 0 -o a.png", "for '--count'"),
        ("--count 10001 -o a.png", "for '--count'"),
        ("--count 501 -o a.png", "A sheet has up to 500 columns"),
        ("--temperature -0.1 -o a.png", "for '--temperature': '-0.1' is not a number from 0 to 2."),
        ("--temperature 2.1 -o a.png", "for '--temperature': '2.1' is not a number from 0 to 2."),
        ("--temperature nan -o a.png", "for '--temperature': 'nan' is not a number from 0 to 2."),
        ("--temperature inf -o a.png", "for '--temperature': 'inf' is not a number from 0 to 2."),
        ("--temperature warm -o a.png", "for '--temperature': 'warm' is not a number from 0 to 2."),
        ("--within 7 -o a.png", "--within chooses the axes of --axis: give an --axis, too."),
        ("--within 10 --axis 1=1 -o a.png", "for '--within': '10' is not one of"),
        ("--seed -1 -o a.png", "for '--seed'"),
        ("--seed 99999999999999999999 -o a.png", "for '--seed'"),
        ("--label 3", "-o is missing"),
        ("--separate", "-o is missing"),
        ("-o folder", "folder is a folder: name a picture inside it"),
        ("-o a.gif", "a.gif does not end like a picture"),
        ("-o a", "a does not end like a picture"),
        ("--separate -o a.png", "--separate writes into a folder, but a.png is none"),
        ("--separate -o letter.txt", "--separate writes into a folder, but letter.txt is none"),
        ("--count 3 axes", "Give options of axes after its name"),
        ("paint", "No such command 'paint'"),
        ("restyle letter.txt", "Missing option '--output'"),
        ("restyle letter.txt -o folder", "folder is a folder"),
        ("restyle letter.txt -o a.gif", "a.gif does not end like a picture"),
        ("restyle letter.txt --label 10 -o a.png", "for '--label'"),
    ],
)
def test_wrong_usage_is_2(cinn: Callable, arguments: str, sentence: str) -> None:
    Path("folder").mkdir()
    Path("letter.txt").write_text("Dear aunt")
    result = cinn("digits", *arguments.split())
    assert (result.code, result.out) == (2, "")
    assert "Usage: cinn digits" in result.err and sentence in " ".join(result.err.split())
    assert {path.name for path in Path().rglob("*")} == {"folder", "letter.txt"}


def test_ranges_are_those_of_the_model(digits: Callable, generator: DigitGenerator) -> None:
    for option, value, sample in (
        ("--temperature", MAX_TEMPERATURE, {"temperature": MAX_TEMPERATURE}),
        ("--axis", f"1={MAX_STEP}", {"steps": {1: MAX_STEP}}),
    ):
        assert digits(option, value, "-o", "at-the-limit.png", "--count", 1).code == 0
        assert generator.sample([7], **sample).shape == (1, 1, 28, 28)
    for option, value, sample in (
        ("--temperature", MAX_TEMPERATURE + 0.1, {"temperature": MAX_TEMPERATURE + 0.1}),
        ("--axis", f"1={MAX_STEP + 0.1}", {"steps": {1: MAX_STEP + 0.1}}),
    ):
        assert digits(option, value, "-o", "beyond.png").code == 2
        with pytest.raises(CinnError):
            generator.sample([7], **sample)


def test_impossible_requests_are_one_sentence(cinn: Callable, digits: Callable, tiny_checkpoint: Path) -> None:
    for arguments, sentence in (
        (["--axis", "foo=1", "-o", "a.png"], "There is no axis 'foo': choose one of 1 slant, 2 width, 3 shape 3, "),
        (["--axis", "0=1", "-o", "a.png"], "There is no axis '0': choose one of 1 slant"),
        (["--separate", "--axis", "foo=1", "-o", "set"], "There is no axis 'foo'"),
        (["-o", "no/a.png"], "there is no folder no: create it first."),
        (["-o", f"{'a' * 300}.png"], "cannot be saved (File name too long)"),
        (["--count", "400", "--label", "1", "-o", "a.webp"], "whose sides have at most 16383 pixels"),
        (["restyle", four("four.png"), "-o", "no/a.png"], "there is no folder no:"),
    ):
        result = digits(*arguments)
        assert (result.code, result.out) == (2 if "axis" in sentence else 1, "")
        assert result.err.startswith("Error: ") and sentence in result.err and len(result.err.splitlines()) == 1
    for command in (["-o", "a.png"], ["--separate", "-o", "set"], ["restyle", "four.png", "-o", "a.png"], ["axes"]):
        for model, sentence in (
            (tiny_checkpoint, "The model tiny is made for colorization, not for digits: choose another."),
            ("painter", "There is no checkpoint at painter"),
            ("four.png", "not a safetensors file"),
        ):
            result = cinn("digits", *command, "--model", model)
            assert (result.code, result.out) == (1, "")
            assert result.err.startswith("Error: ") and sentence in result.err and len(result.err.splitlines()) == 1
    assert [path.name for path in Path().iterdir()] == ["four.png"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="may write anywhere")
def test_a_folder_without_permission_is_refused(digits: Callable) -> None:
    Path("locked").mkdir(mode=0o500)
    for arguments in (["-o", "locked/a.png"], ["--separate", "-o", "locked"], ["--separate", "-o", "locked/new"]):
        result = digits("--label", 1, *arguments)
        assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
        assert "ermission" in result.err


@pytest.mark.skipif(os.name == "nt", reason="no limits on the size of files")
def test_full_disk_stops_with_one_sentence(digits: Callable) -> None:
    import resource

    Path("a.png").write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        results = digits("-o", "a.png"), digits("--separate", "--label", 1, "-o", "set")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    for result in results:
        assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)
        assert "cannot be saved, since the disk is full" in result.err
    assert Path("a.png").read_text() == "old"
    assert list(Path("set/1").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_ctrl_c_leaves_whole_files_only(tiny_digits_checkpoint: Path) -> None:
    options = ["--separate", "--count", "1000", "-o", "out", "--model", tiny_digits_checkpoint]
    listening = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # even in a suite run in the background
    with subprocess.Popen(
        [sys.executable, "-m", "cinn_app", "digits", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=listening,
    ) as process:
        while process.poll() is None and not list(Path().glob("out/0/*.png")):
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    assert (process.returncode, out) == (130, "")
    assert len(err.splitlines()) == 1 and err.startswith("Stopped: ")
    assert err.endswith("of 10,000 pictures written, and no file is half written.\n")
    written = list(Path("out/0").iterdir())
    assert 0 < len(written) < 1000
    for path in written:
        assert path.suffix == ".png" and not path.name.startswith(".")
        Image.open(path).load()
