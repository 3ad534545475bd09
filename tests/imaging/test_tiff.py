"""TIFF of every depth, format of samples, layout, colour space and compression: the right lightness each time."""

import io
import struct
import sys

import numpy as np
import pytest
from PIL import ExifTags, Image
from skimage.color import rgb2lab
from tiff_files import tiff_file

from cinn_app.errors import ImageError
from cinn_app.imaging import read_photograph
from cinn_app.imaging.formats import libtiff
from cinn_app.imaging.formats.libtiff import by_libtiff

# A ramp with a bright block at the top left and a dark one at the bottom left, in 0..1.
GRAY = np.tile(np.linspace(0.2, 0.8, 40), (24, 1))
GRAY[:8, :10], GRAY[16:, :10] = 0.95, 0.02
GRAY8 = np.round(255 * GRAY).astype(np.uint8)
RGB8 = np.dstack([GRAY8] * 3)
LIGHTNESS = rgb2lab(np.dstack([GRAY] * 3))[..., 0]
ALPHA = np.full(GRAY.shape, 0.5)
WHITE_IS_ZERO, PALETTE, CMYK, YCBCR, CIELAB, ICCLAB, ITULAB = 0, 3, 5, 6, 8, 9, 10
SIGNED, FLOAT = {339: 2}, {339: 3}


def integers(values: np.ndarray, bits: int) -> np.ndarray:
    """Scale 0..1 to unsigned integers of some bits."""
    return np.minimum(np.floor(values * float(2**bits)), np.nextafter(float(2**bits), 0)).astype(np.uint64)


def assert_right(content: bytes, atol: float = 0.8, alpha: bool = False, warnings: tuple[str, ...] = ()) -> None:
    photograph = read_photograph(content)
    np.testing.assert_allclose(photograph.lightness[0].numpy(), LIGHTNESS, atol=atol)
    assert photograph.warnings == warnings
    assert (photograph.alpha is not None) == alpha
    if alpha:
        assert abs(photograph.alpha.astype(int) - 128).max() <= 1


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("bits", [6, 8, 9, 10, 12, 14, 15, 16, 20, 24, 32, 40, 64])
def test_any_depth(bits, byteorder):
    atol = 2 if bits == 6 else 0.8
    assert_right(tiff_file(integers(GRAY, bits), bits, byteorder=byteorder), atol)
    rgb = np.dstack([integers(GRAY, bits)] * 3)
    assert_right(tiff_file(rgb, bits, byteorder=byteorder, planar=True, big=True), atol)


def test_steps_of_1_to_4_bits():
    for bits in (1, 2, 3, 4):
        values = np.arange(2**bits, dtype=np.uint8)[None].repeat(2, axis=0)
        expected = rgb2lab(np.dstack([values / (2**bits - 1)] * 3))[..., 0]
        read = read_photograph(tiff_file(values, bits))
        np.testing.assert_allclose(read.lightness[0].numpy(), expected, atol=0.3)


def test_16_bits_and_more_keep_their_precision():
    fine = np.linspace(0.5, 0.5005, 40)[None]
    for bits in (16, 24, 32):
        steps = read_photograph(tiff_file(integers(fine, bits), bits)).lightness.diff()
        assert steps.min() > 0 or (bits == 16 and steps.min() >= 0)
        assert (steps > 0).sum() > 30


@pytest.mark.parametrize("bits", [8, 12, 16, 32])
def test_signed_integers(bits):
    sign = np.uint64(2 ** (bits - 1))
    assert_right(tiff_file(integers(GRAY, bits) ^ sign, bits, SIGNED))
    assert_right(tiff_file(integers(GRAY, bits - 1), bits, SIGNED), atol=1.5 if bits == 8 else 0.8)
    assert_right(tiff_file(integers(GRAY, bits), bits, SIGNED))  # unsigned, but called signed


