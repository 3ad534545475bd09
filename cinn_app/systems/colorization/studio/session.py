"""The work on one photograph: its colourings and the settings of the controls. Knows nothing of the page."""

import dataclasses
import math
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from cinn_app.errors import CinnError
from cinn_app.imaging import (
    OUTPUT_FORMATS,
    WHOLE,
    Frame,
    Photograph,
    read_photograph,
    read_provenance,
    shrink_photograph,
)
from cinn_app.limits import MAX_STEP
from cinn_app.messages import Message
from cinn_app.studio.controls import SEEDS, Range
from cinn_app.studio.files import naming
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer, Colouring
from cinn_app.systems.colorization.colouring import Code
from cinn_app.systems.colorization.encoded import EncodedPhotograph, NetworkInput, network_inputs
from cinn_app.systems.colorization.reference import ColourReference
from cinn_app.systems.colorization.region import Region
from cinn_app.systems.colorization.selection import CANDIDATES, choose_diverse
from cinn_app.systems.colorization.steering import Steering
from cinn_app.systems.colorization.temperatures import Temperature

__all__ = ["SAMPLES", "STEPS", "VIVIDNESS", "AsSet", "ControlRanges", "Controls", "Reference", "Session", "read_upload"]

#: Colourings side by side.
SAMPLES = 4
#: Longer sides in pixels of the pictures side by side, and of the large picture. Only a download has full resolution.
SMALL, LARGE = 512, 1024
#: Longer side in pixels of what stays in memory of a suspended session's photograph.
TINY = 16
# Suffixes that a download keeps; any other becomes .png, which loses nothing.
KEPT_SUFFIXES = {f".{name}" for name in (*OUTPUT_FORMATS, "jpeg", "tif")}
UNSTEERED = Steering()

VIVIDNESS = Range(0, 1.5, 1)
#: The highest temperature of the page.
MAX_VARIETY = 1.5
#: Along an axis of colour.
STEPS = Range(-MAX_STEP, MAX_STEP, 0)


class Controls(NamedTuple):
    """The settings of the controls.

    Attributes:
        variety: temperature of things.
        vividness: factor of the chroma.
        seed: of the draw.
        drawn: hints and strokes on the photograph, in the form of :mod:`cinn_app.systems.colorization.studio.hint_pad`.
        restore_levels: remove the fading of a faded photograph.
        steps: along the axes of colour.
        temperatures: of each scale, fine to coarse; empty where they follow the variety.
    """

    variety: float
    vividness: float
    seed: int
    drawn: dict[str, Any] | None = None
    restore_levels: bool = False
    steps: tuple[float, ...] = ()
    temperatures: tuple[float, ...] = ()

    @property
    def temperature(self) -> Temperature:
        """What :meth:`Colorizer.temperatures` takes."""
        return self.temperatures or self.variety


class ControlRanges:
    """The ranges of the controls for a colorizer.

    Attributes:
        variety: the range of the temperature of things, which the others follow.
        scales: the range of each temperature, fine to coarse, where they are set one by one.
    """

    def __init__(self, colorizer: Colorizer) -> None:
        self._follow = colorizer.temperatures
        usual = colorizer.temperatures()
        self.variety = Range(0.1, MAX_VARIETY, usual[-1])
        self.scales = tuple(Range(0, MAX_VARIETY, temperature) for temperature in usual)

    def read(
        self, variety: Any, vividness: Any, seed: Any, drawn: Any = None, restore_levels: Any = False, *further: Any
    ) -> Controls:
        """Read what the page has sent, and bring it into range.

        Args:
            variety, vividness, seed, drawn, restore_levels: see :class:`Controls`.
            further: the steps along the axes, whether each scale has a temperature of its own, and these temperatures.
        """
        steps, (one_by_one, *temperatures) = further[: len(AXES)], further[len(AXES) :] or (False,)
        along = tuple(STEPS.read(step) for step in steps) or (STEPS.default,) * len(AXES)
        numbers = self.variety.read(variety), VIVIDNESS.read(vividness), int(SEEDS.read(seed))
        scales = tuple(one.read(sent) for one, sent in zip(self.scales, temperatures, strict=False))
        own = scales if one_by_one and not self._follows(scales, numbers[0]) else ()
        return Controls(*numbers, drawn, bool(restore_levels), along, own)

    def draw_of(self, temperatures: Sequence[float]) -> tuple[float, tuple[float, ...]]:
        """Return the variety that these temperatures follow, or else one in range, and the temperatures."""
        variety = self.variety.read(round(temperatures[-1], 6))
        return variety, () if self._follows(temperatures, variety) else tuple(temperatures)

    def _follows(self, temperatures: Sequence[float], variety: float) -> bool:
        pairs = zip(self._follow(variety), temperatures, strict=True)
        return all(math.isclose(one, other, abs_tol=1e-4) for one, other in pairs)


