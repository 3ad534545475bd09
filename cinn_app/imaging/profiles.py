"""Colour management: what the numbers of a picture mean by its ICC profile or the chunks of a PNG, and the way to sRGB.

Curves and primaries decide, never the name of a profile. A profile of curves and a matrix is computed here in floats,
like all that PNG's chunks can say, so that 16 bits keep their precision. Profiles with tables, and those of
inks, go through LittleCMS in 8 bits.
"""

import functools
import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageCms

from cinn_app.imaging.colour import row_tiles
from cinn_app.messages import Message

__all__ = ["SRGB_PROFILE", "lab_to_srgb", "to_srgb"]

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_BLOCK = _SRGB.tobytes()
#: The sRGB profile for files that are written. Bytes 24 to 36 are its date: a fixed one, so that the same picture gives
#: the same file every day.
SRGB_PROFILE = _BLOCK[:24] + struct.pack(">6H", 2026, 7, 1, 0, 0, 0) + _BLOCK[36:]

IGNORED = Message("Its colour profile is damaged or made for another kind of picture, and was ignored.")

# A curve from the numbers of a channel in 0..1 to linear light, or to L* of a profile that counts in Lab.
Curve = Callable[[np.ndarray], np.ndarray]

# Chromaticities x, y of white, red, green and blue.
D50, D65, DCI = (0.34567, 0.35850), (0.3127, 0.3290), (0.314, 0.351)
BT709 = (D65, (0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
BT601_525 = (D65, (0.630, 0.340), (0.310, 0.595), (0.155, 0.070))
#: The primaries of H.273 (cICP) by number; 2 is "not specified".
PRIMARIES = {
    1: BT709,
    2: BT709,
    5: (D65, (0.64, 0.33), (0.29, 0.60), (0.15, 0.06)),
    6: BT601_525,
    7: BT601_525,
    9: (D65, (0.708, 0.292), (0.170, 0.797), (0.131, 0.046)),
    11: (DCI, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
    12: (D65, (0.680, 0.320), (0.265, 0.690), (0.150, 0.060)),
}
# PNG's gAMA that means sRGB rather than a power: most programs write it beside sRGB pixels, and libpng reads it so.
SRGB_GAMMA, GAMMA_TOLERANCE = 0.45455, 0.005
# Pictures have a gAMA between 0.3 and 1. Beyond these bounds it is damaged: nearly all tones would be black, or white.
LEAST_GAMMA, MOST_GAMMA = 0.1, 10
# Of a profile that counts as sRGB: half a step of 8 bits on the gray axis, and rounding in the matrix.
SAME_TONE, SAME_MATRIX = 0.5 / 255, 0.01
# The most light, L* 50, that may count as black.
MOST_BLACK = 0.1842
# Of PQ and HLG, in nits: what paper white is worth, the brightest of PQ, and the nominal peak of HLG.
DIFFUSE_WHITE, PQ_PEAK, HLG_PEAK = 203, 10_000, 1000


def to_srgb(values: np.ndarray, info: Mapping[Any, Any]) -> tuple[np.ndarray, tuple[Message, ...]]:
    """Convert a picture to sRGB by what its file says of its colours.

    Args:
        values: gray `(height, width)`, RGB `(height, width, 3)`, or CMYK `(height, width, 4)` in uint8; the others in
            uint8, or float32 in 0..1.
        info: of Pillow: `icc_profile`, and of a PNG `cicp`, `srgb`, `gamma`, `chromaticity`.

    Returns:
        Gray or RGB; uint8, or float32 in 0..1. And warnings about what was ignored or lost.
    """
    space, warnings = _space(info)
    if space is not None:
        try:
            return space.to_srgb(values), warnings
        except (ImageCms.PyCMSError, ValueError):
            warnings = (IGNORED,)
    return (np.array(Image.fromarray(values, "CMYK").convert("RGB")) if values.shape[2:] == (4,) else values), warnings


def lab_to_srgb(image: Image.Image) -> np.ndarray:
    """Convert a Pillow picture of mode LAB to uint8 RGB `(height, width, 3)`."""
    return np.array(Profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))).transform(image))


