"""Runs of `cinn colorize` that are killed again and again, and started again: in the end, the same bytes."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image
from rich.progress import Progress

from hostile_parts import Figure

SUFFIXES = (".jpg", ".png", ".webp", ".tif")


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--pictures", type=int, default=60)
    parser.add_argument("--model", default="colorize", help="a shipped model's name or a checkpoint's path")
    parser.add_argument("--seed", type=int, default=0)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Kill a run at a random moment, start it again, kill it again until it is done; then begin from nothing."""
    generator = np.random.default_rng(options.seed)
    wrong: dict[str, list[str]] = {"bytes": [], "left over": [], "report": [], "failed": []}
    kills = runs = 0
    with tempfile.TemporaryDirectory() as folder, Progress() as progress:
        work = Path(folder)
        task = progress.add_task("Killing", total=options.kills)
        write_pictures(work / "in", options.pictures, generator)
        start(work, "whole", options.model).wait()
        expected = contents(work / "whole")
        assert len(expected) == options.pictures, "the undisturbed run failed"
        while kills < options.kills:
            runs += 1
            name = f"run-{runs}"
            while True:
                process = start(work, name, options.model)
                if kills == options.kills or not killed(process, work / name, options.pictures // 4, generator):
                    process.wait()
                    break
                kills += 1
                progress.update(task, completed=kills)
            if process.returncode:
                wrong["failed"].append(f"{name} ended with {process.returncode}")
            found = contents(work / name)
            different = {file for file in expected.keys() | found.keys() if expected.get(file) != found.get(file)}
            wrong["bytes"] += [f"{name}/{file}" for file in different]
            wrong["left over"] += [f"{name}/{file.name}" for file in (work / name).glob(".*")]
            lines = Counter(json.loads(line)["output"] for line in (work / f"{name}.jsonl").read_text().splitlines())
            wrong["report"] += [f"{count} lines about {file}" for file, count in lines.items() if count > 1]
            wrong["report"] += [f"{name} lacks {options.pictures - len(lines)} lines"] * (len(lines) < options.pictures)
    sentences = {
        "bytes": "outputs that differ from those of a run in peace",
        "left over": "temporary files that are left",
        "report": "lines of reports that are missing or double",
        "failed": "last starts that failed",
    }
    return [
        Figure("kills", kills),
        Figure("runs that were killed until they were done", runs),
        *(Figure(sentence, len(wrong[key]), True, tuple(wrong[key][:5])) for key, sentence in sentences.items()),
    ]


def killed(process: "subprocess.Popen[bytes]", folder: Path, most: int, generator: np.random.Generator) -> bool:
    """Kill a run at a random moment after it has written one to `most` files; return whether it was still running."""
    goal = len(list(folder.glob("*"))) + generator.integers(1, most + 1)
    while process.poll() is None:
        if len(list(folder.glob("*"))) >= goal:
            time.sleep(generator.uniform(0, 0.3))
            process.kill()
            return process.wait() < 0
        time.sleep(0.01)
    return False


def write_pictures(folder: Path, count: int, generator: np.random.Generator) -> None:
    """Write small pictures of several formats."""
    folder.mkdir()
    for number in range(count):
        width, height = generator.integers(60, 200, 2)
        gray = np.add.outer(np.linspace(0, 90, height), np.linspace(20, 150, width)) + generator.normal(
            0, 4, (height, width)
        )
        suffix = SUFFIXES[number % len(SUFFIXES)]
        Image.fromarray(gray.clip(0, 255).astype(np.uint8)).save(folder / f"{number:03d}{suffix}")


def start(work: Path, name: str, model: str) -> "subprocess.Popen[bytes]":
    """Start a run."""
    command = [sys.executable, "-m", "cinn_app", "colorize", "in", "-o", name, "--report", f"{name}.jsonl"]
    command += ["--model", model, "--quiet", "--device", "cpu"]
    return subprocess.Popen(command, cwd=work)


def contents(folder: Path) -> dict[str, bytes]:
    """Return what is in the files that are not hidden."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