@pytest.mark.parametrize("byteorder", "<>")
@pytest.mark.parametrize("bits", [16, 32, 64])
def test_floats(bits, byteorder):
    values = GRAY.astype(f"f{bits // 8}").view(f"u{bits // 8}")
    assert_right(tiff_file(values, bits, FLOAT, byteorder))
    assert_right(tiff_file(np.dstack([values] * 3), bits, FLOAT, byteorder, tile=16, predictor=3, deflate=True))
    inverted = (1 - GRAY).astype(f"f{bits // 8}").view(f"u{bits // 8}")
    assert_right(tiff_file(inverted, bits, FLOAT | {262: WHITE_IS_ZERO}, byteorder))


def test_floats_of_24_bits():
    """A sign, 7 bits of exponent with a bias of 63, 16 bits of mantissa."""
    bits32 = GRAY.astype(np.float32).view(np.uint32)
    values = ((bits32 >> 23) - 127 + 63) << 16 | (bits32 & 0x7FFFFF) >> 7
    assert_right(tiff_file(values, 24, FLOAT))
    values[0, :3] = 0x7F0000, 0xFF0000, 0x7F0001  # infinite, and no number
    np.testing.assert_array_equal(read_photograph(tiff_file(values, 24, FLOAT)).lightness[0, 0, :3], [100, 0, 0])


@pytest.mark.parametrize("scale", [1e308, 1.7e308, 1e-3])
def test_floats_at_the_ends_of_their_range(scale):
    values = np.where(GRAY > 0.5, scale, -scale)
    read = read_photograph(tiff_file(values.view(np.uint64), 64, FLOAT))
    dark = rgb2lab(np.full((1, 1, 3), scale))[..., 0] if scale < 1 else 0
    expected = np.where(GRAY > 0.5, 100 if scale > 1 else 2 * dark, 0)
    np.testing.assert_allclose(read.lightness[0].numpy(), expected, atol=0.1)
    assert "were scaled" in read.warnings[0]


def test_wide_numbers_that_fit_in_16_bits():
    assert_right(
        tiff_file(integers(GRAY, 16), 32, SIGNED), warnings=("Its values reach 62259 only, and were read as 16 bits.",)
    )


@pytest.mark.parametrize("bits", [8, 12, 16, 32])
@pytest.mark.parametrize("extra", [1, 2])
def test_gray_with_alpha(bits, extra):
    """Associated alpha (1) is multiplied into the colours."""
    gray = GRAY * ALPHA if extra == 1 else GRAY
    pixels = np.dstack([integers(gray, bits), integers(ALPHA, bits)])
    tags = {338: extra, 262: 1}
    assert_right(tiff_file(pixels, bits, tags), atol=1.5, alpha=True)
    assert_right(tiff_file(pixels, bits, tags, planar=True, byteorder=">"), atol=1.5, alpha=True)
    if extra == 2:
        pixels[..., 0] ^= np.uint64(2**bits - 1)
        assert_right(tiff_file(pixels, bits, tags | {262: WHITE_IS_ZERO}), atol=1, alpha=True)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("planar", [False, True])
def test_inks(bits, planar):
    ink = integers(1 - GRAY, bits)
    none = np.zeros_like(ink)
    assert_right(tiff_file(np.dstack([none, none, none, ink]), bits, {262: CMYK}, planar=planar))
    with_alpha = np.dstack([ink, ink, ink, none, integers(ALPHA, bits)])
    assert_right(tiff_file(with_alpha, bits, {262: CMYK, 338: 2}, planar=planar), alpha=True)


def test_channels_that_are_no_alpha():
    spot = np.zeros_like(GRAY8)
    assert_right(tiff_file(np.dstack([RGB8, spot]), tags={338: 0}))
    warning = ("Only the first of 2 channels is used.",)
    assert_right(tiff_file(np.dstack([GRAY8, spot]), tags={338: 0}), warnings=warning)


