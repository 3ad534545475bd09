"""`cinn colorize` on many pictures: interrupted runs, threads, reports, sheets, streams."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinn_app.cli.pipeline import in_stages
from cinn_app.imaging import read_provenance
from cinn_app.systems.colorization.commands.report import open_report

SIZES = [(24, 16), (64, 48), (16, 90), (200, 150), (31, 17), (48, 64)]


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def read_lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


class Pipe:
    """Standard input or output as in a shell's pipe: bytes behind `buffer`."""

    def __init__(self, content: bytes = b"") -> None:
        self.buffer = io.BytesIO(content)


# The same picture, whatever the run


@pytest.mark.slow
def test_pictures_do_not_depend_on_jobs_order_or_company(colorize: Callable, draw: Callable) -> None:
    for number, size in enumerate(SIZES):
        draw(f"in/{number}.png", size=size)
    assert colorize("in", "-o", "one", "--jobs", 1, "--seed", 3).code == 0
    assert colorize("in", "-o", "many", "--jobs", 4, "--seed", 3).code == 0
    backwards = [f"in/{number}.png" for number in reversed(range(len(SIZES)))]
    assert colorize(*backwards, "-o", "backwards", "--jobs", 3, "--seed", 3).code == 0
    assert colorize("in/3.png", "-o", "alone", "--seed", 3).code == 0
    assert contents("one") == contents("many") == contents("backwards")
    assert contents("alone").items() <= contents("one").items()


# Runs that go on


def test_a_second_run_makes_only_what_is_missing(colorize: Callable, draw: Callable) -> None:
    for name in ("a", "b", "c"):
        draw(f"in/{name}.jpg")
    assert colorize("in", "-o", "out", "--samples", 2, "--sheet").code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert len(before) == 9
    Path("out/b-2.jpg").unlink()
    result = colorize("in", "-o", "out", "--samples", 2, "--sheet")
    assert result == (0, "Coloured 1 picture into out; 2 finished before.\n", "")
    after = {path: path.stat().st_mtime_ns for path in Path("out").iterdir()}
    assert {path for path in after if after[path] != before[path]} == {
        Path("out/b-1.jpg"), Path("out/b-2.jpg"), Path("out/b-sheet.jpg")
    }  # fmt: skip


