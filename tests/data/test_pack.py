"""Packs of training examples: what is kept, reported, resumed and read back."""

import dataclasses
import io
import json
import shutil
import tarfile
import tracemalloc
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cinn_app.data.pack import make_pack, split_held_out
from cinn_app.data.sources import fingerprint, image_names, iterate_images
from cinn_app.data.stream import BatchStream
from cinn_app.errors import DataError
from cinn_app.imaging.sources import opened_picture


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Makes an example per row of a picture: its width, and a random number; tall pictures are left out."""

    tallest: int = 5
    seed: int = 0

    def __call__(self, content: bytes, generator: np.random.Generator) -> dict[str, np.ndarray] | None:
        with opened_picture(content) as image:
            image.load()
        if image.height > self.tallest:
            return None
        return {"width": np.full((image.height, 1), image.width), "noise": generator.random((image.height, 2))}


def png(width: int, height: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Two pictures, a tall one, a broken one, one hidden, and a text."""
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (folder / "a.png").write_bytes(png(11, 3))
    (folder / "deeper" / "b.png").write_bytes(png(22, 2))
    (folder / "tall.png").write_bytes(png(1, 9))
    (folder / "broken.png").write_bytes(png(5, 5)[:40])
    (folder / "._a.png").write_bytes(b"junk")
    (folder / "notes.txt").write_text("no picture")
    return folder


def archive(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def test_the_report_counts_pictures_by_what_became_of_them(pictures: Path, tmp_path: Path) -> None:
    processed: list[int] = []
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), processed.append, workers=1)
    assert (pack.report.pictures, pack.report.examples, pack.report.skipped) == (2, 5, 1)
    assert len(pack.report.broken) == 1 and "broken.png" in pack.report.broken[0]
    assert sum(processed) == 4


def test_arrays_are_read_back_by_row(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    arrays = pack.arrays("noise", "width")
    assert len(arrays) == 5
    noise, width = arrays.rows([4, 0, 1])
    assert width.tolist() == [[22], [11], [11]]
    assert noise.shape == (3, 2) and len(noise.unique()) == 6
    assert len(set(pack.groups[:3])) == len(set(pack.groups[3:])) == 1 and pack.groups[0] != pack.groups[3]


@pytest.mark.slow
def test_several_shards_are_made_in_parallel_and_read_in_order(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make_pack([pictures], tmp_path / "whole", Sizes(), workers=1)
    monkeypatch.setattr("cinn_app.data.pack.PICTURES_PER_SHARD", 1)
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), workers=2)
    assert len(pack.shards) == 2 and len(list(pack.folder.glob("shard-*"))) == 4
    assert pack.report == whole.report
    for one, other in zip(
        pack.arrays("width", "noise").rows(range(5)), whole.arrays("width", "noise").rows(range(5)), strict=True
    ):
        assert one.tolist() == other.tolist()


def test_archives_give_the_same_examples_as_folders(pictures: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "pictures.tar.gz", "w:gz") as tar:
        tar.add(pictures, "pictures")
    folder = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    packed = make_pack([tmp_path / "pictures.tar.gz"], tmp_path / "cache", Sizes(), workers=1)
    assert sorted(packed.arrays("width").rows(range(5))[0].tolist()) == [[11]] * 3 + [[22]] * 2
    assert (packed.report.pictures, packed.report.skipped) == (folder.report.pictures, folder.report.skipped)


