"""The photographs and draws of a visitor, to return to. Knows sessions, but nothing of the page.

Only the session in view is complete. The others are suspended: their files stay, what takes memory is dropped. So a
hundred photographs and the latest draws need about as much memory as one.
"""

import dataclasses
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cinn_app.imaging import lightness_and_ab_to_rgb8, read_preview, read_provenance
from cinn_app.studio.files import naming
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.provenance import Provenance
from cinn_app.systems.colorization.studio.hint_pad import to_payload
from cinn_app.systems.colorization.studio.pictures import paint, save_preview
from cinn_app.systems.colorization.studio.session import ControlRanges, Controls, Session

__all__ = ["MAX_PHOTOGRAPHS", "MAX_SNAPSHOTS", "Album", "AlbumPhotograph", "Opened", "Snapshot", "look_at"]

#: How many draws are kept, and how many photographs.
MAX_SNAPSHOTS, MAX_PHOTOGRAPHS = 30, 100
#: Longer side in pixels of the pictures of photographs, for sharp screens.
PREVIEW = 224


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """A state of the tab to return to.

    Attributes:
        session: the photograph and its colourings, suspended.
        controls: their settings.
        picture: file of the small picture of the chosen colouring.
    """

    session: Session
    controls: Controls
    picture: Path

    @classmethod
    def of(cls, session: Session, controls: Controls) -> "Snapshot":
        """Keep the present state of a session that has colourings."""
        return cls(session.suspend(), controls, paint(session, session.chosen, controls.vividness))

    @property
    def draw(self) -> Any:
        """What distinguishes draws: neither the vividness nor the choice."""
        return self.session.folder, [dict(colouring.settings) for colouring in self.session.colourings]


class AlbumPhotograph(NamedTuple):
    """A photograph in the album: its file, a small gray picture of it, and the last state of its session."""

    upload: Path
    picture: Path
    snapshot: Snapshot | None = None


class Opened(NamedTuple):
    """A session to show.

    Attributes:
        session: of the photograph.
        controls: what they are to be set to.
        missing: for a coloured picture of ours, what of its settings cannot be restored; None for any other picture.
    """

    session: Session
    controls: Controls
    missing: tuple[str, ...] | None = None


