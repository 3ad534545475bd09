"""The chosen colouring of a session as files that programs read."""

import dataclasses
from pathlib import Path

from cinn_app.systems.colorization.arrays import save_chroma, save_latents, save_settings
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.studio.likelihood import encode_own_colours
from cinn_app.systems.colorization.studio.pictures import download_folder, whole
from cinn_app.systems.colorization.studio.session import Session

__all__ = ["CHROMA", "LATENTS", "OWN_LATENTS", "SETTINGS", "export_for_programs"]

LATENTS, OWN_LATENTS, CHROMA, SETTINGS = "latents", "own-latents", "ab", "settings"
SUFFIXES = {LATENTS: "npz", OWN_LATENTS: "npz", CHROMA: "npy", SETTINGS: "json"}


def export_for_programs(kind: str, session: Session, colorizer: Colorizer, strength: float) -> Path:
    """Write the latents, the chroma at full resolution, or the settings, and return the file.

    The latents may be those of the photograph's own colours instead.

    Raises:
        CinnError: if the photograph's file has been deleted, or the file cannot be written.
    """
    if kind == OWN_LATENTS:
        path = download_folder(session, (), 1.0) / f"{session.upload.stem}-{kind}.{SUFFIXES[kind]}"
        save_latents(encode_own_colours(session, colorizer), path, 1.0, session.upload)
        return path
    colouring = session.colourings[session.chosen]
    stem = Path(session.download_name(colouring)).stem
    path = download_folder(session, [colouring], strength) / f"{stem}-{kind}.{SUFFIXES[kind]}"
    if kind == LATENTS:
        encoded = session.encoded or colorizer.encode_photograph(session.large, session.inputs)
        (coded,) = colorizer.encode_chroma(encoded, colouring.ab[None])
        save_latents(dataclasses.replace(colouring, code=coded.code), path, strength, session.upload)
    elif kind == CHROMA:
        save_chroma(colouring.on(whole(session)), path, strength)
    else:
        save_settings(colouring, path, strength, session.upload)
    return path
