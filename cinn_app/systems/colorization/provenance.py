"""The provenance record of a finished picture, read as what gives the same colours again.

>>> import numpy as np
>>> from cinn_app import Colorizer
>>> colorizer, gray = Colorizer.load("colorize"), np.full((90, 120), 128, np.uint8)
>>> made = Provenance.of(colorizer.colorize(gray, 4, seed=7)[2].record(strength=0.8), colorizer, (90, 120))
>>> made.seed, made.sample, made.strength, made.lacking
(7, 2, 0.8, ())
"""

import contextlib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, Field, ValidationError

from cinn_app.errors import CinnError
from cinn_app.latents import match_axis
from cinn_app.limits import MAX_SEED, MAX_STEP, MAX_TEMPERATURE
from cinn_app.systems.colorization.axes import AXES
from cinn_app.systems.colorization.colorizer import Colorizer
from cinn_app.systems.colorization.hints import Hint, Hints

__all__ = ["Lack", "Provenance"]

#: What a record names but does not hold, or what does not fit this model or picture.
Lack = Literal["weights", "reference", "kept", "hints", "axes", "thing"]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Record(BaseModel):
    """A provenance record, which may come from anyone's file."""

    weights: str = ""
    seed: Annotated[int, Field(ge=0, le=MAX_SEED)]
    sample: Annotated[int, Field(ge=0, le=100_000)]
    temperature: Annotated[list[Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]], Field(min_length=1)]
    strength: Annotated[Finite, Field(ge=0)] = 1.0
    axes: dict[str, Annotated[float, Field(ge=-MAX_STEP, le=MAX_STEP)]] = {}
    thing: tuple[Finite, Finite] | None = None
    hints: tuple[Hint, ...] = ()
    reference: str | None = None
    kept: str | None = None
    restore_levels: bool = False


class Provenance(NamedTuple):
    """How a colouring was made, and can be made again.

    Attributes:
        seed: of the draw.
        sample: its number in the draw, from 0.
        temperatures: of each scale of the model, fine to coarse.
        strength: factor of the chroma.
        axes: steps along the axes of colour.
        hints: laid on the photograph, if there were any.
        reference: digest of the colours that were taken on, if any.
        lacking: what else made it and is not available; if empty, the colours are the same.
        restore_levels: whether the fading of the photograph was removed.
    """

    seed: int
    sample: int
    temperatures: tuple[float, ...]
    strength: float
    axes: dict[str, float]
    hints: Hints | None
    reference: str | None
    lacking: tuple[Lack, ...]
    restore_levels: bool = False

    @classmethod
    def of(cls, record: Mapping[str, Any] | None, colorizer: Colorizer, size: tuple[int, int]) -> "Provenance | None":
        """Read a record, as :func:`cinn_app.imaging.read_provenance` returns it.

        Args:
            record: of the picture, if it has one.
            colorizer: that may have made the picture.
            size: height and width of the picture.

        Returns:
            The provenance, or ``None`` without a record of one drawn colouring; that of a contact sheet is of several.
        """
        if record is None or "samples" in record:
            return None
        try:
            made = _Record.model_validate(dict(record))
        except (ValidationError, CinnError):
            return None
        named = {"reference": made.reference, "kept": made.kept, "thing": made.thing}
        lacking: list[Lack] = [name for name in ("reference", "kept", "thing") if named[name]]
        if made.weights != colorizer.settings()["weights"]:
            lacking.append("weights")
        hints = None
        if made.hints:
            try:
                hints = Hints(made.hints).on(size)
            except CinnError:  # the picture was cropped or made smaller since
                lacking.append("hints")
        axes = {}
        for name, step in made.axes.items():
            with contextlib.suppress(CinnError):  # an axis of another version
                axes[match_axis(AXES, name).name] = step
        if len(axes) < len(made.axes):
            lacking.append("axes")
        temperatures = tuple(made.temperature)
        if len(temperatures) != len(colorizer.temperatures()):  # of a model with other scales
            temperatures = colorizer.temperatures(temperatures[-1])
            lacking += [] if "weights" in lacking else ["weights"]
        return cls(
            made.seed,
            made.sample,
            temperatures,
            made.strength,
            axes,
            hints,
            made.reference,
            tuple(lacking),
            made.restore_levels,
        )
