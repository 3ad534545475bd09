"""The check on readers finds pictures that are read otherwise, and those that one reader refuses."""

import json
import sys
from pathlib import Path

import numpy as np
import picture_readers
import pytest
from PIL import Image

GRAY = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (24, 1))


def test_what_differs_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for name in ("same.png", "dark.png", "small.png", "refused.png", "both.png"):
        Image.fromarray(GRAY).save(pictures / name)
    (pictures / "both.png").write_bytes(b"no picture")
    (pictures / "only.png").write_bytes(b"no picture")

    def other(path: Path) -> np.ndarray:
        read = picture_readers.lightness_of(picture_readers.read_photograph(pictures / "same.png"))
        match path.stem:
            case "both" | "refused":
                raise ValueError("this reader refuses it")
            case "dark":
                return read / 2
            case "small":
                return read[::2, ::2]
        return read

    monkeypatch.setattr(picture_readers, "image_magick", lambda: None)
    monkeypatch.setattr(picture_readers, "read_by_imageio", other)
    monkeypatch.setattr(sys, "argv", ["picture_readers.py", str(pictures), "--json", str(tmp_path / "rows.json")])
    with pytest.raises(SystemExit) as ended:
        picture_readers.main()
    assert ended.value.code == 1
    verdicts = {Path(row["file"]).stem: row["verdict"] for row in json.loads((tmp_path / "rows.json").read_text())}
    assert set(verdicts) == {"dark", "small", "refused", "only"}
    assert verdicts["dark"].startswith("differs by 2")
    assert verdicts["small"].startswith("another size")
    assert (verdicts["refused"], verdicts["only"]) == ("only the other refuses", "only the product refuses")
    assert "4 of 6 files differ" in capsys.readouterr().out


def test_imageio_is_a_reader(tmp_path: Path) -> None:
    for suffix in ("png", "tif"):
        Image.fromarray(GRAY).save(tmp_path / f"a.{suffix}")
        assert picture_readers.compare(tmp_path / f"a.{suffix}", picture_readers.read_by_imageio, 0.1) is None


def test_image_magick_is_a_reader_where_it_is(tmp_path: Path) -> None:
    program = picture_readers.image_magick()
    if program is None:
        pytest.skip("ImageMagick is not installed")
    Image.fromarray(GRAY).save(tmp_path / "a.png")
    assert picture_readers.compare(tmp_path / "a.png", picture_readers.read_by_image_magick(program), 0.1) is None
