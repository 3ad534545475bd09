"""Checkpoints whose headers are damaged or full of odd values: does each end in one sentence, quickly?"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from cinn_app.checkpoints import find_checkpoint, load_checkpoint
from cinn_app.errors import CheckpointError
from cinn_app.registry import systems
from hostile_parts import Figure

ODD = [None, True, -1, 0, 10**18, 10**400, 1e308, float("nan"), float("inf"), "", "\x1b[2J\n", "x" * 10_000, [], {}]
ODD += [[[]] * 1000, {"\n": {"a": [1]}}, json.loads("[" * 500 + "]" * 500)]
SLOW = 20.0


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--model", default="digits", help="a shipped model's name or a checkpoint's path")
    parser.add_argument("--seed", type=int, default=0)


def measure(options: argparse.Namespace) -> list[Figure]:
    """Damage a checkpoint in many ways, load each, and use those that load."""
    generator = np.random.default_rng(options.seed)
    whole = find_checkpoint(options.model).read_bytes()
    refused, loaded, errors, slow = 0, 0, list[str](), list[str]()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "odd.safetensors"
        for number in range(options.files):
            path.write_bytes(damaged_bytes(whole, generator) if number % 2 else odd_values(whole, generator))
            begun = time.monotonic()
            try:
                checkpoint = load_checkpoint(path)
                systems()[checkpoint.recipe.system].load("trained_model").load(path, "cpu")
                loaded += 1
            except CheckpointError as error:
                refused += 1
                if not str(error).isprintable() or not str(error).endswith(".") or len(str(error)) > 5000:
                    errors.append(f"{number}: {str(error)[:200]!r}")
            except Exception as error:
                errors.append(f"{number}: {error!r:.200}")
            if time.monotonic() - begun > SLOW:
                slow.append(f"{number}: {time.monotonic() - begun:.0f} s")
    return [
        Figure("refused by one sentence", refused),
        Figure("loaded all the same", loaded),
        Figure("ended in anything else", len(errors), True, tuple(errors[:5])),
        Figure(f"took more than {SLOW:.0f} s", len(slow), True, tuple(slow[:5])),
    ]


def damaged_bytes(whole: bytes, generator: np.random.Generator) -> bytes:
    """Change, insert or remove bytes of the header."""
    content, length = bytearray(whole), int.from_bytes(whole[:8], "little")
    place = int(generator.integers(0, length + 8))
    match generator.integers(4):
        case 0:
            content[place] ^= int(generator.integers(1, 256))
        case 1:
            content[place:place] = generator.bytes(5)
        case 2:
            del content[place : place + int(generator.integers(1, 200))]
        case _:
            content[int(generator.integers(8))] = int(generator.integers(256))
    return bytes(content)


def odd_values(whole: bytes, generator: np.random.Generator) -> bytes:
    """Put an odd value somewhere into the header, and take away the digest that would notice it."""
    length = int.from_bytes(whole[:8], "little")
    header = json.loads(whole[8 : 8 + length])
    metadata = header["__metadata__"]
    metadata.pop("header_digest", None)
    odd = ODD[generator.integers(len(ODD))]
    key = generator.choice([*metadata, "tensor"])
    if key == "tensor":
        replace(header, odd, generator)
    elif key in ("recipe", "figures", "data", "details"):
        holder = {"top": json.loads(metadata[key])}
        replace(holder, odd, generator)
        metadata[key] = json.dumps(holder["top"])
    else:
        metadata[key] = odd
    new = json.dumps(header).encode()
    return len(new).to_bytes(8, "little") + new + whole[8 + length :]


def replace(holder: Any, odd: Any, generator: np.random.Generator) -> None:
    """Replace one value at any depth."""
    keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
    key = keys[generator.integers(len(keys))]
    if isinstance(holder[key], dict | list) and holder[key] and generator.integers(4):
        replace(holder[key], odd, generator)
    else:
        holder[key] = odd
