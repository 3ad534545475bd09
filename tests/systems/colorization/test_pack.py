"""From files to views: what is kept, dropped, reported, resumed and read back."""

import io
import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cinn_app.data.stream import BatchStream
from cinn_app.errors import DataError
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.systems.colorization.data import PackedViews, split_held_out
from cinn_app.systems.colorization.features import cache_features
from cinn_app.systems.colorization.pack import PackSettings, make_pack, shards_of

SETTINGS = PackSettings(size=64, views_sharp=3, views_enlarged=1, aged=0)


def coloured(width: int, height: int, seed: int) -> Image.Image:
    """Smooth colours without symmetry, so that flips and crops show."""
    small = np.random.default_rng(seed).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four good pictures, two of them small, a gray one, a broken one, junk and a text."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    coloured(96, 64, 0).save(folder / "a.png")
    coloured(64, 100, 1).save(folder / "deeper" / "b.webp", lossless=True)
    coloured(32, 32, 2).save(folder / "c.png")
    coloured(40, 20, 3).save(folder / "d.jpg")
    coloured(80, 80, 4).convert("L").save(folder / "gray.png")
    coloured(80, 80, 5).convert("L").convert("RGB").save(folder / "gray-in-rgb.png")
    (folder / "broken.jpg").write_bytes((folder / "d.jpg").read_bytes()[:200])
    (folder / "._d.jpg").write_bytes(b"junk")
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_kept_gray_and_broken_are_told_apart(pictures: Path, tmp_path: Path) -> None:
    dealt_with: list[int] = []
    pack, report = make_pack([pictures], tmp_path / "cache", SETTINGS, dealt_with.append, workers=1)
    assert (report.kept, report.gray, report.views) == (4, 2, 3 + 3 + 1 + 1)
    assert len(report.broken) == 1
    assert "broken.jpg" in report.broken[0]
    assert sum(dealt_with) == 7
    (shard,) = shards_of(pack)
    assert np.load(shard / "lightness.npy").shape == (8, 1, 64, 64)
    assert np.load(shard / "ab.npy").shape == (8, 2, 16, 16)


def test_archives_give_the_same_views_as_folders(pictures: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pictures.tar.gz", "w:gz") as tar:
        tar.add(pictures, "pictures")
    _, of_folder = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    _, of_archive = make_pack([tmp_path / "pictures.tar.gz"], tmp_path / "cache", SETTINGS, workers=1)
    assert (of_archive.kept, of_archive.gray, of_archive.views) == (of_folder.kept, of_folder.gray, of_folder.views)


def test_first_view_holds_the_pictures_true_colours(tmp_path: Path) -> None:
    from skimage.color import rgb2lab

    coloured(64, 64, 7).save(tmp_path / "square.png")
    pack, _ = make_pack([tmp_path / "square.png"], tmp_path / "cache", SETTINGS, workers=1)
    (shard,) = shards_of(pack)
    lab = rgb2lab(np.asarray(coloured(64, 64, 7)))
    candidates = [lab, lab[:, ::-1]]  # it may have been flipped
    lightness = np.load(shard / "lightness.npy")[0, 0] / 2.55
    ab = np.load(shard / "ab.npy")[0]
    errors = [np.abs(candidate[..., 0] - lightness).max() for candidate in candidates]
    truth = candidates[int(np.argmin(errors))]
    assert min(errors) < 0.3
    pooled = truth[..., 1:].reshape(16, 4, 16, 4, 2).mean((1, 3)).transpose(2, 0, 1)
    assert np.abs(pooled - ab).max() < 0.2


def test_a_stopped_pack_goes_on_and_a_finished_one_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    pack, first = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    stamp = (shards_of(pack)[0] / "lightness.npy").stat().st_mtime_ns
    (pack / "complete.json").unlink()
    (pack / ".shard-00001.part").mkdir()  # as a kill leaves it
    again, second = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    assert again == pack
    assert second == first
    assert (shards_of(pack)[0] / "lightness.npy").stat().st_mtime_ns == stamp
    assert json.loads((pack / "complete.json").read_text())["kept"] == 4


def test_changed_pictures_or_settings_make_another_pack(pictures: Path, tmp_path: Path) -> None:
    pack, _ = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    other, _ = make_pack([pictures], tmp_path / "cache", PackSettings(size=64, aged=1), workers=1)
    shutil.copy(pictures / "a.png", pictures / "e.png")
    grown, report = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    assert len({pack, other, grown}) == 3
    assert report.kept == 5


def test_ageing_changes_lightness_and_leaves_colours(pictures: Path, tmp_path: Path) -> None:
    clean, _ = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    aged, _ = make_pack([pictures], tmp_path / "cache", PackSettings(64, 3, 1, aged=1.0), workers=1)
    new, old = shards_of(aged)[0], shards_of(clean)[0]
    assert np.array_equal(np.load(new / "ab.npy"), np.load(old / "ab.npy"))
    difference = np.load(new / "lightness.npy").astype(int) - np.load(old / "lightness.npy")
    assert (np.abs(difference).mean((1, 2, 3)) > 1).all()


@pytest.mark.parametrize("name", ["missing", "notes.txt", "empty", "bad.tar"])
def test_unusable_sources_say_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "bad.tar").write_bytes(b"no archive")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=name):
        make_pack([tmp_path / name], tmp_path / "cache", SETTINGS, workers=1)


