"""BMP, TGA, PSD, ICO, JPEG 2000, AVIF and PNG of kinds that Pillow misreads: the right lightness each time."""

import io
import struct
from importlib.util import find_spec

import numpy as np
import pytest
from PIL import Image, features
from skimage.color import rgb2lab

from cinn_app.errors import ImageError
from cinn_app.imaging import read_photograph

# A ramp with a bright block at the top left and a dark one at the bottom left, of odd size.
GRAY = np.tile(np.linspace(40, 200, 41), (23, 1)).round().astype(np.uint8)
GRAY[:8, :10], GRAY[15:, :10] = 242, 5
RGB = np.dstack([GRAY] * 3)
LIGHTNESS = rgb2lab(RGB)[..., 0]
HEIGHT, WIDTH = GRAY.shape


def assert_right(source: object, atol: float = 1.0, alpha: np.ndarray | None = None) -> None:
    photograph = read_photograph(source)
    np.testing.assert_allclose(photograph.lightness[0].numpy(), LIGHTNESS, atol=atol)
    assert photograph.warnings == ()
    if alpha is None:
        assert photograph.alpha is None
    else:
        np.testing.assert_allclose(photograph.alpha, alpha, atol=1)


# BMP


def bmp(compression: int, bits: int, pixels: bytes, extra: bytes = b"", size: int = 40, height: int = HEIGHT) -> bytes:
    start = 14 + 40 + len(extra)
    header = struct.pack("<LllHHLLLLLL", size, WIDTH, height, 1, bits, compression, len(pixels), 0, 0, 0, 0)
    return b"BM" + struct.pack("<LLL", start + len(pixels), 0, start) + header + extra + pixels


def palette(levels: np.ndarray) -> bytes:
    return b"".join(bytes([level, level, level, 0]) for level in levels)


@pytest.mark.parametrize("run", [7, 8, 3])
def test_bmp_of_nibbles_in_absolute_runs(run):
    levels = np.linspace(0, 255, 16).round().astype(np.uint8)
    indices = np.abs(GRAY[..., None].astype(int) - levels).argmin(-1)
    pixels = b""
    for row in indices[::-1]:
        for left in range(0, WIDTH, run):
            part = row[left : left + run]
            if len(part) < 3:  # such numbers mean something else in a run
                pixels += b"".join(bytes([1, index << 4]) for index in part)
                continue
            nibbles = np.pad(part, (0, -len(part) % 4)).reshape(-1, 2)
            pixels += bytes([0, len(part)]) + bytes((nibbles[:, 0] << 4 | nibbles[:, 1]).astype(np.uint8))
        pixels += b"\0\0"
    read = read_photograph(bmp(2, 4, pixels + b"\0\1", palette(levels)))
    np.testing.assert_allclose(read.lightness[0].numpy(), rgb2lab(np.dstack([levels[indices]] * 3))[..., 0], atol=0.1)
    assert read.warnings == ()


def test_bmp_of_bytes_in_runs_with_moves_and_empty_lines():
    row = b"".join(bytes([1, level]) for level in GRAY[0])
    lines = row + b"\0\0" + b"\0\0" + b"\0\2" + bytes([3, 1]) + bytes([2, 200]) + b"\0\1"
    read = read_photograph(bmp(1, 8, lines, palette(np.arange(256))))
    lightness = read.lightness[0].numpy()[::-1]
    np.testing.assert_allclose(lightness[0], LIGHTNESS[0], atol=0.1)
    assert lightness[1:3].max() < 0.1  # nothing was written there
    assert lightness[3, 3:5].min() > 75 and lightness[3, :3].max() < 0.1