@dataclasses.dataclass(frozen=True)
class Reference:
    """The colours of a picture, for photographs to take on.

    Attributes:
        colours: of the picture.
        name: of the picture, for the visitor.
        origin: the folder of the session that the picture is a colouring of, if it is one. The photograph of that
            session does not take the colours on.
    """

    colours: ColourReference
    name: str
    origin: Path | None = None


@dataclasses.dataclass(frozen=True)
class Session:
    """A photograph and its colourings. It is small, since the whole photograph stays in its file.

    Attributes:
        upload: the photograph's file.
        folder: for the pictures of this session.
        whole_size: height and width of the picture in the file.
        frame: the part of it that is the photograph.
        sizes: in pixels, at which the network sees photographs.
        small: the photograph, reduced for the pictures side by side.
        large: the photograph, reduced for the large picture.
        inputs: the full-size photograph as the network sees it, so that its colours are those of the command line.
        encoded: the photograph as the network has encoded it, once that is done.
        colourings: of the reduced photograph, chosen from several times as many, the best first as they were drawn;
            constraints do not change the choice.
        chosen: index of the colouring in the large picture.
        sample: number of the sample, from 0, that is chosen once it is drawn; by default the best one.
        reference: whose colours this photograph or the next ones take on.
        region: of a colouring, to keep while the rest is drawn again.
    """

    upload: Path
    folder: Path
    whole_size: tuple[int, int]
    frame: Frame
    sizes: tuple[int, ...]
    small: Photograph
    large: Photograph
    inputs: tuple[NetworkInput, ...]
    encoded: EncodedPhotograph | None = None
    colourings: tuple[Colouring, ...] = ()
    chosen: int = 0
    sample: int | None = None
    reference: Reference | None = None
    region: Region | None = None

    @classmethod
    def open(cls, upload: Path, cache: Path, colorizer: Colorizer, reference: Reference | None = None) -> "Session":
        """Read a photograph. The dark rim of a film is left out, except of a colouring that was made with it.

        Args:
            upload: its file.
            cache: where the session makes its folder.
            colorizer: whose network will see the photograph.
            reference: whose colours the photograph takes on.

        Raises:
            ImageError: if it cannot be read; the message names the file without its folder.
        """
        sizes = colorizer.recipe.sizes
        whole = read_upload(upload)
        part = whole if read_provenance(upload) else whole.without_rim()
        small, large, inputs = _reduced(part, sizes)
        cache.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="session-", dir=cache))
        return cls(upload, folder, whole.size, part.frame, sizes, small, large, inputs, reference=reference)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photograph."""
        return self.large.full_size

    def suspend(self) -> "Session":
        """Drop what takes memory: the photograph and its encoding, which :meth:`resume` restores, and the latents."""
        tiny = shrink_photograph(self.small, TINY)
        session = self._with_photograph(tiny, tiny, ())
        colourings = tuple(dataclasses.replace(one, code=_forgotten) for one in session.colourings)
        return dataclasses.replace(session, colourings=colourings)

    def resume(self, present: "Session | None" = None) -> "Session":
        """Restore a suspended session, from the present one if that has the same photograph, else from the file.

        Raises:
            ImageError: if the file cannot be read any more.
        """
        if present is not None and (present.folder, present.frame) == (self.folder, self.frame):
            return self._with_photograph(present.small, present.large, present.inputs, present.encoded)
        reduced = _reduced(read_upload(self.upload, self.frame), self.sizes)
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._with_photograph(*reduced)

    def restart(self, reference: Reference | None) -> "Session":
        """Forget the colourings."""
        return dataclasses.replace(self, colourings=(), chosen=0, sample=None, region=None, reference=reference)

    def reframed(self, frame: Frame) -> "Session":
        """Return the session of another part of the picture, without colourings and suspended."""
        return dataclasses.replace(self.restart(self.reference), frame=frame, inputs=(), encoded=None)

    def delete_files(self) -> None:
        """Delete the pictures of this session."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def download_name(self, colouring: Colouring) -> str:
        """Return the name of a file with the chosen colouring."""
        suffix = self.upload.suffix if self.upload.suffix.lower() in KEPT_SUFFIXES else ".png"
        return f"{self.upload.stem}-coloured-{colouring.seed}-{self.chosen + 1}{suffix}"

    @property
    def wanted_colours(self) -> ColourReference | None:
        """The colours that this photograph takes on."""
        foreign = self.reference is not None and self.reference.origin != self.folder
        return self.reference.colours if self.reference and foreign else None

    def has_draw(self, colorizer: Colorizer, temperature: Temperature, seed: int) -> bool:
        """Return whether the colourings are of this draw, with any steering."""
        draw = (seed, colorizer.temperatures(temperature))
        return bool(self.colourings) and all((one.seed, one.temperature) == draw for one in self.colourings)

    def missing(
        self,
        colorizer: Colorizer,
        temperature: Temperature,
        seed: int,
        steering: Steering = UNSTEERED,
        indices: Sequence[int] = range(SAMPLES),
    ) -> list[int]:
        """Return which colourings are still to be drawn, of those that are wanted; arguments as for :meth:`draw`."""
        if not self.has_draw(colorizer, temperature, seed):
            return list(indices)
        numbers = [colouring.settings["sample"] for colouring in self.colourings]
        return [
            index
            for index in indices
            if self.colourings[index].settings != colorizer.settings(seed, numbers[index], temperature, steering)
        ]

    def draw(
        self,
        colorizer: Colorizer,
        temperature: Temperature,
        seed: int,
        steering: Steering = UNSTEERED,
        indices: Sequence[int] = range(SAMPLES),
    ) -> "Session":
        """Draw the colourings that differ from what is wanted; those of a new draw are put into order.

        Args:
            colorizer: draws.
            temperature: see :meth:`Colorizer.temperatures`.
            seed: of the draw.
            steering: constraints on the colours.
            indices: of the wanted colourings; the others stay as they are. Of another draw, all are drawn.

        Raises:
            CinnError: if the temperature is out of range, or a constraint does not fit the photograph.
        """
        if not self.has_draw(colorizer, temperature, seed):
            return self._draw_afresh(colorizer, temperature, seed, steering)
        missing = self.missing(colorizer, temperature, seed, steering, indices)
        if not missing:
            return self
        encoded = self.encoded or colorizer.encode_photograph(self.large, self.inputs)
        numbers = [self.colourings[index].settings["sample"] for index in missing]
        drawn = colorizer.colorize(encoded, numbers, temperature, seed, steering)
        colourings = dict(enumerate(self.colourings)) | dict(zip(missing, drawn, strict=True))
        return dataclasses.replace(self, encoded=encoded, colourings=tuple(colourings.values()))

    def _draw_afresh(self, colorizer: Colorizer, temperature: Temperature, seed: int, steering: Steering) -> "Session":
        """Draw several times as many as are shown, and choose among them, with the sample that is wanted."""
        sample, drawn_at_once = None if self.colourings else self.sample, CANDIDATES * SAMPLES
        first = (sample or 0) // drawn_at_once * drawn_at_once
        encoded = self.encoded or colorizer.encode_photograph(self.large, self.inputs)
        drawn = colorizer.colorize(encoded, range(first, first + drawn_at_once), temperature, seed, steering)
        numbers = [colouring.settings["sample"] for colouring in choose_diverse(drawn, SAMPLES)]
        if sample is not None and sample not in numbers:
            numbers[-1] = sample
        chosen = 0 if sample is None else numbers.index(sample)
        colourings = tuple(drawn[number - first] for number in numbers)
        return dataclasses.replace(self, encoded=encoded, colourings=colourings, chosen=chosen, sample=None)

    def new_warnings(self, before: "Session") -> list[Message | str]:
        """Return the warnings about the colourings that were not shown with an earlier state of the session."""
        shown = before.colourings[0].warnings if before.colourings else before.large.warnings
        return [warning for warning in self.colourings[0].warnings if warning not in shown]

    def _with_photograph(
        self,
        small: Photograph,
        large: Photograph,
        inputs: tuple[NetworkInput, ...],
        encoded: EncodedPhotograph | None = None,
    ) -> "Session":
        colourings = tuple(colouring.on(large) for colouring in self.colourings)
        return dataclasses.replace(
            self, small=small, large=large, inputs=inputs, encoded=encoded, colourings=colourings
        )


#: From a session, the album and the values of the controls: the session as the controls say, drawn if that is still to
#: be done, and what they say.
AsSet: TypeAlias = Callable[..., tuple[Session, Controls]]


def _forgotten() -> Code:
    raise CinnError("The latents of this colouring are not kept: Colorizer.encode_chroma computes them again.")


def read_upload(upload: Path, frame: Frame = WHOLE, keep_colour: bool = False) -> Photograph:
    """Read a photograph, or a part of it, at full resolution, with its own colours if they are to be kept.

    Raises:
        ImageError: if it cannot be read; the message names the file without its folder.
    """
    with naming(upload):
        return read_photograph(upload, keep_colour).framed(frame)


def _reduced(photograph: Photograph, sizes: tuple[int, ...]) -> tuple[Photograph, Photograph, tuple[NetworkInput, ...]]:
    """Return two copies of a photograph for the screen, and the photograph as the network sees it."""
    large = shrink_photograph(photograph, LARGE)
    return shrink_photograph(large, SMALL), large, network_inputs(photograph, sizes)
