"""MNIST from a server, from the disk, and from what is left of either."""

import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torchvision.datasets import MNIST

from cinn_app.errors import DataError
from cinn_app.systems.digits.data import FILES, load_mnist, require_mnist

NOWHERE = "http://127.0.0.1:9/"  # the discard port, where nothing listens


def idx(values: np.ndarray) -> bytes:
    """Write bytes in MNIST's file format."""
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">i4").tobytes() + values.tobytes()


def contents() -> dict[str, bytes]:
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (count, 28, 28), dtype=np.uint8) for count in (30, 12)]
    labels = [np.arange(count, dtype=np.uint8) % 10 for count in (30, 12)]
    return {
        name: idx(values) for name, values in zip(FILES, (pictures[0], labels[0], pictures[1], labels[1]), strict=True)
    }


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """The folder of the four files, there and whole."""
    folder = tmp_path / "cache" / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for name, content in contents().items():
        (folder / name).write_bytes(content)
    return folder


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """A file server that does not write its log into the tests'."""

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A mirror of MNIST, and the folder that it serves."""
    served = tmp_path / "served"
    served.mkdir()
    for name, content in contents().items():
        (served / f"{name}.gz").write_bytes(gzip.compress(content))
    digests = [(file.name, hashlib.md5(file.read_bytes()).hexdigest()) for file in sorted(served.iterdir())]
    monkeypatch.setattr(MNIST, "resources", digests)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(served))) as mirror:
        threading.Thread(target=mirror.serve_forever, daemon=True).start()
        monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{mirror.server_port}/"])
        yield served
        mirror.shutdown()


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MNIST, "mirrors", [NOWHERE])


def refusal(folder: Path, train: bool = True) -> str:
    with pytest.raises(DataError) as caught:
        load_mnist(folder, train)
    message = str(caught.value)
    assert str(folder) in message
    assert message.endswith(".")
    assert "\n" not in message
    return message


@pytest.mark.parametrize(("train", "name", "count"), [(True, "train", 30), (False, "t10k", 12)])
def test_files_on_the_disk_need_no_network(raw: Path, no_network: None, train: bool, name: str, count: int) -> None:
    images, labels = load_mnist(raw.parents[1], train)
    assert images.shape == (count, 28, 28)
    assert images.numpy().tobytes() == contents()[f"{name}-images-idx3-ubyte"][16:]
    assert labels.tolist() == [number % 10 for number in range(count)]


def test_it_is_downloaded_once(server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load_mnist(tmp_path / "cache", train=True)
    assert first.images.numpy().tobytes() == contents()[FILES[0]][16:]
    monkeypatch.setattr(MNIST, "mirrors", [NOWHERE])
    assert load_mnist(tmp_path / "cache", train=True).images.equal(first.images)
    assert len(load_mnist(tmp_path / "cache", train=False).labels) == 12


def test_a_folder_that_lacks_a_file_is_completed(server: Path, raw: Path) -> None:
    (raw / FILES[1]).unlink()
    (raw / f"{FILES[1]}.gz").write_bytes((server / f"{FILES[1]}.gz").read_bytes()[:20])  # as a kill leaves it
    assert len(load_mnist(raw.parents[1], train=True).labels) == 30


def test_a_mirror_that_sends_other_files_is_refused(server: Path, tmp_path: Path) -> None:
    (server / f"{FILES[0]}.gz").write_bytes(gzip.compress(b"no pictures"))
    assert "cannot be downloaded" in refusal(tmp_path / "cache")
    assert not (tmp_path / "cache" / "MNIST" / "raw" / FILES[0]).exists()


def test_no_network_and_no_files(no_network: None, tmp_path: Path) -> None:
    message = refusal(tmp_path / "cache")
    assert "cannot be downloaded" in message
    assert "connect to the internet, or give the folder that holds MNIST/raw with --data" in message


def test_no_network_and_only_some_files(no_network: None, raw: Path) -> None:
    (raw / FILES[3]).unlink()
    assert "cannot be downloaded" in refusal(raw.parents[1])


def test_a_folder_that_cannot_be_written_to(server: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, where a folder should be")
    assert "cannot be downloaded" in refusal(tmp_path / "cache")


PICTURES, LABELS = contents()[FILES[0]], contents()[FILES[1]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (FILES[0], b""),
        (FILES[0], PICTURES[:3]),
        (FILES[0], PICTURES[:16]),
        (FILES[0], PICTURES[:5000]),
        (FILES[0], LABELS),
        (FILES[0], gzip.compress(PICTURES)),
        (FILES[0], idx(np.zeros((30, 14, 14), np.uint8))),
        (FILES[1], b""),
        (FILES[1], LABELS[:20]),
        (FILES[1], PICTURES),
        (FILES[1], idx(np.zeros(29, np.uint8))),
        (FILES[1], idx(np.full(30, 200, np.uint8))),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{len(value)} bytes",
)
def test_damaged_files_and_missing_ones_get_different_errors(
    raw: Path, no_network: None, name: str, content: bytes
) -> None:
    (raw / name).write_bytes(content)
    assert "are damaged: delete its folder MNIST and start again" in refusal(raw.parents[1])


def test_no_pictures_at_all_are_damaged_files(raw: Path, no_network: None) -> None:
    (raw / FILES[0]).write_bytes(idx(np.zeros((0, 28, 28), np.uint8)))
    (raw / FILES[1]).write_bytes(idx(np.zeros(0, np.uint8)))
    assert "are damaged" in refusal(raw.parents[1])


def test_compressed_files_count_as_mnist_and_missing_ones_are_named(raw: Path) -> None:
    folder = raw.parents[1]
    (raw / FILES[1]).rename(raw / f"{FILES[1]}.gz")
    require_mnist(folder)
    (raw / f"{FILES[1]}.gz").unlink()
    with pytest.raises(DataError, match=f"should hold {FILES[1]}: give the folder that holds MNIST/raw"):
        require_mnist(folder)
