"""The pictures that a visit writes into its folder, and what is said of them."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch

from cinn_app.errors import CinnError
from cinn_app.imaging import lightness_and_ab_to_rgb8, save_picture
from cinn_app.studio.language import later, tr
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.selection import save_uncertainty
from cinn_app.systems.colorization.studio.visits import Visit, read_upload

__all__ = ["describe", "differences", "export", "gray", "paint", "save_whole"]

RANKS = (
    later("most likely of the four"),
    later("second most likely"),
    later("third most likely"),
    later("least likely of the four"),
)


def gray(visit: Visit) -> Path:
    """Write the photograph as it was, large."""
    path, photograph = visit.folder / "gray.jpg", visit.large
    if not path.exists():
        rgb = lightness_and_ab_to_rgb8(photograph.lightness, torch.zeros(2, *photograph.size))
        save_picture(path, rgb.numpy(), alpha=photograph.alpha)
    return path


def paint(visit: Visit, index: int, strength: float, large: bool = False) -> Path:
    """Write the picture of one colouring, unless it has been written before.

    Raises:
        ImageError: if it cannot be written.
    """
    colouring = visit.colourings[index].on(visit.large if large else visit.small)
    size = "large" if large else "small"
    path = visit.folder / f"{_fingerprint([colouring])}-{strength:g}-{size}.jpg"
    if not path.exists():
        colouring.save(path, strength)
    return path


def differences(visit: Visit) -> Path:
    """Write the map of where the colourings differ, unless it has been written before.

    Raises:
        ImageError: if it cannot be written.
    """
    path = visit.folder / f"{_fingerprint(visit.colourings)}-differences.png"
    if not path.exists():
        save_uncertainty(path, [colouring.on(visit.small) for colouring in visit.colourings], mark=False, white=None)
    return path


def export(visit: Visit, strength: float) -> Path:
    """Write the chosen colouring at the photograph's full resolution, with its metadata.

    Raises:
        CinnError: if the photograph has been deleted meanwhile, or the picture cannot be written.
    """
    folder = visit.folder / f"strength-{strength:g}"
    folder.mkdir(parents=True, exist_ok=True)
    colouring = visit.colourings[visit.chosen]
    path = folder / visit.download(colouring)
    save_whole(visit.upload, colouring, path, strength)
    return path


def save_whole(upload: Path, colouring: Colouring, path: Path, strength: float) -> None:
    """Write a colouring at the full resolution of the photograph in a file, with its metadata.

    Raises:
        CinnError: as :func:`export`.
    """
    if not upload.exists():
        raise CinnError(
            tr("{name} is no longer here after so long a time: give the photograph once more.", name=upload.name)
        )
    colouring.on(read_upload(upload)).save(path, strength, source=upload)


def describe(visit: Visit, index: int) -> str:
    """Say which a colouring is, how likely, and what drew it.

    ``No. 1, most likely of the four, 2.31 bits/dim, seed 0, variety 0.3``
    """
    bits, colouring = [one.bits_per_dim for one in visit.colourings], visit.colourings[index]
    rank = RANKS[sorted(range(len(bits)), key=bits.__getitem__).index(index)]
    return tr(
        "No. {number}, {rank}, {bits:.2f}\N{NO-BREAK SPACE}bits/dim, "
        "seed\N{NO-BREAK SPACE}{seed}, variety\N{NO-BREAK SPACE}{variety:g}",
        number=visit.number(index),
        rank=tr(rank),
        bits=bits[index],
        seed=colouring.seed,
        variety=colouring.temperature[-1],
    )


def _fingerprint(colourings: Sequence[Colouring]) -> str:
    """Tell colourings apart by all that made them."""
    return hashlib.sha256(json.dumps([dict(one.settings) for one in colourings]).encode()).hexdigest()[:16]