@pytest.mark.parametrize("chosen", ["png", "jpg", "webp", "tiff"])
def test_what_is_cut_short_or_empty_is_made_again(colorize: Callable, draw: Callable, chosen: str) -> None:
    for name in ("a", "b", "c", "d", "e"):
        draw(f"in/{name}.png", size=(60, 40))
    arguments = ("in", "-o", "out", "--format", chosen, "--sheet")
    assert colorize(*arguments).code == 0
    before = contents("out")
    for name, end in ((f"a.{chosen}", 0), (f"b.{chosen}", 100), (f"c.{chosen}", -5), ("d-sheet.jpg", 900)):
        Path("out", name).write_bytes(before[name][:end])
    whole = before[f"e.{chosen}"]
    Path(f"out/e.{chosen}").write_bytes(whole[: -(len(whole) // 4)] + bytes(len(whole) // 4))  # after a power cut
    Path(f"out/.a.{chosen}.0123abcd.part").write_bytes(b"left by a kill")
    assert colorize(*arguments) == (0, "Coloured 5 pictures into out.\n", "")
    assert contents("out") == before


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        (["--seed", 5], "out/a.png was made with seed 0, not 5"),
        (["--strength", 0.5], "out/a.png was made with strength 1.0, not 0.5"),
        (
            ["--temperature", 0.2],
            "out/a.png was made with temperature [0.3, 0.4, 0.6, 0.7, 0.8], not [0.075",
        ),
        (["--quality", 50], "out/a.png was made with quality None, not 50"),
    ],
)
def test_changed_settings_are_named_and_need_overwrite(
    colorize: Callable, draw: Callable, changed: list, named: str
) -> None:
    draw("in/a.png")
    draw("in/b.png")
    assert colorize("in", "-o", "out").code == 0
    before = contents("out")
    result = colorize("in", "-o", "out", *changed)
    assert (result.code, result.out) == (1, "Coloured 0 pictures into out; 2 left as before.\n")
    assert len(result.err.splitlines()) == 1
    assert result.err.startswith(f"Error: 2 pictures left as before, since {named}") and "--overwrite" in result.err
    assert contents("out") == before
    assert colorize("in", "-o", "out", *changed, "--overwrite").code == 0
    assert contents("out") != before


def test_a_changed_input_and_a_foreign_file_are_not_overwritten(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    draw("in/b.png")
    draw("out/b.png", mode="RGB")
    foreign = Path("out/b.png").read_bytes()
    assert "out/b.png has no record of how it was made" in colorize("in", "-o", "out").err
    assert Path("out/b.png").read_bytes() == foreign
    draw("in/a.png", size=(300, 200))  # a better scan
    assert "out/a.png was made with source_bytes" in colorize("in", "-o", "out").err


def test_without_mark_files_have_no_record(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    assert colorize("a.png", "-o", "out", "--no-mark").code == 0
    assert read_provenance("out/a.png") is None
    assert "has no record of how it was made" in colorize("a.png", "-o", "out", "--no-mark").err


@pytest.mark.parametrize("chosen", ["png", "jpg", "webp", "tiff"])
def test_the_record_reproduces_the_colouring(
    colorize: Callable, draw: Callable, tiny_checkpoint: Path, chosen: str
) -> None:
    from cinn_app import Colorizer, __version__

    source = draw("a.png")
    assert colorize(source, "-o", "out", "--samples", 3, "--seed", 9, "--format", chosen).code == 0
    mark = read_provenance(f"out/a-3.{chosen}")
    assert mark["program"] == f"cinn_app {__version__}" and mark["model"] == "tiny" and mark["source"] == "a.png"
    colorizer = Colorizer.load(tiny_checkpoint, "cpu")
    again = colorizer.colorize(source, mark["sample"] + 1, mark["temperature"], mark["seed"])[mark["sample"]]
    again.save(f"again.{chosen}", mark["strength"], source)
    assert Path(f"again.{chosen}").read_bytes() == Path(f"out/a-3.{chosen}").read_bytes()


# The report, the sheet, and what is said


def test_the_report_has_a_line_per_colouring_and_per_failure(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png", mode="RGB")
    Path("in/b.png").write_bytes(b"")
    assert colorize("in", "-o", "out", "--samples", 2, "--seed", 4, "--report", "log/all.jsonl").code == 1
    first, second, failed = read_lines("log/all.jsonl")
    assert (first["input"], first["output"], second["output"]) == ("in/a.png", "out/a-1.png", "out/a-2.png")
    assert (first["seed"], first["sample"], second["sample"], first["strength"]) == (4, 0, 1, 1.0)
    assert np.isfinite(first["log_likelihood"]) and first["log_likelihood"] != second["log_likelihood"]
    assert first["seconds"] > 0 and "in colour already" in first["warnings"][0]
    assert failed["input"] == "in/b.png" and "is empty" in failed["error"]


def test_the_report_lists_once_what_was_finished_before(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    colorize("in", "-o", "out", "--seed", 4)
    draw("in/b.png")
    for _ in range(2):
        assert colorize("in", "-o", "out", "--seed", 4, "--report", "all.jsonl").code == 0
    before, new, *none = read_lines("all.jsonl")
    assert not none
    assert (before["output"], before["finished_before"], new["output"]) == ("out/a.png", True, "out/b.png")
    own = ("log_likelihood", "bits_per_dim", "seconds", "warnings", "input", "output", "finished_before")
    assert {key: before[key] for key in before if key not in own} == {key: new[key] for key in new if key not in own}


def test_runs_that_share_a_report_write_each_line_once(tmp_path: Path) -> None:
    with open_report(tmp_path / "all.jsonl") as one, open_report(tmp_path / "all.jsonl") as other:
        for lines in (one, other, one):
            lines.add({"input": "a.png", "output": "out/a.png", "seconds": 1})
            lines.add({"input": "b.png", "error": "b.png is empty."})
            lines.add({"input": "c.png", "output": "out/c.png", "finished_before": True}, again=False)
    expected = ["a.png", "b.png", "c.png"]
    assert [line["input"] for line in read_lines(str(tmp_path / "all.jsonl"))] == expected
    with open_report(tmp_path / "all.jsonl") as later:  # that made a.png again
        later.add({"input": "a.png", "output": "out/a.png", "seconds": 1})
        later.add({"input": "c.png", "output": "out/c.png", "finished_before": True}, again=False)
    assert [line["input"] for line in read_lines(str(tmp_path / "all.jsonl"))] == [*expected, "a.png"]


def test_the_report_continues_after_an_incomplete_line(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png")
    Path("all.jsonl").write_text('{"input": "in/0.png"}\n{"inp')
    assert colorize("in", "-o", "out", "--report", "all.jsonl").code == 0
    assert [line["input"] for line in read_lines("all.jsonl")] == ["in/0.png", "in/a.png"]
    Path("all.jsonl").write_text('{"input": "in/0.png"}')
    assert colorize("in", "-o", "new", "--report", "all.jsonl").code == 0
    assert [line["input"] for line in read_lines("all.jsonl")] == ["in/0.png", "in/a.png"]


def test_a_report_that_cannot_be_written_stops_at_the_start(colorize: Callable, draw: Callable) -> None:
    draw("a.png")
    Path("file").write_text("")
    result = colorize("a.png", "-o", "out", "--report", "file/all.jsonl")
    assert (result.code, len(result.err.splitlines())) == (1, 1)
    assert "file/all.jsonl cannot be saved" in result.err
    assert not Path("out").exists()


def test_the_sheet_shows_the_original_and_every_colouring(colorize: Callable, draw: Callable) -> None:
    draw("a.png", size=(60, 40))
    assert colorize("a.png", "-o", "out", "--samples", 3, "--sheet").code == 0
    sheet = np.asarray(Image.open("out/a-sheet.jpg")).astype(int)
    height, width = sheet.shape[:2]
    assert width > 2 * 60 and height > 2 * 40  # four pictures, two by two
    first, second = sheet[12:52, 12:72], sheet[12:52, 84:144]
    assert np.ptp(first, axis=-1).mean() < 5 < np.ptp(second, axis=-1).mean()  # gray, and in colour
    assert read_provenance("out/a-sheet.jpg")["samples"] == 3


def test_quality_makes_smaller_files(colorize: Callable, draw: Callable) -> None:
    for suffix in ("jpg", "webp"):
        draw(f"in/a.{suffix}", size=(200, 150))
    assert colorize("in", "-o", "good").code == 0
    assert colorize("in", "-o", "small", "--quality", 20).code == 0
    for name, content in contents("good").items():
        assert len(Path("small", name).read_bytes()) < 0.8 * len(content)


def test_quiet_reports_only_what_went_wrong(colorize: Callable, draw: Callable) -> None:
    draw("in/a.png", mode="RGB")
    Path("in/b.png").write_bytes(b"")
    result = colorize("in", "-o", "out", "--quiet")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("Error: in/b.png is empty") and len(result.err.splitlines()) == 1


# Streams


def test_from_stdin_to_stdout(colorize: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    path = draw("a.jpg", size=(40, 30))
    assert colorize(path, "-o", "out", "--no-mark").code == 0
    stdout = Pipe()
    monkeypatch.setattr(sys, "stdin", Pipe(path.read_bytes()))
    monkeypatch.setattr(sys, "stdout", stdout)
    result = colorize("-", "-o", "-", "--no-mark")
    assert (result.code, result.out, result.err) == (0, "", "")
    assert stdout.buffer.getvalue() == Path("out/a.jpg").read_bytes()


def test_stdin_into_a_folder(colorize: Callable, draw: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(draw("a.jpg").read_bytes()))
    assert colorize("-", "-o", "out", "--samples", 2).code == 0
    assert set(contents("out")) == {"stdin-1.png", "stdin-2.png"}


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_bad_stdin_is_one_sentence(colorize: Callable, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(content))
    result = colorize("-", "-o", "-")
    assert (result.code, result.out, len(result.err.splitlines())) == (1, "", 1)


# The stages


def test_stages_keep_order_and_errors_in_their_place() -> None:
    def think(item: int, read: int) -> int:
        if item == 3:
            raise ValueError("three")
        return read + 1

    outcomes = list(in_stages(range(20), lambda item: 10 * item, think, lambda item, thought: (item, thought), 3))
    assert [item for item, _ in outcomes] == list(range(20))
    assert isinstance(outcomes[3][1], ValueError)
    assert all(outcome == (item, 10 * item + 1) for item, outcome in outcomes if item != 3)


def test_heavy_results_wait_one_at_a_time() -> None:
    """Results wait to be written one at a time: otherwise the middle stage would find two waiting."""
    waiting: list[int] = []
    most = 0

    def think(item: int, read: int) -> int:
        nonlocal most
        waiting.append(item)
        most = max(most, len(waiting))
        return item

    def write(item: int, thought: int) -> int:
        waiting.remove(item)
        return thought

    stages = in_stages(range(30), lambda item: item, think, write, 4, weigh=lambda thought: 10, most=10)
    assert [outcome for _, outcome in stages] == list(range(30))
    assert most <= 2  # one waits, and one is being computed


def test_ctrl_c_loses_nothing_that_was_written() -> None:
    written = []

    def think(item: int, read: int) -> int:
        if item == 5:
            raise KeyboardInterrupt
        return item

    def write(item: int, thought: int) -> int:
        written.append(item)
        return item

    yielded = []
    with pytest.raises(KeyboardInterrupt):
        for item, _ in in_stages(range(100), lambda item: item, think, write, 2):
            yielded.append(item)
    assert sorted(written) == yielded
