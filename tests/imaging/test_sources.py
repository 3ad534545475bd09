"""What cannot be read: each is refused with one sentence that names the file and says what to do."""

import io
import logging
import os
import re
import struct
import sys
import threading
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cinn_app.errors import ImageError
from cinn_app.imaging import MAX_PIXELS, read_photograph, read_preview
from cinn_app.imaging.sources import opened_picture


@pytest.fixture(autouse=True)
def no_warnings():
    """Nothing that Pillow warns of may reach the user."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def encoded(file_format: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, file_format, **options)
    return buffer.getvalue()


def png_that_claims(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that says it is huge."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def tga_that_claims(width: int, height: int) -> bytes:
    """A TGA file of a few bytes that says it is as large as is allowed."""
    return struct.pack("<2xB9xHHBB", 2, width, height, 32, 8) + bytes(100) + bytes(8) + b"TRUEVISION-XFILE.\0"


def refusal(source: object) -> str:
    with pytest.raises(ImageError) as caught:
        read_photograph(source, strict=True)
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"This is a letter to grandma.", "is not a picture"),
        (b"%PDF-1.4 and so on", "is not a picture"),
        (b"II*\0" + bytes(40), "is damaged or cut short"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "is not a picture"),  # would start Ghostscript
        (png_that_claims(20_000, 20_000), "20000 x 20000 pixels, more than the limit of 200 megapixels"),
        (tga_that_claims(14_000, 14_000), "is damaged or cut short"),
        (png_that_claims(60_000, 60_000), "60000 x 60000 pixels"),  # where Pillow raises an error of its own
        (encoded("JPEG")[:900], "is damaged or cut short"),
        (encoded("PNG")[:900], "is damaged or cut short"),
        (encoded("WEBP")[:400], "is damaged or cut short"),
        (encoded("GIF")[:900], "is damaged or cut short"),
        (encoded("BMP")[:900], "is damaged or cut short"),
    ],
)
def test_bad_content_is_refused(tmp_path, content, reason):
    path = tmp_path / "grandma.jpg"
    path.write_bytes(content)
    message = refusal(path)
    assert str(path) in message
    assert reason in message
    assert reason in refusal(content)
    assert reason in refusal(io.BytesIO(content))


@pytest.mark.parametrize(
    ("module", "content", "kind"),
    [
        ("pi_heif", b"\0\0\0\x18ftypheic\0\0\0\0", "is a HEIC photograph"),
        ("pillow_jxl", b"\xff\x0a" + bytes(40), "is a JPEG XL"),
    ],
)
def test_what_cannot_be_read_without_a_package_can_be_saved_otherwise(monkeypatch, module, content, kind):
    monkeypatch.setitem(sys.modules, module, None)
    message = refusal(content)
    assert kind in message and re.search(r"save the \w+ as (JPEG or )?PNG first", message)


def test_a_missing_file_is_refused(tmp_path):
    assert "does not exist" in refusal(tmp_path / "no.jpg")
    assert "does not exist" in refusal(str(tmp_path / "no" / "no.jpg"))


def test_a_folder_is_refused(tmp_path):
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    assert "not a regular file" in refusal(tmp_path / "pipe.jpg")


def test_a_file_without_permission_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "secret.png"
    path.write_bytes(encoded("PNG"))

    def forbid(self: Path, mode: str = "r") -> None:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", forbid)  # the mode bits do not stop root
    assert "may not be read" in refusal(path)


@pytest.mark.parametrize("name", ["a\0b.png", "x" * 300 + ".png"])
def test_an_impossible_name_is_refused(name):
    assert "cannot be opened" in refusal(name)


def test_a_large_pillow_picture_is_refused():
    class Large(Image.Image):
        width = property(lambda self: MAX_PIXELS)
        height = property(lambda self: 2)

    assert "The file has" in refusal(Large())


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 5), np.uint8), "shape"),
        (np.zeros(16, np.uint8), "shape"),
        (np.zeros((0, 4), np.uint8), "shape"),
        (np.zeros((4, 4), np.int32), "int32"),
        (np.array([["a", "b"]]), "<U1"),
    ],
)
def test_an_array_that_is_no_picture_is_refused(array, reason):
    assert reason in refusal(array)


@settings(max_examples=150, deadline=None)
@given(
    file_format=st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000"]),
    data=st.data(),
)
def test_damage_anywhere_gives_a_picture_or_a_sentence(file_format, data):
    content = bytearray(encoded(file_format, size=(9, 7)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    content = content[: data.draw(st.integers(0, len(content)))] if data.draw(st.booleans()) else content
    try:
        read_photograph(bytes(content))
    except ImageError as error:
        assert str(error).startswith("The file")


def test_threads_decode_at_once_and_stay_silent():
    """Each thread waits inside its picture until the other is inside as well; a global lock would never let it."""
    both_inside = threading.Barrier(2, timeout=20)

    def read(content: bytes) -> int:
        with opened_picture(content) as image:
            both_inside.wait()
            return image.width

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(read, [encoded("PNG")] * 2)) == [40, 40]


def test_pillow_is_left_as_it_was():
    def state() -> tuple[object, ...]:
        return Image.MAX_IMAGE_PIXELS, list(warnings.filters), logging.getLogger("PIL").level

    before = state()
    read_photograph(encoded("PNG"))
    refusal(b"no picture")
    assert state() == before


def test_a_quick_look_names_the_damaged_file_too(tmp_path: Path) -> None:
    damaged = tmp_path / "grandma.jpg"
    damaged.write_bytes(encoded("JPEG")[:300])
    with pytest.raises(ImageError, match=r"grandma\.jpg is damaged or cut short"):
        read_preview(damaged, 64)


def test_what_gives_no_bytes_is_said_and_not_called_damaged(tmp_path: Path) -> None:
    path = tmp_path / "grandma.png"
    path.write_bytes(encoded("PNG"))
    sentence = "is closed, or opened as text or only for writing: open it again for reading, in mode 'rb'."
    closed, picture = io.BytesIO(encoded("PNG")), Image.open(path)
    closed.close()
    picture.close()
    with path.open("rb") as closed_file:
        assert read_photograph(closed_file).size == (30, 40)
    with path.open(encoding="latin-1") as text, (tmp_path / "new.png").open("wb") as written:
        for source in closed, closed_file, picture, io.StringIO("picture"), text, written:
            assert refusal(source).endswith(sentence)
        assert refusal(text) == f"{path} {sentence}"


@pytest.mark.parametrize("source", [12, None, ["a.jpg"]])
def test_what_holds_no_picture_is_named(source: object) -> None:
    with pytest.raises(ImageError, match=f"A picture cannot be read from {type(source).__name__}"):
        read_photograph(source)
