"""The pictures of a session: previews for the screen, and downloads at full resolution."""

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch

from cinn_app.errors import CinnError
from cinn_app.imaging import Photograph, lightness_and_ab_to_rgb8, rgb_to_lab, save_picture
from cinn_app.systems.colorization.colorizer import Colouring
from cinn_app.systems.colorization.selection import uncertainty
from cinn_app.systems.colorization.studio.session import Session, read_upload

__all__ = [
    "Told",
    "download_folder",
    "export",
    "export_colours",
    "fingerprint",
    "gray",
    "paint",
    "save_preview",
    "save_whole",
    "uncertainty_map",
    "untold",
    "whole",
]

#: Is told the share of a work that is done, 0 to 1.
Told: TypeAlias = Callable[[float], None]
#: The colour scale of maps, RGB: even in lightness, and legible without a sense of red and green (inferno).
SCALE = ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164))
#: L* of colours without the photograph.
EVEN = 60.0
#: Shares of the work on a large picture that are done when it has been read, and when its colours are enlarged.
READ, PAINTED = 0.2, 0.4


def gray(session: Session) -> Path:
    """Write the gray photograph, large, unless it is there."""
    path, photograph = session.folder / f"{fingerprint(session, ())}-gray.jpg", session.large
    if not path.exists():
        rgb = lightness_and_ab_to_rgb8(photograph.lightness, torch.zeros(2, *photograph.size))
        save_preview(path, rgb.numpy(), photograph.alpha)
    return path


def paint(session: Session, index: int, strength: float, large: bool = False) -> Path:
    """Write the picture of one colouring, unless it is there.

    Raises:
        ImageError: if it cannot be written.
    """
    photograph = session.large if large else session.small
    colouring, size = session.colourings[index], "large" if large else "small"
    path = session.folder / f"{fingerprint(session, [colouring])}-{strength:g}-{size}.jpg"
    if not path.exists():
        save_preview(path, colouring.on(photograph).render(strength), photograph.alpha)
    return path


def uncertainty_map(session: Session) -> Path:
    """Write the map of where the colourings differ, unless it is there: dark where least, bright where most.

    Raises:
        ImageError: if it cannot be written.
    """
    path = session.folder / f"{fingerprint(session, session.colourings)}-differences.png"
    if not path.exists():
        deviation = uncertainty([colouring.on(session.small) for colouring in session.colourings])
        least, most = float(deviation.min()), float(deviation.max())
        share = ((deviation - least) / max(most - least, 1e-6)).numpy()
        places = np.linspace(0, 1, len(SCALE))
        rgb = np.stack([np.interp(share, places, channel) for channel in np.transpose(SCALE)], -1)
        save_preview(path, rgb.round().astype(np.uint8))
    return path


def untold(share: float) -> None:
    """Tell nobody how much of the work is done."""


def export(session: Session, strength: float, suffix: str | None = None, progress: Told = untold) -> Path:
    """Write the chosen colouring at full resolution, with the photograph's metadata.

    Args:
        session: with colourings.
        strength: of the colours.
        suffix: chooses the format, by default that of the photograph.
        progress: is told the share that is done.

    Raises:
        CinnError: if the photograph's file has been deleted, or the picture cannot be written.
    """
    colouring = session.colourings[session.chosen]
    path = download_folder(session, [colouring], strength) / session.download_name(colouring)
    path = path.with_suffix(suffix) if suffix else path
    save_whole(session, colouring, path, strength, progress)
    return path


def export_colours(session: Session, strength: float, progress: Told = untold) -> Path:
    """Write the colours of the chosen colouring at full resolution, at an even lightness, as PNG.

    As a layer of the kind "colour" over the photograph, an image editor shows the colouring.

    Args:
        session, strength, progress: as for :func:`export`.

    Raises:
        CinnError: as :func:`export`.
    """
    colouring = session.colourings[session.chosen]
    name = f"{Path(session.download_name(colouring)).stem}-colours-{strength:g}.png"
    path = download_folder(session, [colouring], strength) / name
    photograph = whole(session)
    progress(READ)
    rgb = colouring.on(photograph).render(strength, _part(progress, PAINTED, 0.6))
    ab = rgb_to_lab(torch.from_numpy(rgb).movedim(-1, 0) / 255)[1:]
    even = torch.full_like(ab[:1], EVEN)
    save_picture(path, lightness_and_ab_to_rgb8(even, ab, _part(progress, 0.7, 0.95)).numpy())
    return path


def save_whole(session: Session, colouring: Colouring, path: Path, strength: float, progress: Told = untold) -> None:
    """Write a colouring of a session's photograph at full resolution, with the metadata of its file.

    Raises:
        CinnError: as :func:`export`.
    """
    photograph = whole(session)
    progress(READ)
    colouring.on(photograph).save(path, strength, source=session.upload, progress=_part(progress, PAINTED, 0.95))


def _part(progress: Told, start: float, end: float) -> Told:
    return lambda share: progress(start + share * (end - start))


def whole(session: Session) -> Photograph:
    """Read the photograph of a session at full resolution.

    Raises:
        CinnError: if its file has been deleted, or cannot be read.
    """
    upload = session.upload
    if not upload.exists():
        raise CinnError("{name} has been deleted in the meantime: upload the photograph again.", name=upload.name)
    return read_upload(upload, session.frame)


def save_preview(path: Path, rgb8: np.ndarray, alpha: np.ndarray | None = None) -> None:
    """Write a picture for the screen: without metadata, and without waiting for the disk.

    Raises:
        ImageError: if it cannot be written.
    """
    save_picture(path, rgb8, alpha=alpha, durable=False)


def download_folder(session: Session, colourings: Sequence[Colouring], strength: float) -> Path:
    """Make a folder for files of these colourings only: what a page is loading keeps its content when others follow."""
    folder = session.folder / f"{fingerprint(session, colourings)}-{strength:g}"
    with contextlib.suppress(OSError):  # whoever writes a file there says why that is impossible
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def fingerprint(session: Session, colourings: Sequence[Colouring]) -> str:
    """Name colourings by all settings that made them, and by the part of the picture."""
    made = [session.frame, *(dict(one.settings) for one in colourings)]
    return hashlib.sha256(json.dumps(made).encode()).hexdigest()[:16]
