"""From colour photographs to the colorizer's views."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app.data.pack import make_pack
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import (
    PackedViews,
    ViewMaker,
    age_lightness,
    cache_features,
    change_levels,
    draw_view,
)

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


def test_changed_levels_change_lightness_and_colours_together(pictures: Path, tmp_path: Path) -> None:
    clean = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    aged = make_pack([pictures], tmp_path / "cache", ViewMaker(64, 3, 1, aged=1.0), workers=1)
    (new, new_ab), (old, old_ab) = (pack.arrays("lightness", "ab").rows(range(8)) for pack in (aged, clean))
    assert ((new.int() - old.int()).abs().float().mean((1, 2, 3)) > 1).all()
    assert ((new_ab - old_ab).abs().float().mean((1, 2, 3)) > 0.1).all()
    both = torch.stack([new_ab.float().flatten(1), old_ab.float().flatten(1)], 1)
    assert all(torch.corrcoef(view)[0, 1] > 0.8 for view in both)  # of the same things


def test_changed_levels_keep_gray_gray_and_the_order_of_tones() -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)[:, None, None].repeat(64, 1).repeat(3, 2)
    spans = []
    for seed in range(20):
        changed = change_levels(ramp, np.random.default_rng(seed))
        assert changed.dtype == np.float32 and changed.shape == ramp.shape
        assert changed.min() >= 0 and changed.max() <= 1
        assert np.ptp(changed, axis=-1).max() < 1e-6
        assert (np.diff(changed[:, 0, 0]) >= -1e-6).all()
        spans.append(np.ptp(changed))
    assert min(spans) < 0.85 and max(spans) > 0.99  # some fade, some are stretched
    even = change_levels(np.full((8, 8, 3), 0.5, np.float32), np.random.default_rng(0))
    assert np.isfinite(even).all()


def test_aged_lightness_is_soft_or_grainy_with_the_same_tones() -> None:
    halves = np.repeat(np.array([[60, 180]], np.uint8), 64, 0).repeat(32, 1)
    changes = []
    for seed in range(10):
        aged = age_lightness(halves, np.random.default_rng(seed))
        assert aged.dtype == np.uint8
        assert aged[:, :28].mean() == pytest.approx(60, abs=2) and aged[:, 36:].mean() == pytest.approx(180, abs=2)
        changes.append(np.abs(aged.astype(int) - halves).mean())
    assert max(changes) > 4


def test_views_are_square_and_inside_the_picture() -> None:
    picture = coloured(120, 50, 0)
    whole, again = (draw_view(picture, 64, np.random.default_rng(seed), first=True) for seed in (0, 1))
    assert whole.shape == (64, 64, 3) and whole.dtype == np.uint8
    assert not np.array_equal(whole, again)  # another place
    tiny = draw_view(coloured(1, 1, 0), 64, np.random.default_rng(0), first=False)
    assert np.ptp(tiny, axis=(0, 1)).max() == 0


@pytest.mark.parametrize("stem_only", [True, False])
def test_features_are_computed_once_and_read_back(pictures: Path, tmp_path: Path, stem_only: bool) -> None:
    pack = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    encoder, cpu = ImageEncoder(), torch.device("cpu")
    names = cache_features(pack, encoder, cpu, batch_size=3, stem_only=stem_only)
    assert [name.partition("-")[0] for name in names] == ["features8", "features16", "features32"][
        : 1 if stem_only else 3
    ]
    files = {file: file.stat().st_mtime_ns for file in pack.folder.rglob("features*.npy")}
    assert len(files) == len(names) * len(pack.shards)
    assert cache_features(pack, encoder, cpu, stem_only=stem_only) == names
    assert {file: file.stat().st_mtime_ns for file in pack.folder.rglob("features*.npy")} == files
    views = PackedViews(pack, names)
    batch = views.batch([7, 0])
    assert len(views) == pack.report.examples
    with torch.inference_mode():
        expected = (encoder.stem_features(batch.lightness),) if stem_only else encoder(batch.lightness)
    for feature, exact in zip(batch.features, expected, strict=True):
        torch.testing.assert_close(feature.float(), exact, rtol=1e-2, atol=1e-2)
    encoder.trunk.blocks[-1][0].conv_pw.weight.data += 1  # the layers above the stem
    assert (cache_features(pack, encoder, cpu, stem_only=stem_only) == names) == stem_only
    encoder.trunk.conv_stem.weight.data += 1
    assert cache_features(pack, encoder, cpu, stem_only=stem_only) != names


def test_a_batch_is_cut_and_mirrored_with_its_features(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", MAKER, workers=1)
    batch = PackedViews(pack, cache_features(pack, ImageEncoder(), torch.device("cpu"))).batch(range(4))
    assert all(len(part) == 2 for part in (batch.first(2).lightness, batch.first(2).ab, *batch.first(2).features))
    mirrored = batch.mirrored()
    for part, other in zip((batch.ab, *batch.features), (mirrored.ab, *mirrored.features), strict=True):
        assert torch.equal(part.flip(-1), other)
    torch.testing.assert_close(mirrored.mirrored().lightness, batch.lightness)