@pytest.mark.parametrize(
    ("bits", "masks"),
    [
        (16, (0xF800, 0x7E0, 0x1F)),
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF)),
        (32, (0xFF, 0xFF00, 0xFF0000)),
        (32, (0xFF00, 0xFF0000, 0xFF000000, 0xFF)),
    ],
)
@pytest.mark.parametrize("top_down", [False, True])
def test_bmp_with_any_bit_fields(bits, masks, top_down):
    numbers = np.zeros(GRAY.shape, np.uint64)
    for mask in masks:
        lowest = (mask & -mask).bit_length() - 1
        value = np.full(GRAY.shape, 255.0) if masks[3:] == (mask,) else GRAY.astype(float)
        numbers |= np.round(value / 255 * (mask >> lowest)).astype(np.uint64) << np.uint64(lowest)
    rows = numbers.astype(f"<u{bits // 8}") if top_down else numbers.astype(f"<u{bits // 8}")[::-1]
    padded = np.pad(rows.view(np.uint8).reshape(HEIGHT, -1), ((0, 0), (0, -(WIDTH * bits // 8) % 4)))
    four = len(masks) == 4
    extra = struct.pack(f"<{len(masks)}L", *masks)
    content = bmp(3, bits, padded.tobytes(), extra, 56 if four else 40, -HEIGHT if top_down else HEIGHT)
    atol = 7 if masks[0] == 0xF00 else 3.5 if bits == 16 else 0.3
    assert_right(content, atol, alpha=np.full(GRAY.shape, 255) if four else None)


def test_a_bmp_that_is_cut_short_says_so():
    numbers = np.ascontiguousarray(np.dstack([GRAY] * 4)[::-1])
    content = bmp(3, 32, numbers.tobytes(), struct.pack("<LLL", 0xFF, 0xFF00, 0xFF0000))
    read = read_photograph(content[: -len(numbers.tobytes()) // 2])
    assert "50% of its pixels are missing" in read.warnings[0]
    np.testing.assert_allclose(read.lightness[0, -10:].numpy(), LIGHTNESS[-10:], atol=0.3)


# TGA


def tga(
    kind: int, bits: int, pixels: np.ndarray, flags: int = 0x20, table: bytes = b"", entry: int = 0, first: int = 0
) -> bytes:
    entries = len(table) // -(-entry // 8) if table else 0
    head = struct.pack("<BBBHHB4HBB", 3, bool(table), kind, first, entries, entry, 0, 0, WIDTH, HEIGHT, bits, flags)
    return head + b"abc" + table + pixels.tobytes() + bytes(8) + b"TRUEVISION-XFILE.\0"


def packed(values: np.ndarray) -> np.ndarray:
    """RGB in 15 bits."""
    five = np.round(values / 255 * 31).astype("<u2")
    return five << 10 | five << 5 | five


HALF = np.full(GRAY.shape, 128, np.uint8)
GRAYS = np.arange(256, dtype=np.uint8)


@pytest.mark.parametrize(
    ("content", "atol", "alpha"),
    [
        (tga(3, 8, GRAY), 0.1, None),
        (tga(3, 8, GRAY[::-1], flags=0), 0.1, None),
        (tga(3, 8, GRAY[:, ::-1], flags=0x30), 0.1, None),
        (tga(3, 16, np.dstack([GRAY, HALF]), flags=0x28), 0.1, HALF),
        (tga(3, 16, GRAY.astype("<u2") * 257), 0.1, None),
        (tga(2, 24, RGB), 0.1, None),
        (tga(2, 32, np.dstack([RGB, HALF]), flags=0x28), 0.1, HALF),
        (tga(2, 32, np.dstack([RGB, HALF])), 0.1, None),  # no bits of alpha, says its header
        (tga(2, 15, packed(GRAY)), 3, None),
        (tga(2, 16, packed(GRAY) | 0x8000, flags=0x21), 3, np.full(GRAY.shape, 255)),
        (tga(1, 8, GRAY, table=GRAYS.repeat(3).tobytes(), entry=24), 0.1, None),
        (tga(1, 8, 255 - GRAY, table=GRAYS[::-1].repeat(4).tobytes(), entry=32), 0.1, None),
        (tga(1, 8, GRAY, table=packed(GRAYS).tobytes(), entry=16), 3, None),
        (
            tga(
                1,
                16,
                GRAY.astype("<u2") + 300,
                table=GRAYS.repeat(3).tobytes(),
                entry=24,
                first=300,
            ),
            0.1,
            None,
        ),
    ],
)
def test_tga(tmp_path, content, atol, alpha):
    assert_right(content, atol, alpha)
    (tmp_path / "old.TGA").write_bytes(content[:-26])  # by its name, as in the first version of the format
    assert_right(tmp_path / "old.TGA", atol, alpha)


def test_tga_in_runs():
    for mode in ("L", "RGB", "RGBA"):
        buffer = io.BytesIO()
        Image.fromarray(RGB).convert(mode).save(buffer, "TGA", compression="tga_rle")
        assert_right(buffer.getvalue(), alpha=np.full(GRAY.shape, 255) if mode == "RGBA" else None)


# PSD


def pack_bits(row: bytes) -> bytes:
    parts = [row[i : i + 100] for i in range(0, len(row), 100)]
    return b"".join(bytes([len(part) - 1]) + part for part in parts)


def psd(
    planes: list[np.ndarray],
    mode: int,
    depth: int,
    packed: bool = False,
    large: bool = False,
    layers: bytes = b"",
    real: int = 1,
    table: bytes = b"",
) -> bytes:
    head = b"8BPS" + struct.pack(">H6xHLLHH", 2 if large else 1, len(planes), HEIGHT, WIDTH, depth, mode)
    version = b"8BIM" + struct.pack(">HHL", 1057, 0, 5) + struct.pack(">LBx", 1, real)
    rows = [np.packbits(row) if depth == 1 else row for plane in planes for row in plane]
    data = [row.astype(row.dtype.newbyteorder(">")).tobytes() for row in rows]
    if packed:
        data = [
            b"".join(bytes([len(row[i : i + 100]) - 1]) + row[i : i + 100] for i in range(0, len(row), 100))
            for row in data
        ]
        counts = b"".join(struct.pack(">L" if large else ">H", len(row)) for row in data)
    section = layers.rjust(len(layers) + (8 if large else 4), b"\0") if layers else b""
    sections = [table, version]
    body = b"".join(struct.pack(">L", len(each)) + each for each in sections)
    body += struct.pack(">Q" if large else ">L", len(section)) + section
    return head + body + struct.pack(">H", packed) + (counts if packed else b"") + b"".join(data)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("large", [False, True])
def test_psd(packed, large):
    options = {"packed": packed, "large": large}
    deep = GRAY.astype(np.uint16) * 257
    unit = (GRAY / 255).astype(np.float32)
    full, none = np.full_like(GRAY, 255), np.full_like(GRAY, 128)
    lightness = np.round(LIGHTNESS * 2.55).astype(np.uint8)
    table = np.tile(np.arange(256, dtype=np.uint8), 3).tobytes()
    transparent = struct.pack(">h", -1)
    assert_right(psd([GRAY], 1, 8, **options))
    assert_right(psd([deep], 1, 16, **options))
    assert_right(psd([unit], 1, 32, **options))
    assert_right(psd([GRAY], 8, 8, **options))
    assert_right(psd([GRAY] * 3, 3, 8, **options))
    assert_right(psd([GRAY] * 4, 3, 8, **options))  # a saved selection
    assert_right(psd([GRAY] * 3 + [HALF], 3, 8, layers=transparent, **options), alpha=HALF)
    assert_right(psd([deep] * 3, 3, 16, **options))
    assert_right(psd([full, full, full, GRAY], 4, 8, **options))
    assert_right(psd([lightness, none, none], 9, 8, **options))
    assert_right(psd([GRAY], 2, 8, table=table, **options))
    bits = read_photograph(psd([(GRAY < 128).astype(np.uint8)], 0, 1, **options))
    np.testing.assert_array_equal(bits.lightness[0].numpy() > 50, GRAY >= 128)


def test_psd_of_floats_without_bounds():
    values = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    values[0, :3] = np.inf, -np.inf, np.nan
    photograph = read_photograph(psd([values], 1, 32))
    np.testing.assert_allclose(photograph.lightness[0, 0, :4], [100, 0, 0, 53.39], atol=0.1)
    assert [str(warning).split("; ")[1] for warning in photograph.warnings] == [
        "they were replaced by black.",
        "they were clipped to the range of the others.",
    ]


def test_psd_without_a_flattened_picture_is_refused():
    with pytest.raises(ImageError, match="layers without a flattened picture"):
        read_photograph(psd([np.full_like(GRAY, 255)] * 3, 3, 8, real=0))
    with pytest.raises(ImageError, match="no picture by themselves"):
        read_photograph(psd([GRAY] * 2, 7, 8))


# Others


@pytest.mark.parametrize("bits", [1, 4, 8, 24, 32])
def test_ico(bits):
    """The largest picture of an icon, in the form of a BMP without its head; the mask says what is transparent."""
    levels = np.linspace(0, 255, 2 ** min(bits, 8)).round().astype(np.uint8)
    indices = np.abs(GRAY[..., None].astype(int) - levels).argmin(-1).astype(np.uint8)
    if bits <= 8:
        stream = np.unpackbits(indices[::-1, :, None], axis=2)[..., 8 - bits :].reshape(HEIGHT, -1)
        rows = np.packbits(stream, axis=1)
    else:
        rows = np.dstack([GRAY] * 3 + [np.full_like(GRAY, 255)])[::-1, :, : bits // 8].reshape(HEIGHT, -1)
    rows = np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4)))
    table = palette(levels) if bits <= 8 else b""
    mask = bytes(HEIGHT * (-(-WIDTH // 32) * 4))
    head = struct.pack("<LllHHLLLLLL", 40, WIDTH, 2 * HEIGHT, 1, bits, 0, 0, 0, 0, 0, 0)
    body = head + table + rows.tobytes() + mask
    content = struct.pack("<HHHBBBBHHLL", 0, 1, 1, WIDTH, HEIGHT, 0, 0, 1, bits, len(body), 22) + body
    shown = levels[indices] if bits <= 8 else GRAY
    read = read_photograph(content)
    np.testing.assert_allclose(read.lightness[0].numpy(), rgb2lab(np.dstack([shown] * 3))[..., 0], atol=0.3)
    assert read.alpha is None or read.alpha.min() == 255


def jp2_with(content: bytes, channels: list[tuple[int, int, int]]) -> bytes:
    """Put channel definitions into a JPEG 2000: number, kind, place of each."""
    body = struct.pack(">H", len(channels)) + b"".join(struct.pack(">HHH", *each) for each in channels)
    box = struct.pack(">L4s", 8 + len(body), b"cdef") + body
    found = content.find(b"cdef")
    if found > 0:
        return content[: found - 4] + box + content[found - 4 + len(box) :]
    at = content.index(b"jp2h") - 4
    size = struct.unpack(">L", content[at : at + 4])[0]
    return content[:at] + struct.pack(">L", size + len(box)) + content[at + 4 : at + size] + box + content[at + size :]


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
def test_jpeg_2000_with_channels_in_any_order(order):
    colours = np.dstack([GRAY, GRAY // 2, 255 - GRAY])
    stored = np.ascontiguousarray(colours[..., order])
    buffer = io.BytesIO()
    Image.fromarray(stored).save(buffer, "JPEG2000", mct=0)
    content = jp2_with(buffer.getvalue(), [(number, 0, place + 1) for number, place in enumerate(order)])
    np.testing.assert_allclose(read_photograph(content).lightness[0].numpy(), rgb2lab(colours)[..., 0], atol=0.1)


def test_jpeg_2000_with_alpha_first():
    for mode, pixels in (("RGBA", np.dstack([HALF, RGB])), ("LA", np.dstack([HALF, GRAY]))):
        buffer = io.BytesIO()
        Image.fromarray(pixels, mode).save(buffer, "JPEG2000", mct=0)
        colours = pixels.shape[2] - 1
        channels = [(0, 1, 0), *[(number, 0, number) for number in range(1, colours + 1)]]
        assert_right(jp2_with(buffer.getvalue(), channels), alpha=HALF)


def test_jpeg_2000_in_lab_is_refused():
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG2000")
    content = bytearray(buffer.getvalue())
    content[content.index(b"colr") + 10] = 14  # it was 16, sRGB
    with pytest.raises(ImageError, match="colours are of the kind 14"):
        read_photograph(bytes(content))


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow reads no AVIF")
def test_avif_shows_its_clean_aperture():
    outer = np.zeros((HEIGHT + 9, WIDTH + 7), np.uint8)
    top, left = 4, 2
    outer[top : top + HEIGHT, left : left + WIDTH] = GRAY
    buffer = io.BytesIO()
    Image.fromarray(outer).convert("RGB").save(buffer, "AVIF", quality=100, subsampling="4:4:4")
    right, down = left - 7 / 2, top - 9 / 2
    values = WIDTH, 1, HEIGHT, 1, round(2 * right), 2, round(2 * down), 2
    aperture = struct.pack(">L4sLLLLlLlL", 40, b"clap", *values)
    assert_right(avif_with(buffer.getvalue(), aperture), atol=4)


def avif_with(content: bytes, box: bytes) -> bytes:
    """Add a property to the picture of an AVIF file."""
    content = bytearray(content)
    at = content.index(b"ipma") - 4
    assert content[at + 8] == 0 and content[at + 11] & 1 == 0  # short numbers
    listed = content.index(b"ipco") - 4
    size = int.from_bytes(content[listed : listed + 4], "big")
    number, here = 1, listed + 8
    while here < listed + size:
        here += int.from_bytes(content[here : here + 4], "big")
        number += 1
    content[at + 18] += 1  # properties of the first item
    content[at + 18 + content[at + 18] : at + 18 + content[at + 18]] = bytes([0x80 | number])
    content[listed + size : listed + size] = box
    added = len(box) + 1
    for name, more in ((b"ipma", 1), (b"ipco", len(box)), (b"iprp", added), (b"meta", added)):
        place = content.index(name) - 4
        content[place : place + 4] = (int.from_bytes(content[place : place + 4], "big") + more).to_bytes(4, "big")
    location = content.index(b"iloc") - 4  # where the pixels are, which moved
    end = location + int.from_bytes(content[location : location + 4], "big")
    start = content.index(b"mdat") + 4
    old = (start - added).to_bytes(4, "big")
    where = content.index(old, location, end)
    content[where : where + 4] = start.to_bytes(4, "big")
    return bytes(content)


def test_transparency_of_16_bits_is_kept():
    deep = GRAY.astype(np.uint16) * 257
    buffer = io.BytesIO()
    Image.fromarray(deep).save(buffer, "PNG", transparency=242 * 257)
    assert_right(buffer.getvalue(), alpha=np.where(GRAY == 242, 0, 255))


@pytest.mark.parametrize("suffix", ["pnm", "pbm", "pgm", "ppm", "pfm"])
def test_netpbm(suffix, tmp_path):
    header = {"pnm": b"P5 41 23 255\n", "pgm": b"P5 41 23 1000\n", "ppm": b"P6 41 23 1000\n", "pbm": b"P4 41 23\n"}
    thousand = np.round(GRAY / 255 * 1000).astype(">u2")
    pixels = {
        "pnm": GRAY,
        "pgm": thousand,
        "ppm": np.dstack([thousand] * 3).astype(">u2"),
        "pbm": np.packbits(GRAY < 128, axis=1),
        "pfm": (GRAY[::-1] / 255).astype("<f4"),
    }[suffix]
    path = tmp_path / f"old.{suffix}"
    path.write_bytes(header.get(suffix, b"Pf\n41 23\n-1.0\n") + pixels.tobytes())
    if suffix == "pbm":
        np.testing.assert_array_equal(read_photograph(path).lightness[0].numpy() > 50, GRAY >= 128)
    else:
        assert_right(path)


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"FUJIFILMCCD-RAW 0201", "raw values of a camera's sensor"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1", "raw values of a camera's sensor"),
        (b"BM" + bytes(12) + struct.pack("<LLLHHL", 64, 9, 9, 1, 1, 3) + bytes(40), "compressed as OS/2 does"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_reason(head, reason):
    with pytest.raises(ImageError, match=reason):
        read_photograph(head + bytes(100))


def test_jpeg_xl_says_what_to_install():
    if find_spec("pillow_jxl"):
        pytest.skip("the plugin is installed")
    with pytest.raises(ImageError, match="without the extra codecs: save the picture as PNG"):
        read_photograph(b"\xff\x0a" + bytes(100))


def test_jpeg_xl_where_the_plugin_is():
    pytest.importorskip("pillow_jxl")
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JXL", lossless=True)
    assert_right(buffer.getvalue())


@pytest.mark.parametrize("scale", [1.0, 1e308, -1e308])
def test_arrays_of_the_largest_floats(scale):
    values = (GRAY / 255 - (0.5 if scale < 0 else 0)) * scale
    lightness = read_photograph(values).lightness
    assert lightness.isfinite().all()
    assert lightness.max() > 90
