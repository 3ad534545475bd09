"""A colouring as files that programs read: its latents, its chroma at full resolution, and its settings."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from cinn_app.arguments import as_path
from cinn_app.files import writing
from cinn_app.systems.colorization.colouring import Colouring
from cinn_app.systems.colorization.model import TARGET_STRIDE

__all__ = ["save_chroma", "save_latents", "save_settings"]


def save_latents(colouring: Colouring, path: str | Path, strength: float = 1.0, source: Path | None = None) -> None:
    """Write the latent code as ``.npz``.

    It has the float32 arrays ``details_8``, ``details_16`` and ``details_32``, ``(6, height, width)`` at these strides,
    ``segments``, ``(2, K)``, and ``settings``: the text that :func:`save_settings` writes.

    Args:
        colouring: to be written.
        path: of the file.
        strength: factor of the chroma in the finished picture, for the settings alone.
        source: the photograph's file, if it is known.

    Raises:
        CinnError: if the file cannot be written.
    """
    *details, segments = (z.numpy() for z in colouring.latents)
    scales: dict[str, Any] = {f"details_{TARGET_STRIDE * 2**level}": z for level, z in enumerate(details, start=1)}
    settings = np.array(_settings(colouring, strength, source))
    with writing(as_path(path)) as file:
        np.savez_compressed(file, **scales, segments=segments, settings=settings)


def save_chroma(colouring: Colouring, path: str | Path, strength: float = 1.0) -> None:
    """Write :meth:`Colouring.chroma` as ``.npy``: float32 ``(2, height, width)`` of the photograph, in Lab units.

    Raises:
        CinnError: if the file cannot be written, or the strength is out of range.
    """
    chroma = colouring.chroma(strength).numpy()
    with writing(as_path(path)) as file:
        np.save(file, chroma)


def save_settings(colouring: Colouring, path: str | Path, strength: float = 1.0, source: Path | None = None) -> None:
    """Write the provenance record as JSON, by which the same colouring can be made again (:meth:`Colouring.record`).

    Raises:
        CinnError: if the file cannot be written.
    """
    text = _settings(colouring, strength, source)
    with writing(as_path(path)) as file:
        file.write(text.encode())


def _settings(colouring: Colouring, strength: float, source: Path | None) -> str:
    return json.dumps(colouring.record(strength, source), indent=1, ensure_ascii=False)