@pytest.mark.parametrize("bits", [4, 8, 16])
@pytest.mark.parametrize("factor", [1, 256, 257])
def test_palettes(bits, factor):
    """Colour maps count in 16 bits, and in 8 bits if they are by an old scanner."""
    colours = np.round(np.linspace(255, 0, 2**bits)).astype(int) * factor
    indices = np.round((1 - GRAY) * (2**bits - 1)).astype(np.uint64)
    content = tiff_file(indices, bits, {262: PALETTE, 320: np.tile(colours, 3)})
    assert_right(content, atol=4 if bits == 4 else 1)


@pytest.mark.parametrize("sampling", [(1, 1), (2, 1), (2, 2), (4, 2)])
def test_ycbcr(sampling):
    across, down = sampling
    luma = GRAY8.reshape(24 // down, down, 40 // across, across).swapaxes(1, 2).reshape(24 // down, 40 // across, -1)
    units = np.concatenate([luma, np.full((*luma.shape[:2], 2), 128, np.uint8)], axis=2)
    tags = {262: YCBCR, 530: sampling}
    assert_right(tiff_file(RGB8, tags=tags, segments=[units.tobytes()]))
    planes = [GRAY8.tobytes(), *[bytes([128]) * (24 * 40 // across // down)] * 2]
    assert_right(tiff_file(RGB8, tags=tags | {284: 2}, segments=planes))
    if sampling == (1, 1):
        video = np.dstack([np.round(16 + GRAY * 219), *[np.full_like(GRAY, 128)] * 2]).astype(np.uint8)
        reference = [16.0, 235.0, 128.0, 240.0, 128.0, 240.0]
        assert_right(tiff_file(video, tags=tags | {532: reference}), atol=1)


@pytest.mark.parametrize("bits", [8, 16])
def test_lab(bits):
    step = 2 ** (bits - 8)
    lightness = LIGHTNESS / 100
    chroma = np.zeros((24, 40, 2))
    cielab = np.dstack([lightness * (256 * step - 1), chroma]).round().astype(np.uint16)
    icclab = np.dstack([lightness * 255 * step, chroma + 128 * step]).round().astype(np.uint16)
    itulab = np.dstack([lightness, chroma + np.array([85 / 170, 75 / 200])]) * (256 * step - 1)
    assert_right(tiff_file(cielab, bits, {262: CIELAB}))
    assert_right(tiff_file(cielab[..., 0], bits, {262: CIELAB}))
    assert_right(tiff_file(icclab, bits, {262: ICCLAB}))
    assert_right(tiff_file(itulab.round().astype(np.uint16), bits, {262: ITULAB}))


def test_lab_in_colour():
    lab = np.full((8, 8, 3), (60, 20, -30))
    cielab = np.dstack([lab[..., 0] * 2.55, lab[..., 1], lab[..., 2] + 256]).round().astype(np.uint8)
    read = read_photograph(tiff_file(cielab, tags={262: CIELAB}), keep_colour=True)
    np.testing.assert_allclose(read.ab[:, 0, 0], (20, -30), atol=1)
    np.testing.assert_allclose(read.lightness, 60, atol=0.5)


@pytest.mark.parametrize("predictor", [1, 2])
@pytest.mark.parametrize("bits", [8, 12, 16, 32])
@pytest.mark.parametrize("tile", [None, 16])
def test_strips_tiles_and_predictors(predictor, bits, tile):
    rgb = np.dstack([integers(GRAY, bits)] * 3)
    options = {"tile": tile, "predictor": predictor, "deflate": True}
    assert_right(tiff_file(rgb, bits, **options))
    assert_right(tiff_file(rgb, bits, planar=True, byteorder=">", big=True, **options))


def pillow_tiff(image: Image.Image, compression: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression=compression, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd", "jpeg"])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK", "YCbCr"])
def test_compressions(compression, mode):
    inverted = 255 - GRAY8
    image = Image.merge("CMYK", [Image.fromarray(inverted)] * 3 + [Image.new("L", (40, 24))])
    image = image if mode == "CMYK" else Image.fromarray(RGB8).convert(mode)
    if mode == "YCbCr" and compression != "jpeg":
        pytest.skip("Pillow writes it without its sampling")
    quality = {"quality": 100} if compression == "jpeg" else {}
    assert_right(pillow_tiff(image, compression, **quality), atol=2 if quality else 0.8)


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
@pytest.mark.parametrize("photometric", [0, 1])
def test_fax(compression, photometric):
    bits = Image.fromarray(GRAY8 > 127)
    content = pillow_tiff(bits, compression, tiffinfo={262: photometric})
    shown = np.asarray(Image.open(io.BytesIO(content)))
    assert (shown == (GRAY8 > 127)).all() or photometric == 0
    np.testing.assert_array_equal(read_photograph(content).lightness[0].numpy() > 50, shown)


@pytest.mark.parametrize(("number", "codec"), [(50001, "WEBP"), (34712, "JPEG2000"), (7, "JPEG")])
def test_pictures_inside_the_picture(number, codec):
    options = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}.get(codec, {})
    segments = []
    for rows in (slice(0, 7), slice(7, 14), slice(14, 21), slice(21, 24)):
        buffer = io.BytesIO()
        Image.fromarray(RGB8[rows]).save(buffer, codec, **options)
        segments.append(buffer.getvalue())
    photometric = {262: YCBCR} if codec == "JPEG" else {}
    content = tiff_file(RGB8, tags={259: number, 278: 7} | photometric, segments=segments)
    assert_right(content, atol=1.5)


def test_bits_in_reverse():
    reversed_bits = np.packbits(np.unpackbits(GRAY8.reshape(-1)), bitorder="little").reshape(GRAY8.shape)
    assert_right(tiff_file(reversed_bits, tags={266: 2}))


@pytest.mark.parametrize("reduced", [{254: 1}, {255: 2}])
def test_the_first_page_that_is_not_reduced_is_used(reduced):
    pages = [tiff_file(GRAY8[::4, ::4], tags=reduced), tiff_file(GRAY8)]
    assert_right(joined(pages))
    assert_right(joined(pages[::-1]))
    two = ("Only the first of 2 pages is used.",)
    assert_right(joined([pages[0], pages[1], pages[1]]), warnings=two)


def joined(pages: list[bytes]) -> bytes:
    """Join files of one page each: tifffile reads and writes them."""
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer) as writer:
        for page in pages:
            first = tifffile.TiffFile(io.BytesIO(page)).pages[0]
            old = [(255, 3, 1, 2, True)] if first.tags.valueof(255) else []
            writer.write(first.asarray(), subfiletype=first.tags.valueof(254) or 0, extratags=old, metadata=None)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [1, 3, 4, 16])