@dataclasses.dataclass(frozen=True)
class Album:
    """What a visitor has uploaded and drawn.

    Attributes:
        folder: for all its files.
        photographs: in the order of their uploads.
        snapshots: one for each of the latest draws, the last one last.
    """

    folder: Path
    photographs: tuple[AlbumPhotograph, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()

    @classmethod
    def new(cls, cache: Path) -> "Album":
        """Return an empty album with a new folder in `cache`."""
        cache.mkdir(parents=True, exist_ok=True)
        return cls(Path(tempfile.mkdtemp(prefix="album-", dir=cache)))

    def delete_files(self) -> None:
        """Delete all files of the album."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def with_photographs(self, photographs: tuple[AlbumPhotograph, ...]) -> "Album":
        """Add new photographs; beyond :data:`MAX_PHOTOGRAPHS` the first ones are removed."""
        known = {photograph.upload for photograph in self.photographs}
        new = tuple(photograph for photograph in photographs if photograph.upload not in known)
        return self._replace(photographs=(*self.photographs, *new)[-MAX_PHOTOGRAPHS:])

    def with_only(self, upload: Path | None) -> "Album":
        """Remove all photographs but one."""
        return self._replace(photographs=tuple(one for one in self.photographs if one.upload == upload))

    def with_snapshot(self, snapshot: Snapshot) -> "Album":
        """Add a snapshot, in place of an earlier one of the same draw."""
        upload = snapshot.session.upload
        photographs = tuple(
            one._replace(snapshot=snapshot) if one.upload == upload else one for one in self.photographs
        )
        draws = [one.draw for one in self.snapshots]
        if snapshot.draw in draws:
            index = draws.index(snapshot.draw)
            snapshots = (*self.snapshots[:index], snapshot, *self.snapshots[index + 1 :])
        else:
            snapshots = (*self.snapshots, snapshot)[-MAX_SNAPSHOTS:]
        return self._replace(photographs=photographs, snapshots=snapshots)

    def open(self, upload: Path, present: Session | None, controls: Controls, colorizer: Colorizer) -> Opened:
        """Open a photograph; a coloured picture of ours gets the settings that its metadata record.

        Args:
            upload: the photograph's file; if the album has it already, its session keeps its folder.
            present: the session in view, whose reference stays.
            controls: their present settings.
            colorizer: that may have made the picture.

        Raises:
            ImageError: if it cannot be read; the message names the file without its folder.
        """
        reference = present.reference if present else None
        known = self._latest(upload)
        if known:
            session = known.session.restart(reference).resume(present)
        else:
            session = Session.open(upload, self.folder, colorizer, reference)
        provenance = Provenance.of(read_provenance(upload), colorizer, session.size)
        if provenance is None:
            return Opened(session, controls._replace(drawn=None))
        return _restore(session, provenance, ControlRanges(colorizer))

    def turn_to(self, upload: Path, present: Session | None, controls: Controls, colorizer: Colorizer) -> Opened:
        """Return to the last state of a photograph, or open it. The present reference stays.

        Raises:
            ImageError: if it cannot be read.
        """
        snapshot = next((one.snapshot for one in self.photographs if one.upload == upload), None)
        if snapshot is None:
            return self.open(upload, present, controls, colorizer)
        session = snapshot.session.resume(present)
        reference = present.reference if present else None
        return Opened(dataclasses.replace(session, reference=reference), snapshot.controls)

    def _latest(self, upload: Path) -> Snapshot | None:
        """Return the last state of a photograph, if it has been coloured and that is kept."""
        last = [one.snapshot for one in self.photographs if one.upload == upload and one.snapshot]
        return next(iter(last or [one for one in reversed(self.snapshots) if one.session.upload == upload]), None)

    def _replace(self, **changes: Any) -> "Album":
        """Change the album, and delete the files of sessions that it no longer has."""
        changed = dataclasses.replace(self, **changes)
        sessions, kept = _sessions(self), _sessions(changed)
        for folder in sessions.keys() - kept.keys():
            sessions[folder].delete_files()
        return changed


def look_at(upload: Path, folder: Path) -> AlbumPhotograph:
    """Read a photograph at low resolution, and write a small gray picture of it into a folder.

    Raises:
        ImageError: if it cannot be read; the message names the file without its folder.
    """
    with naming(upload):
        preview = read_preview(upload, PREVIEW)
    picture = folder / f"preview-{hashlib.sha256(str(upload).encode()).hexdigest()[:16]}.jpg"
    rgb = lightness_and_ab_to_rgb8(preview.lightness, torch.zeros(2, *preview.size))
    save_preview(picture, rgb.numpy(), preview.alpha)
    return AlbumPhotograph(upload, picture)


def _sessions(album: Album) -> dict[Path, Session]:
    snapshots = [*album.snapshots, *(one.snapshot for one in album.photographs if one.snapshot)]
    return {snapshot.session.folder: snapshot.session for snapshot in snapshots}


def _restore(session: Session, provenance: Provenance, ranges: ControlRanges) -> Opened:
    """Restore the settings of a coloured picture, as far as the controls allow it."""
    drawn = to_payload(provenance.hints) if provenance.hints else None
    steps = tuple(provenance.axes.get(axis.name, 0.0) for axis in AXES)
    wanted = Controls(
        provenance.temperature, provenance.strength, provenance.seed, drawn, provenance.restore_levels, steps
    )
    controls = ranges.read(*wanted[:5], *steps)
    missing: tuple[str, ...] = provenance.lacking
    if session.reference and session.reference.colours.digest == provenance.reference:
        missing = tuple(name for name in missing if name != "reference")
    elif not provenance.reference:
        session = dataclasses.replace(session, reference=None)
    if controls != wanted:
        missing = (*missing, "range")
    return Opened(dataclasses.replace(session, sample=provenance.sample), controls, missing)
