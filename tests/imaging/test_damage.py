"""Damaged files: what is there is read, with a warning that says how much is missing."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from cinn_app.errors import ImageError
from cinn_app.imaging import Photograph, read_photograph
from cinn_app.messages import Damage

SIZE = (96, 64)
NOISE = np.random.default_rng(0).normal(0, 6, SIZE[::-1])
GRAY = (np.add.outer(np.arange(64) * 2, np.arange(96)) + 10 + NOISE).clip(0, 255).astype(np.uint8)
COLOUR = np.stack([GRAY, GRAY // 2, 200 - GRAY // 2], -1)
ENDED = "The end of its file is missing or damaged, but all of its pixels could be read."
BLURRED = "It is damaged or cut short: fine detail may be missing."


def encoded(values: np.ndarray, file_format: str, mode: str = "", **options: object) -> bytes:
    buffer = io.BytesIO()
    image = Image.fromarray(values)
    (image.convert(mode) if mode else image).save(buffer, file_format, **options)
    return buffer.getvalue()


def damage_of(photograph: Photograph) -> list[str]:
    return [warning for warning in photograph.warnings if isinstance(warning, Damage)]


def missing_in(photograph: Photograph) -> int:
    (warning,) = damage_of(photograph)
    return int(warning.removeprefix("It is damaged or cut short: ").removesuffix("% of its pixels are missing."))


KINDS = {
    "JPEG": encoded(GRAY, "JPEG"),
    "JPEG in colour": encoded(COLOUR, "JPEG", quality=97),
    "JPEG in CMYK": encoded(COLOUR, "JPEG", "CMYK"),
    "JPEG with restarts": encoded(COLOUR, "JPEG", quality=97, restart_marker_blocks=3),
    "MPO": encoded(GRAY, "MPO"),
    "PNG": encoded(GRAY, "PNG"),
    "PNG in colour": encoded(COLOUR, "PNG"),
    "PNG with alpha": encoded(COLOUR, "PNG", "RGBA"),
    "PNG with a palette": encoded(GRAY, "PNG", "P"),
    "PNG in 16 bits": encoded(GRAY.astype(np.uint16) * 257, "PNG"),
    "PNG in 1 bit": encoded(GRAY, "PNG", "1"),
    "GIF": encoded(GRAY, "GIF"),
    "GIF with transparency": encoded(GRAY, "GIF", "P", transparency=3),
    "GIF, animated": encoded(GRAY, "GIF", save_all=True, append_images=[Image.new("L", SIZE)]),
    "BMP": encoded(COLOUR, "BMP"),
    "PGM": encoded(GRAY, "PPM"),
    "PGM in 16 bits": encoded(GRAY.astype(np.uint16) * 257, "PPM"),
}


@pytest.mark.parametrize("share", [0.45, 0.8])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_there_is_read(kind, share, tmp_path):
    content = KINDS[kind]
    whole = read_photograph(content)
    path = tmp_path / "cut"
    path.write_bytes(content[: int(share * len(content))])
    photograph = read_photograph(path)
    same = (photograph.lightness - whole.lightness).abs().amax((0, 2)) < 2
    found = 100 * same.float().mean().item()
    assert abs(100 - missing_in(photograph) - found) < 30  # one and a half rows of blocks of a JPEG in colour
    assert 20 * share < found < 100
    assert photograph.metadata.format == whole.metadata.format
    with pytest.raises(ImageError, match="is damaged or cut short"):
        read_photograph(path, strict=True)


@pytest.mark.parametrize("kind", ["JPEG", "JPEG in colour"])
def test_only_the_end_mark_is_missing(kind):
    photograph = read_photograph(KINDS[kind][:-2])
    assert damage_of(photograph) == [ENDED]
    assert (photograph.lightness == read_photograph(KINDS[kind]).lightness).all()


@pytest.mark.parametrize("values", [GRAY, COLOUR])
def test_a_progressive_jpeg_lacks_detail_first(values):
    content = encoded(values, "JPEG", progressive=True)
    whole = read_photograph(content).lightness
    scans = [place for place in range(len(content)) if content[place : place + 2] == b"\xff\xda"]
    for end in (*range(scans[2], len(content), 37), scans[3], scans[3] + 5, len(content) - 2):
        photograph = read_photograph(content[:end])
        assert damage_of(photograph) == [BLURRED]
        assert (photograph.lightness - whole).abs().mean() < 8
    first, second = damage_of(read_photograph(content[: scans[0] + (scans[1] - scans[0]) // 4]))
    assert first == BLURRED and second.endswith("of its pixels are missing.")


@pytest.mark.parametrize("kind", KINDS)
def test_no_cut_at_any_place_ends_in_anything_but_a_sentence(kind):
    content = KINDS[kind]
    for end in range(1, len(content), max(1, len(content) // 12)):
        try:
            assert read_photograph(content[:end]).lightness.isfinite().all()
        except ImageError as error:
            assert str(error).count(".") >= 1


def with_texts(count: int) -> bytes:
    """A PNG with texts before its pixels, every second one compressed."""
    texts = PngImagePlugin.PngInfo()
    for number in range(count):
        texts.add_text(f"Key{number}", "On the porch", zip=number % 2 == 1)
    return encoded(GRAY, "PNG", pnginfo=texts, dpi=(300, 300))


def test_a_wrong_check_sum_in_a_text_costs_the_text_alone(tmp_path):
    content = bytearray(with_texts(2))
    content[content.index(b"tEXt") + 10] ^= 1
    photograph = read_photograph(bytes(content))
    assert damage_of(photograph) == ["Damaged parts of its file that are not pixels were left out: tEXt."]
    assert (photograph.lightness == read_photograph(GRAY).lightness).all()
    assert photograph.metadata.texts == {"Key1": "On the porch"}
    assert photograph.metadata.dpi == pytest.approx((300, 300), abs=0.1)
    with pytest.raises(ImageError, match="is damaged or cut short"):
        read_photograph(bytes(content), strict=True)


def test_a_damaged_text_behind_the_pixels():
    content = with_texts(0)
    text = b"Comment\0On the porch"
    damaged = content[:-12] + struct.pack(">I4s", len(text), b"tEXt") + text + b"\0\0\0\0" + content[-12:]
    photograph = read_photograph(damaged)
    assert len(damage_of(photograph)) == 1 and photograph.metadata.texts == {}


def test_parts_that_pillow_refuses_although_their_sum_is_right():
    """A compressed text of another method."""
    content = bytearray(with_texts(2))
    start = content.index(b"zTXt")
    length = struct.unpack_from(">I", content, start - 4)[0]
    content[start + 4 + len("Key1\0")] = 7
    struct.pack_into(">I", content, start + 4 + length, zlib.crc32(content[start : start + 4 + length]))
    photograph = read_photograph(bytes(content))
    assert len(damage_of(photograph)) == 1
    assert (photograph.lightness == read_photograph(GRAY).lightness).all()


@pytest.mark.parametrize("name", [b"IHDR", b"PLTE"])
def test_damaged_parts_that_the_picture_needs_are_refused(name):
    content = bytearray(KINDS["PNG with a palette"])
    content[content.index(name) + 5] ^= 1
    with pytest.raises(ImageError, match=r"is damaged or cut short|has .* pixels"):
        read_photograph(bytes(content))


def test_a_mutated_picture_is_read_or_refused_in_a_sentence():
    generator = np.random.default_rng(0)
    for content in KINDS.values():
        for _ in range(3):
            mutated = bytearray(content)
            for place in generator.integers(0, len(mutated), 4):
                mutated[place] = generator.integers(0, 256)
            try:
                assert read_photograph(bytes(mutated)).lightness.isfinite().all()
            except ImageError as error:
                assert str(error).endswith(".")


def test_a_preview_in_place_of_the_photograph_is_said():
    preview = 255 - GRAY[::2, ::2]
    content = bytearray(encoded(GRAY, "JPEG") + encoded(preview, "JPEG"))
    scan = content.index(b"\xff\xda")
    content[20 : scan + 2] = bytes(scan - 18)
    photograph = read_photograph(bytes(content))
    assert photograph.size == (32, 48)
    (warning,) = damage_of(photograph)
    assert "this is another picture in it" in warning
    with pytest.raises(ImageError, match="is damaged"):
        read_photograph(bytes(content), strict=True)


def test_a_preview_before_or_behind_the_photograph_is_no_damage():
    exif = Image.Exif()
    exif[0x9C9B] = encoded(GRAY[::2, ::2], "JPEG")
    assert damage_of(read_photograph(encoded(GRAY, "JPEG", exif=exif) + encoded(GRAY, "JPEG"))) == []