def test_orientation_in_any_integer_type(kind):
    content = bytearray(tiff_file(np.ascontiguousarray(np.rot90(GRAY8)), tags={274: 6}))
    entry = content.index((274).to_bytes(2, "little") + b"\3\0")
    content[entry + 2] = kind if kind < 16 else 4
    assert_right(bytes(content))
    assert read_photograph(bytes(content)).metadata.exif is None


def test_metadata_are_kept():
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Grandpa"
    buffer = io.BytesIO()
    Image.fromarray(GRAY8).save(buffer, "TIFF", exif=exif, dpi=(300, 150))
    metadata = read_photograph(buffer.getvalue()).metadata
    assert b"Grandpa" in metadata.exif
    assert metadata.dpi == (300, 150)
    metric = tiff_file(GRAY8, tags={282: 100.0, 283: 100.0, 296: 3, 700: b"<xmp/>", 33723: b"\x1c\x02\x19\0\0"})
    metadata = read_photograph(metric).metadata
    assert metadata.dpi == pytest.approx((254, 254))
    assert (metadata.xmp, metadata.iptc) == (b"<xmp/>", b"\x1c\x02\x19\0\0")


@pytest.mark.parametrize(
    ("tags", "reason"),
    [
        ({259: 50002}, "compressed with JPEGXL, which cannot be read without the extra codecs"),
        ({259: 34661}, "compressed with JBIG"),
        ({259: 12345}, "compressed with 12345"),
        ({262: 32803}, "raw values of a camera's sensor"),
        ({262: 32844}, "colours are of the kind LOGL"),
        ({262: 5}, "colours are of the kind 1 inks"),
        ({339: 6}, "complex numbers"),
    ],
)
def test_what_cannot_be_read_is_refused_by_its_reason(tags, reason):
    with pytest.raises(ImageError, match=reason):
        read_photograph(tiff_file(GRAY8, tags=tags))