def test_features_are_computed_once_and_read_back(pictures: Path, tmp_path: Path) -> None:
    pack, report = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    encoder = ImageEncoder()
    digest = cache_features(pack, encoder, torch.device("cpu"), batch_size=3)
    files = {file: file.stat().st_mtime_ns for file in pack.rglob("stem-*.npy")}
    assert len(files) == len(shards_of(pack))
    encoder.trunk.blocks[-1][0].conv_pw.weight.data += 1  # what lies above the stem may change
    assert cache_features(pack, encoder, torch.device("cpu")) == digest
    assert {file: file.stat().st_mtime_ns for file in pack.rglob("stem-*.npy")} == files
    encoder.trunk.conv_stem.weight.data += 1
    assert cache_features(pack, encoder, torch.device("cpu")) != digest
    views = PackedViews(pack, digest)
    batch = views.batch([7, 0])
    assert len(views) == report.views
    encoder.trunk.conv_stem.weight.data -= 1
    torch.testing.assert_close(
        batch.stem_features.float(), encoder.stem_features(batch.lightness), rtol=1e-3, atol=1e-2
    )


def test_a_resumed_stream_goes_on_with_the_same_batches(pictures: Path, tmp_path: Path) -> None:
    pack, _ = make_pack([pictures], tmp_path / "cache", SETTINGS, workers=1)
    views = PackedViews(pack, cache_features(pack, ImageEncoder(), torch.device("cpu")))
    indices = np.arange(len(views))
    whole = [batch.ab for batch, _ in zip(BatchStream(views, indices, 3, seed=1), range(7), strict=False)]
    late = [batch.ab for batch, _ in zip(BatchStream(views, indices, 3, seed=1, start=4), range(3), strict=False)]
    assert all(torch.equal(first, second) for first, second in zip(whole[4:], late, strict=True))


def test_all_views_of_a_picture_are_held_out_together() -> None:
    groups = np.repeat(np.random.default_rng(0).integers(0, 2**32, 500, dtype=np.uint32), 4)
    learnt, held_out = split_held_out(groups, 0.1)
    assert not set(groups[learnt]) & set(groups[held_out])
    assert sorted([*learnt, *held_out]) == list(range(2000))
    assert 0.05 < len(held_out) / 2000 < 0.15


def test_a_picture_inside_an_archive_may_be_broken(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "mixed.tar", "w") as tar:
        for name, content in (("good.png", png(coloured(64, 64, 0))), ("bad.png", b"\x89PNG nothing more")):
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    _, report = make_pack([tmp_path / "mixed.tar"], tmp_path / "cache", SETTINGS, workers=1)
    assert report.kept == 1
    assert "bad.png" in report.broken[0]


def png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
