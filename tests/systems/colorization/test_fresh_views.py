"""Views that are cut anew for every batch."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app.data.pack import make_pack
from cinn_app.errors import DataError
from cinn_app.systems.colorization.fresh_views import FreshViews, PictureMaker

CPU = torch.device("cpu")
#: A reddish and a bluish colour of nearly the same lightness.
RED, BLUE = (190, 80, 80), (90, 110, 200)


def views_of(folder: Path, aged: float = 0.0) -> FreshViews:
    pack = make_pack([folder], folder.parent / "cache", PictureMaker(64), workers=1)
    return FreshViews(pack, 64, aged, 0, CPU)


@pytest.fixture(params=[(60, 40), (40, 60), (48, 48), (300, 90), (90, 300)], ids=str)
def halves(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A picture that is red above and blue below, lying, upright, square or far too long."""
    width, height = request.param
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[: height // 2], pixels[height // 2 :] = RED, BLUE
    (tmp_path / "pictures").mkdir()
    Image.fromarray(pixels).save(tmp_path / "pictures" / "halves.png")
    return tmp_path / "pictures"


def test_views_are_upright_and_show_the_true_colours(halves: Path) -> None:
    from skimage.color import rgb2lab

    red, blue = (rgb2lab(np.array(colour, dtype=np.uint8)) for colour in (RED, BLUE))
    batch = views_of(halves).batch(np.zeros(40, dtype=np.int64))
    assert (batch.lightness.shape, batch.ab.shape, batch.features) == ((40, 1, 64, 64), (40, 2, 16, 16), ())
    rows = batch.ab.mean(3)  # (views, 2, rows)
    assert (rows.diff(dim=2)[:, 0] < 5).all()  # but for what bicubic curves overshoot
    both = (rows[:, 0, 0] - rows[:, 0, -1]) > 0.9 * (red - blue)[1]
    assert both.sum() >= 10
    for row, expected in ((0, red), (-1, blue)):
        colours = torch.cat([batch.lightness.mean(3)[both, :, row], rows[both, :, row]], 1)
        torch.testing.assert_close(colours, torch.tensor(expected).float().expand_as(colours), rtol=0, atol=4)


def test_a_view_spans_the_picture_without_its_padding(tmp_path: Path) -> None:
    """A square picture, brighter towards the right, seen whole: no column repeats."""
    (tmp_path / "pictures").mkdir()
    ramp = np.linspace(40, 220, 40)[None, :, None] * np.ones((40, 1, 3))
    ramp[..., 0] += 30
    Image.fromarray(ramp.round().astype(np.uint8)).save(tmp_path / "pictures" / "ramp.png")
    batch = views_of(tmp_path / "pictures").batch(np.zeros(20, dtype=np.int64))
    whole = 0
    for lightness in batch.lightness[:, 0].mean(1):
        steps = lightness.diff()[3:-3]
        assert (steps > 0.05).all() or (steps < -0.05).all()
        whole += bool((lightness[-1] - lightness[0]).abs() > 55)
    assert 4 <= whole <= 16  # half of the views magnify


def test_the_same_pictures_in_the_same_order_give_the_same_views(halves: Path) -> None:
    views = views_of(halves, aged=0.5)
    first, again, other = (views.batch(np.zeros(count, dtype=np.int64)) for count in (8, 8, 9))
    for part, repeated in zip(first[:2], again[:2], strict=True):
        torch.testing.assert_close(part, repeated)
    assert not torch.allclose(first.ab, other.ab[:8])


def test_aged_views_keep_their_shapes_and_ranges_and_differ_from_clean_ones(halves: Path) -> None:
    numbers = np.zeros(60, dtype=np.int64)
    clean, aged = views_of(halves).batch(numbers), views_of(halves, aged=0.5).batch(numbers)
    assert (aged.lightness >= 0).all() and (aged.lightness <= 100).all() and aged.ab.isfinite().all()
    changed = (clean.lightness - aged.lightness).abs().mean((1, 2, 3)) > 1e-3
    assert 30 <= changed.sum() <= 58  # three quarters, by level or by grain
    recoloured = (clean.ab - aged.ab).abs().mean((1, 2, 3)) > 0.05
    assert 15 <= recoloured.sum() <= 45  # half, by level


def test_gray_pictures_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    for name, colour in (("gray", (90, 90, 90)), ("red", RED)):
        Image.new("RGB", (50, 50), colour).save(tmp_path / "pictures" / f"{name}.png")
    Image.new("L", (50, 50), 90).save(tmp_path / "pictures" / "scan.png")
    views = views_of(tmp_path / "pictures")
    assert (len(views), views.pack.report.skipped) == (1, 2)


def test_pictures_that_do_not_fit_into_the_memory_are_refused(halves: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr("cinn_app.data.pack.PackedArrays.rows", full)
    with pytest.raises(DataError, match="1 pictures are too many for the memory of the device cpu"):
        views_of(halves)
