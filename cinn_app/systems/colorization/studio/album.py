"""The photographs and draws of a visitor, to return to. Knows sessions, but nothing of the page.

Only the session in view is complete. The others are suspended: their files stay, what takes memory is dropped. So a
hundred photographs and the latest draws need about as much memory as one.
"""

import dataclasses
import hashlib
import os
import secrets
import shutil
from pathlib import Path
from typing import Any, NamedTuple

import torch

from cinn_app.errors import CinnError
from cinn_app.imaging import Frame, lightness_and_ab_to_rgb8, read_preview, read_provenance
from cinn_app.studio.files import delete_soon, naming
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.provenance import Provenance
from cinn_app.systems.colorization.studio.pictures import paint, save_preview
from cinn_app.systems.colorization.studio.session import ControlRanges, Controls, Reference, Session
from cinn_app.systems.colorization.studio.stage import to_payload

__all__ = ["MAX_PHOTOGRAPHS", "MAX_SNAPSHOTS", "Album", "AlbumPhotograph", "Opened", "Snapshot", "look_at", "save_gray"]

#: How many states are kept to go back to, beside the present one of each photograph, and how many photographs.
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
        number: of the state among all of the album.
    """

    session: Session
    controls: Controls
    picture: Path
    number: int = 0

    @classmethod
    def of(cls, session: Session, controls: Controls) -> "Snapshot":
        """Keep the present state of a session that has colourings."""
        return cls(session.suspend(), controls, paint(session, session.chosen, controls.vividness))

    @property
    def state(self) -> Any:
        """What distinguishes states."""
        settings = [dict(colouring.settings) for colouring in self.session.colourings]
        session = self.session
        return session.folder, session.frame, settings, session.chosen, self.controls, _digest(session.reference)


class AlbumPhotograph(NamedTuple):
    """A photograph in the album.

    Attributes:
        upload: its file.
        picture: a small gray picture of it; None until it has been looked at.
        snapshot: its present state, once it is coloured.
        controls: what they have been set to since, and what was drawn, while it does not look so; else None.
        frame: the part of it that the visitor has chosen since.
        picked: whether the visitor has chosen one of its colourings.
        unreadable: whether it could not be opened when its turn came.
    """

    upload: Path
    picture: Path | None = None
    snapshot: Snapshot | None = None
    controls: Controls | None = None
    frame: Frame | None = None
    picked: bool = False
    unreadable: bool = False

    @property
    def key(self) -> str:
        """What tells it from the others of the album."""
        return f"{self.upload.parent.name}/{self.upload.name}"

    @property
    def decided(self) -> bool:
        """Whether the visitor has chosen a colouring, or drawn on it."""
        return self.picked or bool(self.settings and self.settings.drawn)

    @property
    def settings(self) -> Controls | None:
        """What its controls are set to, as far as that is known."""
        return self.controls or (self.snapshot.controls if self.snapshot else None)


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
        folder: for all its files, copies of the uploads among them.
        key: by which a page that is loaded again finds the album; nobody can guess it.
        photographs: in the order of their uploads.
        snapshots: the latest states, the last one last.
        count: of all states so far.
        reference: whose colours all photographs take on.
    """

    folder: Path
    key: str = dataclasses.field(default_factory=secrets.token_urlsafe)
    photographs: tuple[AlbumPhotograph, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    count: int = 0
    reference: Reference | None = None

    def adopt(self, upload: Path) -> Path:
        """Return the album's own copy of a file, which stays when the page that sent the file is closed.

        Raises:
            CinnError: if there is no room on the disk.
        """
        copy = self.folder / f"upload-{upload.parent.name}" / upload.name
        try:
            copy.parent.mkdir(exist_ok=True)
            if not copy.exists():
                _link_or_copy(upload, copy)
        except OSError as error:
            raise CinnError(
                "{name} cannot be kept ({reason}): make room on the disk, and try again.",
                name=upload.name,
                reason=error.strerror,
            ) from error
        return copy

    def with_photographs(self, photographs: tuple[AlbumPhotograph, ...]) -> "Album":
        """Add new photographs; beyond :data:`MAX_PHOTOGRAPHS` the first ones are removed."""
        by_upload = {one.upload: one for one in self.photographs}
        for one in photographs:
            by_upload.setdefault(one.upload, one)
        return self._replace(photographs=tuple(by_upload.values())[-MAX_PHOTOGRAPHS:])

    def with_reference(self, reference: Reference | None) -> "Album":
        """Let all photographs take on the colours of a picture, or no more of those that were lent to all."""
        before, album = _digest(self.reference), self
        for one in self.photographs:
            if before and one.snapshot and _digest(one.snapshot.session.reference) == before:
                session = dataclasses.replace(one.snapshot.session, reference=None)
                album = album.changed(one, snapshot=dataclasses.replace(one.snapshot, session=session))
        return album._replace(reference=reference)

    def cleared(self) -> "Album":
        """Remove all photographs."""
        return self._replace(photographs=(), snapshots=(), reference=None)

    def without(self, upload: Path) -> "Album":
        """Remove a photograph."""
        return self._replace(
            photographs=tuple(one for one in self.photographs if one.upload != upload),
            snapshots=tuple(one for one in self.snapshots if one.session.upload != upload),
        )

    def with_snapshot(self, snapshot: Snapshot) -> "Album":
        """Make a snapshot the present state of its photograph, with a number of its own unless it is so already."""
        one = self.find(snapshot.session.upload)
        if one and one.snapshot and one.snapshot.state == snapshot.state:
            return self.changed(one, controls=None, frame=None)
        count = self.count + 1
        snapshot = dataclasses.replace(snapshot, number=count)
        album = self.changed(one, snapshot=snapshot, controls=None, frame=None) if one else self
        # Else the photographs that are coloured in the background would push out the states of the one in view.
        present = {one.snapshot.number for one in album.photographs if one.snapshot}
        snapshots = (*self.snapshots, snapshot)
        past = [one.number for one in snapshots if one.number not in present][-MAX_SNAPSHOTS:]
        kept = tuple(one for one in snapshots if one.number in present or one.number in past)
        return album._replace(snapshots=kept, count=count)

    def at_snapshot(self, number: Any) -> "Album":
        """Return to an earlier state of a photograph.

        Raises:
            CinnError: if it is not kept any more.
        """
        snapshot = next((one for one in self.snapshots if one.number == number), None)
        one = self.find(snapshot.session.upload) if snapshot else None
        if snapshot is None or one is None:
            raise CinnError("This step is too long ago to be undone.")
        return self.changed(one, snapshot=snapshot, controls=None, frame=None)

    def with_controls(self, upload: Path, controls: Controls) -> "Album":
        """Keep what the controls are set to for a photograph, unless that is known."""
        one = self.find(upload)
        return self.changed(one, controls=controls) if one and one.settings != controls else self

    def noting(self, upload: Path, **facts: bool | Frame | Controls) -> "Album":
        """Note facts of a photograph: ``controls``, ``frame``, ``picked``, ``unreadable``."""
        one = self.find(upload)
        return self.changed(one, **facts) if one else self

    @property
    def waiting(self) -> list[AlbumPhotograph]:
        """The photographs that can be read and have no colours yet, or not as they are wanted now."""
        return [one for one in self.photographs if not one.unreadable and self._waits(one)]

    def looked_at(self, count: int) -> tuple["Album", list[CinnError]]:
        """Make pictures of the next photographs that have none; remove those that cannot be read, and say why."""
        album, problems = self, list[CinnError]()
        for one in [one for one in self.photographs if one.picture is None][:count]:
            try:
                picture = look_at(one.upload, self.folder).picture
            except CinnError as error:
                problems.append(error)
                album = album._replace(photographs=tuple(each for each in album.photographs if each is not one))
            else:
                album = album.changed(one, picture=picture)
        return album, problems

    def states(self, upload: Path) -> list[tuple[int, dict[str, Any] | None, Frame]]:
        """Return number, drawing and frame of each state of a photograph that is kept."""
        states = (one for one in self.snapshots if one.session.upload == upload)
        return [(one.number, one.controls.drawn, one.session.frame) for one in states]

    def find(self, upload: Path) -> AlbumPhotograph | None:
        """Return the photograph with this file, if the album has it."""
        return next((one for one in self.photographs if one.upload == upload), None)

    def number(self, key: Any) -> int | None:
        """Return the place of the photograph with this key, or None if it is gone."""
        return next((number for number, one in enumerate(self.photographs) if one.key == key), None)

    def wanted(self, one: AlbumPhotograph) -> tuple[Session, Controls] | None:
        """Return the session and the settings that a photograph is to have, or None if it has not been coloured."""
        if one.snapshot is None:
            return None
        session, controls = one.snapshot.session, one.controls or one.snapshot.controls
        if self.reference:
            session = dataclasses.replace(session, reference=self.reference)
        if one.frame is not None:
            session = session.reframed(one.frame)
        return session, controls

    def open(self, upload: Path, present: Session | None, controls: Controls, colorizer: Colorizer) -> Opened:
        """Open a photograph; a coloured picture of ours gets the settings that its metadata record.

        Args:
            upload: the photograph's file; if the album has it already, its session keeps its folder.
            present: the session in view.
            controls: their present settings.
            colorizer: that may have made the picture.

        Raises:
            ImageError: if it cannot be read; the message names the file without its folder.
        """
        known = self._latest(upload)
        if known:
            session = known.session.restart(self.reference).resume(present)
        else:
            session = Session.open(upload, self.folder, colorizer, self.reference)
        provenance = Provenance.of(read_provenance(upload), colorizer, session.size)
        if provenance is None:
            return Opened(session, controls._replace(drawn=None))
        return _restore(session, provenance, ControlRanges(colorizer))

    def turn_to(self, upload: Path, present: Session | None, controls: Controls, colorizer: Colorizer) -> Opened:
        """Return to the last state of a photograph, or open it.

        Raises:
            ImageError: if it cannot be read.
        """
        one = self.find(upload)
        wanted = self.wanted(one) if one else None
        if wanted:
            session, controls = wanted
            return Opened(session.resume(present), controls)
        opened = self.open(upload, present, controls, colorizer)
        if one and one.frame not in (None, opened.session.frame):
            opened = opened._replace(session=opened.session.reframed(one.frame).resume())
        return opened._replace(controls=one.controls) if one and one.controls else opened

    def _latest(self, upload: Path) -> Snapshot | None:
        """Return the last state of a photograph, if it has been coloured and that is kept."""
        last = [one.snapshot for one in self.photographs if one.upload == upload and one.snapshot]
        return next(iter(last or [one for one in reversed(self.snapshots) if one.session.upload == upload]), None)

    def _waits(self, one: AlbumPhotograph) -> bool:
        wanted = self.wanted(one)
        if wanted is None or not (one.controls is one.frame is None):
            return True
        session, _ = wanted
        digest = session.wanted_colours.digest if session.wanted_colours else None
        return session.colourings[0].settings.get("reference") != digest

    def changed(self, one: AlbumPhotograph, **changes: Any) -> "Album":
        """Change one of the photographs."""
        return self._replace(
            photographs=tuple(each._replace(**changes) if each is one else each for each in self.photographs)
        )

    def _replace(self, **changes: Any) -> "Album":
        """Change the album, and delete the files of photographs and sessions that it no longer has."""
        changed = dataclasses.replace(self, **changes)
        for upload in {one.upload for one in self.photographs} - {one.upload for one in changed.photographs}:
            if upload.parent.parent == self.folder:  # a copy of its own
                shutil.rmtree(upload.parent, ignore_errors=True)
        sessions, kept = _sessions(self), _sessions(changed)
        for folder in sessions.keys() - kept.keys():
            delete_soon(folder)
        return changed


def look_at(upload: Path, folder: Path) -> AlbumPhotograph:
    """Read a photograph at low resolution, and write a small gray picture of it into a folder.

    Raises:
        ImageError: if it cannot be read; the message names the file without its folder.
    """
    picture = folder / f"preview-{hashlib.sha256(str(upload).encode()).hexdigest()[:16]}.jpg"
    save_gray(upload, picture)
    return AlbumPhotograph(upload, picture)


def save_gray(upload: Path, picture: Path) -> None:
    """Write a small gray picture of a photograph.

    Raises:
        ImageError: if the photograph cannot be read; the message names the file without its folder.
    """
    with naming(upload):
        preview = read_preview(upload, PREVIEW)
    rgb = lightness_and_ab_to_rgb8(preview.lightness, torch.zeros(2, *preview.size))
    save_preview(picture, rgb.numpy(), preview.alpha)


def _link_or_copy(file: Path, copy: Path) -> None:
    try:
        os.link(file, copy)
    except OSError:  # another disk, or one without links
        shutil.copy2(file, copy)


def _digest(reference: Reference | None) -> str | None:
    return reference.colours.digest if reference else None


def _sessions(album: Album) -> dict[Path, Session]:
    snapshots = [*album.snapshots, *(one.snapshot for one in album.photographs if one.snapshot)]
    return {snapshot.session.folder: snapshot.session for snapshot in snapshots}


def _restore(session: Session, provenance: Provenance, ranges: ControlRanges) -> Opened:
    """Restore the settings of a coloured picture, as far as the controls allow it."""
    drawn = to_payload(provenance.hints) if provenance.hints else None
    steps = tuple(provenance.axes.get(axis.name, 0.0) for axis in AXES)
    variety, temperatures = ranges.draw_of(provenance.temperatures)
    wanted = Controls(
        variety, provenance.strength, provenance.seed, drawn, provenance.restore_levels, steps, temperatures
    )
    controls = ranges.read(*wanted[:5], *steps, bool(temperatures), *temperatures)
    missing: tuple[str, ...] = provenance.lacking
    if session.reference and session.reference.colours.digest == provenance.reference:
        missing = tuple(name for name in missing if name != "reference")
    elif not provenance.reference:
        session = dataclasses.replace(session, reference=None)
    if controls != wanted:
        missing = (*missing, "range")
    return Opened(dataclasses.replace(session, sample=provenance.sample), controls, missing)
