"""Colours by curves and primaries: ICC profiles of every kind, and what a PNG says in chunks of its own."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageCms
from skimage.color import rgb2lab

from cinn_app.imaging import read_photograph

STEPS = np.linspace(0, 1, 256)
COLOURS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
# Columns of red, green and blue in XYZ of D50, from the profiles of their authors.
SRGB_COLORANTS = ((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))
ADOBE_COLORANTS = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))

Encoder = Callable[[np.ndarray], np.ndarray]


def linear(srgb: np.ndarray) -> np.ndarray:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def icc(space: bytes, tags: dict[bytes, bytes], name: bytes = b"a profile", connection: bytes = b"XYZ ") -> bytes:
    """Build an ICC profile of version 2."""
    white = b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1, 0.8249)))
    description = b"desc" + bytes(4) + struct.pack(">I", len(name) + 1) + name + bytes(1 + 78)
    table, body, start = b"", b"", 132 + 12 * (len(tags) + 2)
    for tag, data in {b"desc": description, b"wtpt": white, **tags}.items():
        table += struct.pack(">4sII", tag, start + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"lcms", 0x02100000, b"mntr", space, connection)
    header += bytes(12) + b"acsp" + bytes(28) + white[8:]
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags) + 2) + table + body


def table_curve(values: np.ndarray) -> bytes:
    numbers = np.round(values * 65535).astype(">u2")
    return b"curv" + bytes(4) + struct.pack(">I", len(numbers)) + numbers.tobytes()


def gamma_curve(gamma: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256))


def formula_curve(number: int, *parameters: float) -> bytes:
    return (
        b"para" + bytes(4) + struct.pack(f">HH{len(parameters)}i", number, 0, *(round(p * 65536) for p in parameters))
    )


def rgb_profile(curve: bytes, colorants: tuple = SRGB_COLORANTS, name: bytes = b"a profile") -> bytes:
    points = [b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in each)) for each in colorants]
    names = (b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC")
    return icc(b"RGB ", dict(zip(names, [*points, curve, curve, curve], strict=True)), name)


SRGB_FORMULA = formula_curve(3, 2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
CURVES = {
    "linear": gamma_curve(1.0),
    "power": gamma_curve(1.8),
    "table": table_curve(STEPS**2.6),
    "sRGB by a table": table_curve(linear(STEPS)),
    "sRGB by a formula": SRGB_FORMULA,
    "formula 0": formula_curve(0, 2.2),
    "formula 1": formula_curve(1, 2.0, 1.1, -0.1),
    "formula 2": formula_curve(2, 2.0, 1.0, -0.0513, 0.1),
    "formula 4": formula_curve(4, 2.4, 0.9479, 0.0521, 0.0774, 0.0404, 0.01, 0.01),
}


def file_of(values: np.ndarray, file_format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, file_format, **options)
    return buffer.getvalue()


def lightness_of(source: object) -> np.ndarray:
    photograph = read_photograph(source)
    assert not [warning for warning in photograph.warnings if "colour already" not in warning]
    return photograph.lightness[0].numpy()


def assert_as_littlecms(values: np.ndarray, profile: bytes, atol: float = 0.7) -> None:
    """Compare with LittleCMS, whose results have 8 bits."""
    image = Image.fromarray(values)
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = ImageCms.profileToProfile(image, source, SRGB, outputMode="RGB")
    found = lightness_of(file_of(values, "TIFF", icc_profile=profile))
    np.testing.assert_allclose(found, rgb2lab(np.asarray(expected))[..., 0], atol=atol)


@pytest.mark.parametrize("name", [b"a profile", b"sRGB IEC61966-2.1"])
@pytest.mark.parametrize("curve", CURVES)
def test_curves_decide_and_not_the_name(curve, name):
    assert_as_littlecms(COLOURS, rgb_profile(CURVES[curve], name=name))


def test_primaries_decide():
    assert_as_littlecms(COLOURS, rgb_profile(gamma_curve(2.2), ADOBE_COLORANTS, b"sRGB"))


@pytest.mark.parametrize("connection", [b"XYZ ", b"Lab "])
@pytest.mark.parametrize("curve", CURVES)
def test_gray_profiles(curve, connection):
    profile = icc(b"GRAY", {b"kTRC": CURVES[curve]}, b"sRGB gray", connection)
    assert_as_littlecms(np.arange(8, 256, dtype=np.uint8)[None], profile)  # below, LittleCMS has wide steps itself


def test_profiles_with_tables():
    """A table that makes everything half as bright in XYZ; LittleCMS alone reads such."""
    corners = np.stack(np.meshgrid(*[[0, 1]] * 3, indexing="ij"), -1).reshape(8, 3)
    xyz = corners @ np.array(SRGB_COLORANTS) / 2 * 32768
    identity = np.array([0, 65535], ">u2").tobytes()
    table = b"mft2" + bytes(4) + bytes([3, 3, 2, 0]) + struct.pack(">9i", *(np.eye(3).ravel() * 65536).astype(int))
    table += struct.pack(">HH", 2, 2) + identity * 3 + xyz.round().astype(">u2").tobytes() + identity * 3
    profile = icc(b"RGB ", {b"A2B0": table}, b"sRGB")
    gray = np.repeat(np.arange(0, 256, 5, dtype=np.uint8)[None, :, None], 3, -1)
    found = lightness_of(file_of(gray, icc_profile=profile))[0]
    # Without white, which LittleCMS always maps to white.
    np.testing.assert_allclose(found[:-1], lightness_of_light(gray[0, :-1, 0] / 255 / 2), atol=0.7)


@pytest.mark.parametrize("deep", [False, True])
def test_a_gray_picture_with_a_profile_of_colours(deep):
    values = np.arange(256, dtype=np.uint8)[None]
    content = file_of(values.astype(np.uint16) * 257 if deep else values, icc_profile=rgb_profile(gamma_curve(1.0)))
    np.testing.assert_allclose(lightness_of(content)[0], lightness_of_light(STEPS), atol=0.05)


def test_a_damaged_curve_is_said():
    profile = rgb_profile(b"curv" + bytes(4) + struct.pack(">I", 9999))
    photograph = read_photograph(file_of(COLOURS, icc_profile=profile))
    np.testing.assert_allclose(photograph.lightness[0], rgb2lab(COLOURS)[..., 0], atol=0.05)
    assert any("profile" in warning for warning in photograph.warnings)


# What PNG says in chunks of its own


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content), name) + content + struct.pack(">I", zlib.crc32(name + content))


def png(values: np.ndarray, *chunks: bytes, palette: bool = False) -> bytes:
    """Encode uint8 or uint16: gray, gray and alpha, RGB, RGBA; or gray as a palette."""
    values = values.reshape(*values.shape[:2], -1)
    height, width, channels = values.shape
    kind = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(values.dtype.newbyteorder(">")).tobytes() for row in values)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8 * values.dtype.itemsize, kind, 0, 0, 0))
    entries = chunk(b"PLTE", np.repeat(np.arange(256, dtype=np.uint8), 3).tobytes()) if palette else b""
    return (
        b"\x89PNG\r\n\x1a\n"
        + head
        + b"".join(chunks)
        + entries
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def gama(gamma: float) -> bytes:
    return chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000)))


def chrm(*numbers: float) -> bytes:
    return chunk(b"cHRM", struct.pack(">8I", *(round(number * 100_000) for number in numbers)))


def cicp(primaries: int, transfer: int, full: int = 1) -> bytes:
    return chunk(b"cICP", bytes([primaries, transfer, 0, full]))


def lightness_of_light(light: np.ndarray) -> np.ndarray:
    return np.where(light > 216 / 24389, 116 * np.cbrt(light) - 16, light * 24389 / 27)


KINDS = ["gray", "gray 16", "gray alpha", "gray alpha 16", "RGB", "RGB 16", "RGBA", "RGBA 16", "palette"]


def gray_as(kind: str, gray: np.ndarray) -> np.ndarray:
    """Gray in 0..1 in a kind of PNG."""
    values = np.round(gray * 65535).astype(np.uint16) if "16" in kind else np.round(gray * 255).astype(np.uint8)
    channels = [values] * (3 if "RGB" in kind else 1)
    if "alpha" in kind or "RGBA" in kind:
        channels.append(np.full_like(values, np.iinfo(values.dtype).max))
    return np.stack(channels, -1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("chunks", "light"),
    [
        ([gama(1.0)], STEPS),
        ([gama(0.5)], STEPS**2),
        ([gama(0.45455)], linear(STEPS)),
        ([gama(1.0), chrm(0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)], STEPS),
        ([chrm(0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)], linear(STEPS)),
        ([gama(1.0), chunk(b"sRGB", b"\0")], linear(STEPS)),
        ([cicp(1, 8)], STEPS),
        ([cicp(1, 13)], linear(STEPS)),
        ([cicp(12, 8), gama(0.45455)], STEPS),
        ([cicp(9, 1)], np.where(STEPS < 0.081, STEPS / 4.5, ((STEPS + 0.099) / 1.099) ** (1 / 0.45))),
    ],
)
def test_gray_by_chunks_of_png(kind, chunks, light):
    found = lightness_of(png(gray_as(kind, STEPS[None]), *chunks, palette=kind == "palette"))[0]
    # Colours of 8 bits are rounded to 8 bits of sRGB.
    np.testing.assert_allclose(
        found, lightness_of_light(light), atol=0.3 if kind in ("RGB", "RGBA", "palette") else 0.05
    )


def test_colours_in_16_bits_keep_their_precision():
    dark = np.arange(0, 512, dtype=np.uint16)[None, :, None].repeat(3, -1)
    found = lightness_of(png(dark, gama(1.0)))[0]
    np.testing.assert_allclose(found, lightness_of_light(np.arange(512) / 65535), atol=0.01)


@pytest.mark.parametrize(
    ("chunks", "colorants"),
    [
        ([cicp(12, 8)], ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))),
        ([cicp(9, 8)], ((0.67348, 0.27903, -0.00194), (0.16566, 0.67535, 0.02998), (0.12505, 0.04561, 0.79686))),
        ([gama(1.0), chrm(0.3127, 0.329, 0.64, 0.33, 0.21, 0.71, 0.15, 0.06)], ADOBE_COLORANTS),
    ],
    ids=["P3", "BT.2020", "Adobe RGB"],
)
def test_primaries_of_png(chunks, colorants):
    """As the ICC profiles of these spaces have it."""
    by_profile = lightness_of(file_of(COLOURS, icc_profile=rgb_profile(gamma_curve(1.0), colorants)))
    np.testing.assert_allclose(lightness_of(png(COLOURS, *chunks)), by_profile, atol=0.7)


@pytest.mark.parametrize(("transfer", "name", "white"), [(16, "PQ", 0.58069), (18, "HLG", 0.74877)])
def test_high_dynamic_range_is_clipped_at_paper_white_and_said(transfer, name, white):
    photograph = read_photograph(png(np.round(np.array([[0, white, 1]]) * 65535).astype(np.uint16), cicp(9, transfer)))
    np.testing.assert_allclose(photograph.lightness[0, 0], [0, 100, 100], atol=0.3)
    assert photograph.warnings == (f"It has a high dynamic range ({name}); what is brighter than white was clipped.",)


def test_narrow_range():
    found = lightness_of(png(np.array([[16, 235]], np.uint8), cicp(1, 13, full=0)))
    np.testing.assert_allclose(found[0], [0, 100], atol=0.1)


@pytest.mark.parametrize(
    "chunks",
    [[cicp(1, 12)], [cicp(77, 8)], [gama(0.0)], [gama(0.00001)], [gama(0x7FFFFFFF / 100_000)], [chrm(*[0.3] * 8)]],
)
def test_what_png_says_and_nobody_understands_is_said(chunks):
    photograph = read_photograph(png(COLOURS, *chunks))
    np.testing.assert_allclose(photograph.lightness[0], rgb2lab(COLOURS)[..., 0], atol=0.05)
    assert len([warning for warning in photograph.warnings if "colour already" not in warning]) == 1