@dataclass(frozen=True)
class Shaper:
    """A colour space of curves and a matrix.

    Attributes:
        curves: one of gray, or three of RGB.
        matrix: linear RGB to linear sRGB, `(3, 3)`; of gray it is not used.
    """

    curves: tuple[Curve, ...]
    matrix: np.ndarray

    @classmethod
    def of_profile(cls, block: bytes) -> "Shaper | None":
        """Read an ICC profile; None if it does not consist of curves and a matrix alone.

        Raises:
            ValueError, struct.error: if it is damaged.
        """
        kind, numbers, connection = block[12:16], block[16:20], block[20:24]
        tags = _tags(block)
        if kind not in (b"mntr", b"scnr", b"prtr", b"spac") or tags.keys() & {b"A2B0", b"D2B0"}:
            return None
        if numbers == b"GRAY" and b"kTRC" in tags:
            curve = _curve(tags[b"kTRC"])
            return cls(((lambda v: _luminance(curve(v))) if connection == b"Lab " else curve,), np.eye(3))
        if numbers == b"RGB " and connection == b"XYZ " and {b"rTRC", b"gTRC", b"bTRC"} <= tags.keys():
            columns = [np.array(struct.unpack_from(">3i", tags[name], 8)) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
            matrix = _FROM_XYZ @ (np.stack(columns, 1) / 65536)
            return cls(tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")), matrix)
        return None

    @property
    def is_srgb(self) -> bool:
        """Whether its numbers are those of sRGB."""
        steps = np.linspace(0, 1, 256)
        same = [np.abs(_encode(curve(steps)) - steps).max() < SAME_TONE for curve in self.curves]
        return all(same) and bool(np.abs(self.matrix - np.eye(3)).max() < SAME_MATRIX)

    def to_srgb(self, values: np.ndarray) -> np.ndarray:
        """Convert gray or RGB.

        Raises:
            ValueError: for colours in a space of gray, and CMYK.
        """
        if values.ndim == 2:
            if values.dtype == np.uint8:
                return self._gray(np.linspace(0, 1, 256)).astype(np.float32)[values]
            return _in_tiles(self._gray, values, np.float32)
        if values.shape[2] != 3 or len(self.curves) != 3:
            raise ValueError("another kind of picture")
        if values.dtype != np.uint8:
            return _in_tiles(lambda rows: _encode(self._above_black(self._linear(rows))), values, np.float32)
        tables = [curve(np.linspace(0, 1, 256)).astype(np.float32) for curve in self.curves]
        matrix = self.matrix.T.astype(np.float32)

        def convert(rows: np.ndarray) -> np.ndarray:
            linear = np.stack([table[rows[..., channel]] for channel, table in enumerate(tables)], -1) @ matrix
            return _eight_bits()[(self._above_black(linear).clip(0, 1) * 65535 + 0.5).astype(np.uint16)]

        return _in_tiles(convert, values, np.uint8)

    def _linear(self, rgb: np.ndarray) -> np.ndarray:
        return np.stack([curve(rgb[..., channel]) for channel, curve in enumerate(self.curves)], -1) @ self.matrix.T

    def _luminance(self, gray: np.ndarray) -> np.ndarray:
        if len(self.curves) == 1:
            return self.curves[0](gray)
        return self._linear(np.stack([gray] * 3, -1)) @ _LUMINANCE

    def _above_black(self, linear: np.ndarray) -> np.ndarray:
        """Compensate the black point, as LittleCMS does: what the space has for black becomes black."""
        black = min(max(0.0, float(self._luminance(np.zeros(1))[0])), MOST_BLACK)
        return (linear - np.float32(black)) / np.float32(1 - black) if black else linear

    def _gray(self, values: np.ndarray) -> np.ndarray:
        return _encode(self._above_black(self._luminance(values)))


@dataclass(frozen=True)
class Profile:
    """A colour space that LittleCMS reads, in 8 bits."""

    profile: ImageCms.ImageCmsProfile

    def to_srgb(self, values: np.ndarray) -> np.ndarray:
        """Convert gray, RGB or CMYK.

        Raises:
            PyCMSError: if the profile is made for another kind of picture.
        """
        if values.ndim == 2:
            steps, curve = self._gray_curve()
            if values.dtype == np.uint8:
                return np.interp(np.linspace(0, 1, 256), steps, curve).astype(np.float32)[values]
            return np.interp(values, steps, curve).astype(np.float32)
        if values.dtype != np.uint8:
            values = np.round(values * 255).astype(np.uint8)
        return np.array(self.transform(Image.fromarray(values, "CMYK" if values.shape[2] == 4 else "RGB")))

    def transform(self, image: Image.Image) -> Image.Image:
        """Convert to sRGB in fine steps: the default ones are too wide for dark gray."""
        fine = ImageCms.Flags.HIGHRESPRECALC
        converted = ImageCms.profileToProfile(image, self.profile, _SRGB, outputMode="RGB", flags=fine)
        assert converted is not None  # it is None only when asked to work in place
        return converted

    def _gray_curve(self) -> tuple[np.ndarray, np.ndarray]:
        """Return a curve from gray in 0..1 to sRGB gray, which fits any depth: two increasing arrays."""
        steps = Image.fromarray(np.arange(256, dtype=np.uint8)[None])
        if self.profile.profile.xcolor_space.strip() == "RGB":  # some programs embed it in gray pictures
            steps = steps.convert("RGB")
        mapped = np.asarray(self.transform(steps).convert("L"))[0]
        # Steps that 8 bits map to the same value become one point in their middle, so that no depth is lost.
        values, groups = np.unique(mapped, return_inverse=True)
        centres = np.bincount(groups, weights=np.linspace(0, 1, 256)) / np.bincount(groups)
        return centres, values / 255


# What a file says


def _space(info: Mapping[Any, Any]) -> tuple[Shaper | Profile | None, tuple[Message, ...]]:
    """Return the colour space of a picture, None for sRGB; in the order of the PNG standard: cICP, ICC, sRGB, gAMA."""
    if "cicp" in info:
        return _space_of_cicp(*info["cicp"])
    if block := info.get("icc_profile"):
        return _space_of_profile(block)
    if "srgb" in info or not info.keys() & {"gamma", "chromaticity"}:
        return None, ()
    gamma, chromaticity = info.get("gamma", SRGB_GAMMA), info.get("chromaticity", sum(BT709, ()))
    if not LEAST_GAMMA <= gamma <= MOST_GAMMA:
        return None, (IGNORED,)
    curve = _linear_srgb if abs(gamma - SRGB_GAMMA) <= GAMMA_TOLERANCE else _power(1 / gamma)
    try:
        matrix = _matrix(*zip(chromaticity[::2], chromaticity[1::2], strict=True))
    except (TypeError, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None, (IGNORED,)
    return _unless_srgb(Shaper((curve,) * 3, matrix)), ()


def _space_of_profile(block: bytes) -> tuple[Shaper | Profile | None, tuple[Message, ...]]:
    try:
        profile = Profile(ImageCms.ImageCmsProfile(io.BytesIO(block)))
        shaper = Shaper.of_profile(block)
    except (ImageCms.PyCMSError, OSError):
        return None, (IGNORED,)
    except (ValueError, ArithmeticError, struct.error):
        return profile, ()
    return (profile if shaper is None else _unless_srgb(shaper)), ()


def _space_of_cicp(primaries: int, transfer: int, coefficients: int, full: int) -> tuple[Any, tuple[Message, ...]]:
    """Read the code points of H.273; the matrix coefficients of a PNG are always 0, RGB."""
    curve = TRANSFERS.get(transfer)
    if curve is None or primaries not in PRIMARIES:
        code = f"cICP {primaries}, {transfer}"
        return None, (
            Message("Its colours are coded in a way that is not known ({code}); they were taken for sRGB.", code=code),
        )
    if not full:
        curve = _of_narrow_range(curve)
    warnings: tuple[Message, ...] = ()
    if transfer in HIGH_RANGE:
        name = HIGH_RANGE[transfer]
        warnings = (
            Message("It has a high dynamic range ({curve}); what is brighter than white was clipped.", curve=name),
        )
    return _unless_srgb(Shaper((curve,) * 3, _matrix(*PRIMARIES[primaries]))), warnings


def _unless_srgb(shaper: Shaper) -> Shaper | None:
    return None if shaper.is_srgb else shaper


def _tags(block: bytes) -> dict[bytes, bytes]:
    """Return the tags of an ICC profile."""
    count = min(struct.unpack_from(">I", block, 128)[0], 100)
    entries = [struct.unpack_from(">4sII", block, 132 + 12 * number) for number in range(count)]
    return {name: block[start : start + size] for name, start, size in entries}


def _curve(tag: bytes) -> Curve:
    """Read a curve of an ICC profile: a power, a table, or one of five formulas."""
    match tag[:4]:
        case b"curv":
            (count,) = struct.unpack_from(">I", tag, 8)
            numbers = np.array(struct.unpack_from(f">{count}H", tag, 12))
            if count < 2:
                return _power(float(numbers[0]) / 256 if count else 1.0)
            return lambda v: np.interp(v, np.linspace(0, 1, count), numbers / 65535)
        case b"para":
            (formula,) = struct.unpack_from(">H", tag, 8)
            length = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(formula)
            if length is None:
                raise ValueError("unknown formula")
            given = [number / 65536 for number in struct.unpack_from(f">{length}i", tag, 12)]
            if formula == 0:
                return _power(given[0])
            g, a, b, *rest = given
            match formula:
                case 1 | 2:  # (a x + b)^g + c, and c where a x + b < 0
                    offset = rest[0] if rest else 0.0
                    return lambda v: (a * v + b).clip(0) ** g + offset
                case 3:
                    slope, bend, above, below = *rest, 0.0, 0.0
                case _:
                    slope, bend, above, below = rest
            return lambda v: np.where(v >= bend, (a * v + b).clip(0) ** g + above, slope * v + below)
    raise ValueError("unknown curve")


# Curves


def _power(exponent: float) -> Curve:
    return lambda v: v.clip(0) ** exponent


def _linear_srgb(v: np.ndarray) -> np.ndarray:
    return np.where(v <= 0.04045, v / 12.92, ((v.clip(0) + 0.055) / 1.055) ** 2.4)


def _encode(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB, the inverse of the curve above; what is out of 0..1 is clipped."""
    linear = linear.clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@functools.cache
def _eight_bits() -> np.ndarray:
    """Return sRGB in 8 bits of linear light in 16."""
    return np.round(255 * _encode(np.linspace(0, 1, 65536))).astype(np.uint8)


def _luminance(lightness: np.ndarray) -> np.ndarray:
    """L* in 0..1 to luminance."""
    return np.where(lightness > 0.08, ((100 * lightness + 16) / 116) ** 3, 100 * lightness * 27 / 24389)


def _linear_bt709(v: np.ndarray) -> np.ndarray:
    return np.where(v < 0.081, v / 4.5, ((v.clip(0) + 0.099) / 1.099) ** (1 / 0.45))


def _linear_pq(v: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084, with paper white as 1."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    root = v.clip(0) ** (1 / m2)
    return ((root - c1).clip(0) / (c2 - c3 * root)) ** (1 / m1) * (PQ_PEAK / DIFFUSE_WHITE)


def _linear_hlg(v: np.ndarray) -> np.ndarray:
    """BT.2100's hybrid of logarithm and gamma on its nominal display, channel by channel, with paper white as 1."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(v <= 0.5, v**2 / 3, (np.exp((v - c) / a) + b) / 12)
    return scene.clip(0) ** 1.2 * (HLG_PEAK / DIFFUSE_WHITE)


def _of_narrow_range(curve: Curve) -> Curve:
    """Black at 16 of 255 and white at 235, as in video."""
    return lambda v: curve(((v * 255 - 16) / 219).clip(0, 1))


#: The transfer characteristics of H.273 (cICP) by number; 2 is "not specified".
TRANSFERS: dict[int, Curve] = {
    **dict.fromkeys((1, 6, 14, 15), _linear_bt709),
    **dict.fromkeys((2, 13), _linear_srgb),
    4: _power(2.2),
    5: _power(2.8),
    8: lambda v: v,
    16: _linear_pq,
    17: lambda v: v.clip(0) ** 2.6 * (52.37 / 48),
    18: _linear_hlg,
}
HIGH_RANGE = {16: "PQ", 18: "HLG"}


# Matrices


def _matrix(*chromaticities: Any) -> np.ndarray:
    """Return linear RGB of these white, red, green and blue to linear sRGB, white to white.

    Raises:
        ArithmeticError, np.linalg.LinAlgError: if they span no colours.
    """
    matrix = _FROM_XYZ @ _to_xyz(*chromaticities)
    if not np.isfinite(matrix).all():
        raise ArithmeticError("no colours")
    return np.asarray(matrix)


def _to_xyz(white: Any, *primaries: Any) -> np.ndarray:
    """Linear RGB to XYZ, adapted to the white of ICC profiles, D50, as Bradford has it."""
    columns = np.stack([_xyz(primary) for primary in primaries], 1)
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    gains = (bradford @ _xyz(D50)) / (bradford @ _xyz(white))
    adapted = np.linalg.solve(bradford, gains[:, None] * bradford)
    return np.asarray(adapted @ (columns * np.linalg.solve(columns, _xyz(white))))


def _xyz(chromaticity: Any) -> np.ndarray:
    x, y = chromaticity
    return np.array([x / y, 1, (1 - x - y) / y])


_FROM_XYZ = np.linalg.inv(_to_xyz(*BT709))
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def _in_tiles(convert: Callable[[np.ndarray], np.ndarray], values: np.ndarray, dtype: Any) -> np.ndarray:
    converted = np.empty(values.shape, dtype)
    for rows in row_tiles(*values.shape[:2]):
        converted[rows] = convert(values[rows])
    return converted