@pytest.mark.skipif(sys.platform == "win32", reason="there the library's errors cannot be noted")
def test_a_damaged_fax_says_so():
    content = bytearray(pillow_tiff(Image.fromarray(np.kron(GRAY8 > 127, np.eye(9)) > 0), "group4"))
    content[len(content) // 2 :][:8] = content[100:108]
    middle = len(content) // 3
    content[middle : middle + 6] = b"\0\x01\xff\0\x02\xa5"
    read = read_photograph(bytes(content))
    assert read.warnings == ("It is damaged: a part of its pixels may be wrong.",)


@pytest.mark.skipif(sys.platform == "win32", reason="there the memory of the library cannot be filled")
def test_a_fax_that_ends_early_says_so_and_shows_nothing_of_an_earlier_picture():
    content = bytearray(pillow_tiff(Image.fromarray(np.kron(GRAY8 > 127, np.eye(9)) > 0), "group4"))
    assert not read_photograph(bytes(content)).warnings
    content[100:200] = bytes(100)  # the library decodes rows of nothing from it, without an error
    damaged = read_photograph(bytes(content))
    assert damaged.warnings == ("It is damaged: a part of its pixels may be wrong.",)
    assert len(damaged.lightness[:, -20:].unique()) == 1


@pytest.mark.parametrize("bits", [1, 4, 8])
def test_pillow_stands_in_where_the_library_cannot_be_found(bits, monkeypatch):
    rows = [bytes([17, 255, 0, 128]), bytes([240, 15, 204, 64])]
    packed = b"".join(b"\x03" + row for row in rows)  # four literal bytes each, by PackBits
    tags = (packed, 32773, 32 // bits, 2, bits, {})
    assert by_libtiff(*tags) == (b"".join(rows), False)
    monkeypatch.setattr(libtiff, "_LIBRARY", None)
    assert by_libtiff(*tags) == (b"".join(rows), False)


@pytest.mark.skipif(sys.platform == "win32", reason="there the library's messages cannot be switched off")
def test_libtiff_prints_nothing(capfd):
    content = bytearray(pillow_tiff(Image.fromarray(RGB8), "tiff_lzw"))
    content[300:330] = b"\xff\x13" * 15
    with pytest.raises(ImageError, match="damaged"):
        read_photograph(bytes(content))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("tags", [{}, {330: 8}], ids=["pages", "nested pages"])
def test_a_circle_of_pages_is_read_once(tags):
    content = bytearray(tiff_file(GRAY8, tags=tags))
    directory = int.from_bytes(content[4:8], "little")
    end = directory + 2 + 12 * int.from_bytes(content[directory : directory + 2], "little")
    if tags:
        entry = content.index(struct.pack("<HHL", 330, 3, 1))
        content[entry : entry + 12] = struct.pack("<HHLL", 330, 4, 1, directory)
    else:
        content[end : end + 4] = directory.to_bytes(4, "little")
    assert_right(bytes(content))


def test_a_file_that_is_cut_short_says_how_much_is_missing():
    content = tiff_file(GRAY8)
    cut = content[:8] + content[8:-100]
    with pytest.raises(ImageError, match="damaged"):
        read_photograph(cut)  # the directory is gone
    broken = tiff_file(GRAY8, tags={279: [280, 280, 280, 0]})
    read = read_photograph(broken)
    assert read.warnings == ("It is damaged or cut short: 12% of its pixels are missing.",)
    np.testing.assert_allclose(read.lightness[0, :21].numpy(), LIGHTNESS[:21], atol=0.8)
