"""Training examples made once from pictures and kept in memory-mapped arrays.

A pack is a folder of shards; a shard is a folder with

* `NAME.npy` for each array that the system's function makes, one row per example,
* `group.npy`, uint32 `(examples,)`: a hash of the picture's name, equal for all its examples,
* `report.json`, a :class:`PackReport`.

Shards are made in parallel. Each gets its name only when it is complete, so an interrupted run continues where it
stopped.
"""

import contextlib
import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import shutil
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, as_completed, wait
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from cinn_app.data.sources import CompressedImage, StoredImage, find_images, fingerprint, read_image
from cinn_app.errors import DataError, ImageError
from cinn_app.files import atomic_write
from cinn_app.process import worker_count

__all__ = ["ExampleMaker", "Pack", "PackReport", "PackedArrays", "make_pack", "split_held_out"]

PICTURES_PER_SHARD = 512
REPORT = "report.json"

Arrays = Mapping[str, np.ndarray]


class ExampleMaker(Protocol):
    """Makes examples from a picture: a frozen dataclass whose fields are its settings.

    It is sent to other processes, so its class must be importable.
    """

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def seed(self) -> int:
        """From which every picture's own generator is derived."""
        ...

    def __call__(self, content: bytes, generator: np.random.Generator) -> Arrays | None:
        """Return arrays with one row per example, the same names for every picture; None leaves the picture out.

        Args:
            content: of the picture's file.
            generator: of random numbers; the same ones for the same name and seed.

        Raises:
            ImageError: if the picture cannot be read; the pack's report lists it.
        """
        ...


class Job(NamedTuple):
    """The making of a shard.

    Attributes:
        images: to make examples from, as places where each is read when its turn comes.
        shard: folder to make.
        maker: makes the examples of one picture.
        unpacked: holds those that come from compressed archives, and is deleted afterwards.
    """

    images: Sequence[StoredImage]
    shard: Path
    maker: ExampleMaker
    unpacked: Path


@dataclasses.dataclass
class PackReport:
    """What became of the pictures.

    Attributes:
        pictures: how many there are examples of.
        examples: made from them.
        skipped: pictures that the maker left out.
        broken: name and problem of each picture that cannot be read.
    """

    pictures: int = 0
    examples: int = 0
    skipped: int = 0
    broken: list[str] = dataclasses.field(default_factory=list)

    @property
    def total(self) -> int:
        """Pictures found."""
        return self.pictures + self.skipped + len(self.broken)

    def add(self, other: "PackReport") -> None:
        """Add the counts of another report."""
        self.pictures += other.pictures
        self.examples += other.examples
        self.skipped += other.skipped
        self.broken += other.broken

    @classmethod
    def load(cls, path: Path) -> "PackReport":
        """Read a report that :meth:`save` wrote."""
        return cls(**json.loads(path.read_text("utf-8")))

    def save(self, path: Path) -> None:
        """Write a JSON file."""
        path.write_text(json.dumps(dataclasses.asdict(self)), "utf-8")


class PackedArrays:
    """Some arrays of a pack, all shards in order, memory-mapped.

    Args:
        shards: folders.
        names: of the arrays.
    """

    def __init__(self, shards: Sequence[Path], names: Sequence[str]) -> None:
        self._shards = [[np.load(shard / f"{name}.npy", mmap_mode="r") for name in names] for shard in shards]
        sizes = [len(arrays[0]) for arrays in self._shards]
        self._shard_of = np.repeat(np.arange(len(sizes)), sizes)
        self._row_of = np.concatenate([np.arange(size) for size in sizes])

    def __len__(self) -> int:
        return len(self._row_of)

    def rows(self, indices: Sequence[int] | np.ndarray) -> tuple[Tensor, ...]:
        """Return the rows with these numbers, a tensor ``(len(indices), ...)`` per array."""
        rows = [(self._shards[self._shard_of[i]], self._row_of[i]) for i in indices]
        columns = range(len(self._shards[0]))
        return tuple(torch.from_numpy(np.stack([arrays[column][row] for arrays, row in rows])) for column in columns)


@dataclasses.dataclass(frozen=True)
class Pack:
    """A complete pack.

    Attributes:
        folder: with the shards.
        report: over all shards.
    """

    folder: Path
    report: PackReport

    @property
    def shards(self) -> list[Path]:
        """The shards that hold examples, in order."""
        return [shard for shard in sorted(self.folder.glob("shard-*")) if (shard / "group.npy").exists()]

    @property
    def groups(self) -> np.ndarray:
        """Hashes of the pictures' names, uint32 ``(examples,)``, see :func:`split_held_out`."""
        return np.concatenate([np.load(shard / "group.npy") for shard in self.shards])

    def arrays(self, *names: str) -> PackedArrays:
        """Open arrays by name."""
        return PackedArrays(self.shards, names)

    def derive(
        self,
        names: Sequence[str],
        sources: Sequence[str],
        function: Callable[..., Sequence[np.ndarray]],
        progress: Callable[[int], None] = lambda examples: None,
    ) -> None:
        """Compute further arrays from others, shard by shard, where they do not exist yet.

        Args:
            names: of the new arrays.
            sources: of the arrays to compute them from.
            function: from a shard's rows, one array per source, to as many new rows of each array.
            progress: called with the number of examples just processed.
        """
        for shard in self.shards:
            rows = [np.load(shard / f"{source}.npy", mmap_mode="r") for source in sources]
            targets = [shard / f"{name}.npy" for name in names]
            if not all(target.exists() for target in targets):
                for target, array in zip(targets, function(*rows), strict=True):
                    with atomic_write(target) as file:
                        np.save(file, array)
            progress(len(rows[0]))


