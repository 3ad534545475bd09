"""From colour photographs to the colorizer's views."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app.data.pack import make_pack
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import PackedViews, ViewMaker, cache_stem_features

MAKER = ViewMaker(size=64, views_sharp=3, views_enlarged=1, aged=0)


def coloured(width: int, height: int, seed: int) -> Image.Image:
    """Smooth colours without symmetry, so that flips and crops show."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four good pictures, two of them small, two gray ones and a broken one."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    coloured(96, 64, 0).save(folder / "a.png")
    coloured(64, 100, 1).save(folder / "b.webp", lossless=True)
    coloured(32, 32, 2).save(folder / "c.png")
    coloured(40, 20, 3).save(folder / "d.jpg")
    coloured(80, 80, 4).convert("L").save(folder / "gray.png")
    coloured(80, 80, 5).convert("L").convert("RGB").save(folder / "gray-in-rgb.png")
    (folder / "broken.jpg").write_bytes((folder / "d.jpg").read_bytes()[:200])
    return folder


def test_gray_and_broken_pictures_give_no_views(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    assert (pack.report.pictures, pack.report.skipped, pack.report.examples) == (4, 2, 3 + 3 + 1 + 1)
    assert len(pack.report.broken) == 1 and "broken.jpg" in pack.report.broken[0]
    lightness, ab = pack.arrays("lightness", "ab").rows(range(8))
    assert (lightness.shape, lightness.dtype) == ((8, 1, 64, 64), torch.uint8)
    assert (ab.shape, ab.dtype) == ((8, 2, 16, 16), torch.float16)


def test_the_first_view_has_the_pictures_true_colours(tmp_path: Path) -> None:
    from skimage.color import rgb2lab

    coloured(64, 64, 7).save(tmp_path / "square.png")
    pack = make_pack([tmp_path / "square.png"], tmp_path / "cache", MAKER, workers=1)
    lab = rgb2lab(np.asarray(coloured(64, 64, 7)))
    candidates = [lab, lab[:, ::-1]]  # it may have been flipped
    lightness, ab = (rows[0].numpy() for rows in pack.arrays("lightness", "ab").rows([0]))
    errors = [np.abs(candidate[..., 0] - lightness[0] / 2.55).max() for candidate in candidates]
    truth = candidates[int(np.argmin(errors))]
    assert min(errors) < 0.3
    pooled = truth[..., 1:].reshape(16, 4, 16, 4, 2).mean((1, 3)).transpose(2, 0, 1)
    assert np.abs(pooled - ab).max() < 0.2


def test_ageing_changes_lightness_and_leaves_colours(pictures: Path, tmp_path: Path) -> None:
    clean = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    aged = make_pack([pictures], tmp_path / "cache", ViewMaker(64, 3, 1, aged=1.0), workers=1)
    (new, new_ab), (old, old_ab) = (pack.arrays("lightness", "ab").rows(range(8)) for pack in (aged, clean))
    torch.testing.assert_close(new_ab, old_ab)
    assert ((new.int() - old.int()).abs().float().mean((1, 2, 3)) > 1).all()


def test_stem_features_are_computed_once_and_read_back(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    encoder = ImageEncoder()
    name = cache_stem_features(pack, encoder, torch.device("cpu"), batch_size=3)
    files = {file: file.stat().st_mtime_ns for file in pack.folder.rglob("stem-*.npy")}
    assert len(files) == len(pack.shards)
    encoder.trunk.blocks[-1][0].conv_pw.weight.data += 1  # the layers above the stem may change
    assert cache_stem_features(pack, encoder, torch.device("cpu")) == name
    assert {file: file.stat().st_mtime_ns for file in pack.folder.rglob("stem-*.npy")} == files
    encoder.trunk.conv_stem.weight.data += 1
    assert cache_stem_features(pack, encoder, torch.device("cpu")) != name
    views = PackedViews(pack, name)
    batch = views.batch([7, 0])
    assert len(views) == pack.report.examples
    encoder.trunk.conv_stem.weight.data -= 1
    expected = encoder.stem_features(batch.lightness)
    torch.testing.assert_close(batch.stem_features.float(), expected, rtol=1e-3, atol=1e-2)
