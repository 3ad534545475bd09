"""Outputs of which only the beginning is there are told from whole ones, and from other programs' pictures."""

import numpy as np
import pytest
from PIL import Image

from cinn_app.imaging import OUTPUT_FORMATS, is_unfinished, save_picture

RGB = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
RECORD = {"program": "cinn_app", "seed": 7}


@pytest.mark.parametrize("record", [RECORD, None])
@pytest.mark.parametrize("values", [RGB, RGB[..., 0]])
@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_every_cut_is_recognised(tmp_path, file_format, values, record):
    path = save_picture(tmp_path / f"out.{file_format}", values, provenance=record)
    assert not is_unfinished(path)
    if record is None and values.ndim == 2:
        return  # without a profile and a record nothing shows who made it
    content = path.read_bytes()
    for end in (*range(0, len(content), max(1, len(content) // 40)), len(content) - 1):
        path.write_bytes(content[:end])
        # The record is behind the pixels of WebP, and only pictures in colour have a profile before them.
        if file_format != "webp" or values.ndim == 3 or end < 30:
            assert is_unfinished(path), end
    for zeros in len(content), len(content) // 4:  # as a power cut may leave it
        path.write_bytes(content[: len(content) - zeros] + bytes(zeros))
        # The record is what ends a WebP otherwise than with zeros, and a profile shows whose it is.
        shown = file_format != "webp" or zeros == len(content) or (record is not None and values.ndim == 3)
        assert is_unfinished(path) == shown


@pytest.mark.parametrize("record", [RECORD, None])
@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_black_pictures_are_finished(tmp_path, file_format, record):
    """Whose pixels end in zeros in TIFF, and in WebP even those of other colours."""
    for value in 0, 128:
        path = save_picture(tmp_path / f"out.{file_format}", np.full((500, 700, 3), value, np.uint8), provenance=record)
        assert not is_unfinished(path)


@pytest.mark.parametrize("file_format", OUTPUT_FORMATS)
def test_pictures_of_other_programs_are_left(tmp_path, file_format):
    path = tmp_path / f"mine.{file_format}"
    Image.fromarray(RGB).save(path)
    assert not is_unfinished(path)
    Image.fromarray(RGB * np.uint8(0)).save(path)
    path.write_bytes(path.read_bytes() + bytes(30))
    assert not is_unfinished(path)
    if file_format != "tiff":  # that of Pillow begins as ours
        path.write_bytes(path.read_bytes()[:-20])
        assert not is_unfinished(path)
    path.write_text("a letter")
    assert not is_unfinished(path)