def test_an_interrupted_pack_continues_and_a_complete_one_is_left_alone(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    stamp = (pack.shards[0] / "width.npy").stat().st_mtime_ns
    (pack.folder / "complete.json").unlink()
    (pack.folder / ".shard-00001.part").mkdir()  # what is left when the process is killed
    again = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    assert again == pack
    assert (pack.shards[0] / "width.npy").stat().st_mtime_ns == stamp
    assert json.loads((pack.folder / "complete.json").read_text())["pictures"] == 2


def test_changed_pictures_or_settings_make_another_pack(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    other = make_pack([pictures], tmp_path / "cache", Sizes(seed=1), workers=1)
    assert other.arrays("noise").rows([0])[0].tolist() != pack.arrays("noise").rows([0])[0].tolist()
    shutil.copy(pictures / "a.png", pictures / "e.png")
    grown = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    assert len({pack.folder, other.folder, grown.folder}) == 3
    assert grown.report.pictures == 3


def test_derived_arrays_are_computed_once(pictures: Path, tmp_path: Path) -> None:
    pack = make_pack([pictures], tmp_path / "cache", Sizes(), workers=1)
    calls, done = [], []

    def multiples(rows: np.ndarray) -> list[np.ndarray]:
        calls.append(len(rows))
        return [2 * rows, 3 * rows]

    for _ in range(2):
        pack.derive(["double", "triple"], ["width"], multiples, done.append)
    assert calls == [5] and done == [5, 5]
    double, triple = pack.arrays("double", "triple").rows([0, 4])
    assert double.tolist() == [[22], [44]] and triple.tolist() == [[33], [66]]


@pytest.mark.parametrize("name", ["missing", "notes.txt", "empty", "bad.tar", "short.tar.gz"])
def test_an_unusable_source_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "bad.tar").write_bytes(b"no archive")
    (tmp_path / "empty").mkdir()
    noise = np.random.default_rng(0).bytes(50_000)
    whole = archive(tmp_path / "whole.tar.gz", {"a.png": noise, "b.png": noise}).read_bytes()
    (tmp_path / "short.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=name):
        make_pack([tmp_path / name], tmp_path / "cache", Sizes(), workers=1)


def test_a_picture_inside_an_archive_may_be_broken(tmp_path: Path) -> None:
    mixed = archive(tmp_path / "mixed.tar", {"good.png": png(4, 1), "bad.png": b"\x89PNG nothing more"})
    report = make_pack([mixed], tmp_path / "cache", Sizes(), workers=1).report
    assert report.pictures == 1
    assert "bad.png" in report.broken[0]


def test_chosen_pictures_are_read_and_no_others(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = [archive(tmp_path / "few.tar", {"x.png": png(1, 1), "y.png": png(2, 1)}), pictures / "a.png", pictures]
    names = image_names(sources)
    assert names == [image.name for image in iterate_images(sources)] and len(names) == 7
    read: list[str] = []
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path.name) or b"content")
    chosen = list(iterate_images(sources, {1, 4}))
    assert [image.name for image in chosen] == [names[1], names[4]]
    assert chosen[0].content == png(2, 1) and read == ["broken.png"]


@dataclasses.dataclass(frozen=True)
class Lengths:
    """Makes an example of a file: its length."""

    seed: int = 0

    def __call__(self, content: bytes, generator: np.random.Generator) -> dict[str, np.ndarray]:
        return {"length": np.array([[len(content)]])}


@pytest.mark.parametrize("name", ["photos", "photos.tar", "photos.tar.gz"])
def test_pictures_do_not_wait_in_memory_to_be_packed(tmp_path: Path, name: str) -> None:
    contents = {f"{number}.jpg": bytes(2_000_000 + number) for number in range(10)}
    if "." in name:
        archive(tmp_path / name, contents)
    else:
        (tmp_path / name).mkdir()
        for file, content in contents.items():
            (tmp_path / name / file).write_bytes(content)
    sizes = [[len(content)] for content in contents.values()]
    del contents
    tracemalloc.start()
    pack = make_pack([tmp_path / name], tmp_path / "cache", Lengths(), workers=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert pack.arrays("length").rows(range(10))[0].tolist() == sizes
    assert most < 8_000_000  # of 20 million bytes
    assert not list(pack.folder.glob(".*"))


def test_what_systems_add_to_folders_changes_neither_the_pack_nor_what_is_learnt(
    pictures: Path, tmp_path: Path
) -> None:
    before, names = fingerprint([pictures]), image_names([pictures])
    for junk in (
        ".DS_Store", "deeper/.DS_Store", "Thumbs.db", "deeper/desktop.ini", "._tall.png", ".thumbnails/a.png",
        "deeper/@eaDir/b.png/SYNOPHOTO_THUMB.jpg", "$RECYCLE.BIN/c.png", ".git/HEAD", "Icon\r", "ehthumbs_vista.db",
        "lost+found/#12.png", "RECYCLER/S-1-5/d.png", "FOUND.000/FILE0000.png", "Network Trash Folder/e.png",
        "Temporary Items/f.png", "deeper/#recycle/g.png", "@Recycle/h.png", "#snapshot/i.png",
    ):  # fmt: skip
        (pictures / junk).parent.mkdir(parents=True, exist_ok=True)
        (pictures / junk).write_bytes(png(4, 1))
    assert (fingerprint([pictures]), image_names([pictures])) == (before, names)
    with tarfile.open(tmp_path / "mac.tar", "w") as tar:
        tar.add(pictures, "./pictures")
    assert len(image_names([tmp_path / "mac.tar"])) == len(names)
    for own in ("Iconic", "found.jpg", "recycled paper", "#1", "@home", "temporary"):
        (pictures / own).mkdir()
        (pictures / own / "a.png").write_bytes(png(4, 1))
    assert len(image_names([pictures])) == len(names) + 6


def test_a_cache_that_cannot_be_made_is_one_sentence(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=r"The cache .*cache cannot be written \(Not a directory\)"):
        make_pack([pictures], tmp_path / "file" / "cache", Sizes())


def test_pictures_are_held_out_by_names_that_are_the_same_on_all_systems(tmp_path: Path) -> None:
    """macOS may keep letters and accents apart."""
    found = []
    for form in ("NFC", "NFD"):
        folder = tmp_path / form / "album"
        folder.mkdir(parents=True)
        for name in ("z.png", "é.png", "eb.png"):
            (folder / unicodedata.normalize(form, name)).write_bytes(png(1, 1))
        found.append(image_names([folder]))
    assert found == [["album/eb.png", "album/z.png", "album/é.png"]] * 2


def test_all_examples_of_a_picture_are_held_out_together() -> None:
    groups = np.repeat(np.random.default_rng(0).integers(0, 2**32, 500, dtype=np.uint32), 4)
    train, held_out = split_held_out(groups, 0.1)
    assert not set(groups[train]) & set(groups[held_out])
    assert sorted([*train, *held_out]) == list(range(2000))
    assert 0.05 < len(held_out) / 2000 < 0.15


class Numbers:
    """A data set whose batches are the numbers of their examples."""

    def batch(self, indices: np.ndarray) -> list[int]:
        return indices.tolist()


def test_a_resumed_stream_continues_with_the_same_batches() -> None:
    whole = [batch for batch, _ in zip(BatchStream(Numbers(), np.arange(10), 3, seed=1), range(7), strict=False)]
    late = BatchStream(Numbers(), np.arange(10), 3, seed=1, start=4)
    assert [batch for batch, _ in zip(late, range(3), strict=False)] == whole[4:]
    assert len({tuple(batch) for batch in whole}) == 7
    assert sorted({number for batch in whole[:3] for number in batch}) != list(range(9))  # shuffled