def make_pack(
    sources: Sequence[Path],
    cache: Path,
    maker: ExampleMaker,
    progress: Callable[[int], None] = lambda pictures: None,
    workers: int | None = None,
) -> Pack:
    """Make examples from all pictures, or find the pack if the same maker has been run on the same pictures before.

    Args:
        sources: folders, tar archives and picture files.
        cache: folder for packs; each pack has a folder of its own in it.
        maker: makes the examples of one picture.
        progress: called with the number of pictures just processed.
        workers: processes to use, by default as many as CPUs and memory allow; 1 is this process.

    Raises:
        DataError: if a source is missing or damaged, or no picture gives an example.
    """
    identity = [type(maker).__name__, fingerprint(sources), dataclasses.asdict(maker)]
    digest = hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()
    folder = cache / f"pack-{digest[:12]}"
    complete = folder / "complete.json"
    if complete.exists():
        report = PackReport.load(complete)
        progress(report.total)
        return Pack(folder, report)

    report = PackReport()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for shard_report in _make_shards(_jobs(sources, folder, maker), workers or worker_count()):
            report.add(shard_report)
            progress(shard_report.total)
    except OSError as error:
        raise DataError(
            "The cache {cache} cannot be written ({reason}): make room, or choose another place for it.",
            cache=cache,
            reason=error.strerror,
        ) from error
    finally:
        for unpacked in folder.glob(".shard-*.pictures"):
            unpacked.unlink(missing_ok=True)
    if not report.examples:
        raise DataError(
            "No picture in {sources} can be learned from ({skipped} unsuitable, {broken} broken): give other data.",
            sources=", ".join(map(str, sources)),
            skipped=report.skipped,
            broken=len(report.broken),
        )
    report.save(complete)
    return Pack(folder, report)


def split_held_out(groups: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Split examples into training and held-out ones; all examples of a picture are on the same side.

    Args:
        groups: uint32 hashes of the pictures' names, ``(examples,)``.
        share: of the pictures to hold out.

    Returns:
        The numbers of the training examples and of those held out.

    >>> train, held_out = split_held_out(np.array([0, 0, 2**32 - 1], dtype=np.uint32), 0.5)
    >>> train.tolist(), held_out.tolist()
    ([2], [0, 1])
    """
    held_out = groups < share * 2**32
    return np.flatnonzero(~held_out), np.flatnonzero(held_out)


def _jobs(sources: Sequence[Path], folder: Path, maker: ExampleMaker) -> Iterator[Job]:
    """Yield the jobs of a pack. No picture stays in memory: compressed ones are unpacked into a file per job."""
    images = find_images(sources)
    for number in itertools.count():
        shard, batch = folder / f"shard-{number:05d}", list[StoredImage]()
        unpacked, is_made = shard.with_name(f".{shard.name}.pictures"), (shard / REPORT).exists()
        with contextlib.ExitStack() as stack:
            unpacking = None
            for image in itertools.islice(images, PICTURES_PER_SHARD):
                if isinstance(image, CompressedImage):
                    unpacking = unpacking or stack.enter_context(unpacked.open("wb"))
                    start, size = unpacking.tell(), 0 if is_made else unpacking.write(read_image(image))
                    image = StoredImage(image.name, unpacked, start, size)
                batch.append(image)
        if not batch:
            return
        yield Job(batch, shard, maker, unpacked)


def _make_shards(jobs: Iterator[Job], workers: int) -> Iterator[PackReport]:
    first = list(itertools.islice(jobs, 2))
    jobs = itertools.chain(first, jobs)
    if workers == 1 or len(first) < 2:  # a process takes seconds to import torch
        yield from map(_make_shard, jobs)
        return
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        running: set[Future[PackReport]] = set()
        for job in jobs:
            running.add(pool.submit(_make_shard, job))
            if len(running) > workers:  # bounds what is unpacked on the disk
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        yield from (future.result() for future in as_completed(running))


def _make_shard(job: Job) -> PackReport:
    """Make the examples of some pictures, and move the finished shard into place."""
    images, shard, maker, unpacked = job
    if (shard / REPORT).exists():
        return PackReport.load(shard / REPORT)
    report, rows, groups = PackReport(), [], []
    for image in images:
        group = zlib.crc32(image.name.encode())
        try:
            arrays = maker(read_image(image), np.random.default_rng([maker.seed, group]))
        except ImageError as error:
            report.broken.append(f"{image.name}: {error}")
            continue
        if arrays is None:
            report.skipped += 1
            continue
        examples = len(next(iter(arrays.values())))
        report.pictures += 1
        report.examples += examples
        rows.append(arrays)
        groups += [group] * examples

    unfinished = shard.with_name(f".{shard.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    if rows:
        for name in rows[0]:
            np.save(unfinished / f"{name}.npy", np.concatenate([arrays[name] for arrays in rows]))
        np.save(unfinished / "group.npy", np.array(groups, dtype=np.uint32))
    report.save(unfinished / REPORT)
    unfinished.rename(shard)
    unpacked.unlink(missing_ok=True)
    return report
