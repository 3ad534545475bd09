"""Pictures into memory-mapped training views, in parallel and resumable.

A pack is a folder of shards; a shard is a folder of plain `.npy` files with one row per view:

* `lightness.npy`, uint8 `(views, 1, size, size)`: L* in 0..100 times 2.55, aged in some views,
* `ab.npy`, float16 `(views, 2, size / 4, size / 4)`: the clean chroma, box-averaged, in Lab units,
* `group.npy`, uint32 `(views,)`: a hash of the picture's name, equal for all its views,
* `report.json`: what was kept, dropped and broken.

A shard appears under its name only once it is whole, so a stopped run goes on where it stopped.
"""

import dataclasses
import hashlib
import itertools
import json
import multiprocessing
import os
import shutil
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps

from cinn_app.data.sources import EncodedImage, fingerprint, iterate_images
from cinn_app.errors import DataError, ImageError
from cinn_app.imaging.colour import rgb_to_lab
from cinn_app.imaging.pixels import pixels_of_image
from cinn_app.imaging.sources import opened_picture
from cinn_app.systems.colorization.views import age_lightness, draw_view

__all__ = ["TARGET_STRIDE", "PackReport", "PackSettings", "make_pack", "shards_of"]

#: The chroma's side is the lightness's divided by this.
TARGET_STRIDE = 4
PICTURES_PER_SHARD = 512
#: A picture whose chroma, averaged over its pixels, is below this many Lab units has nothing to teach.
GRAY_CHROMA = 2.0


@dataclasses.dataclass(frozen=True)
class PackSettings:
    """What the views look like; a pack made with other settings is another pack.

    Attributes:
        size: side of a view in pixels, divisible by 32.
        views_sharp: views drawn from a picture whose shorter side is at least `size`.
        views_enlarged: views drawn from a smaller one.
        aged: share of the views whose lightness is made to look old.
        seed: from which every picture's own generator is derived.
    """

    size: int = 128
    views_sharp: int = 4
    views_enlarged: int = 1
    aged: float = 0.1
    seed: int = 0


@dataclasses.dataclass
class PackReport:
    """What became of the pictures."""

    kept: int = 0
    views: int = 0
    gray: int = 0
    broken: list[str] = dataclasses.field(default_factory=list)

    def add(self, other: "PackReport") -> None:
        """Count another report in."""
        self.kept += other.kept
        self.views += other.views
        self.gray += other.gray
        self.broken += other.broken


def make_pack(
    sources: Sequence[Path],
    cache: Path,
    settings: PackSettings,
    progress: Callable[[int], None] = lambda pictures: None,
    workers: int | None = None,
) -> tuple[Path, PackReport]:
    """Pack pictures below `cache`, in a folder of their own; what is packed already is not packed again.

    Args:
        sources: folders, tar archives and picture files.
        cache: folder for packs.
        settings: what the views look like.
        progress: called with the number of pictures just dealt with.
        workers: processes to use; by default one per core.

    Returns:
        The pack's folder and the report over all its shards.

    Raises:
        DataError: if a source is missing or damaged, or no usable colour picture is found.
    """
    described = json.dumps([fingerprint(sources), dataclasses.asdict(settings)], sort_keys=True)
    pack = cache / f"pack-{hashlib.sha256(described.encode()).hexdigest()[:12]}"
    pack.mkdir(parents=True, exist_ok=True)
    complete = pack / "complete.json"
    if complete.exists():
        report = PackReport(**json.loads(complete.read_text()))
        progress(report.kept + report.gray + len(report.broken))
        return pack, report

    report = PackReport()
    workers = workers or os.cpu_count() or 1
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        running: set[Future[tuple[PackReport, int]]] = set()
        batches = _batches(sources)
        for number, batch in enumerate(batches):
            running.add(pool.submit(_pack_shard, batch, pack / f"shard-{number:05d}", settings))
            if len(running) > workers:  # bounds the pictures held in memory
                running = _collect(running, report, progress)
        while running:
            running = _collect(running, report, progress)
    if not report.views:
        raise DataError(f"Found no colour pictures in {', '.join(map(str, sources))}: give data that hold some.")
    complete.write_text(json.dumps(dataclasses.asdict(report)))
    return pack, report


def shards_of(pack: Path) -> list[Path]:
    """List the shards of a pack that hold views, in order."""
    return [shard for shard in sorted(pack.glob("shard-*")) if (shard / "lightness.npy").exists()]


def _batches(sources: Sequence[Path]) -> Iterator[list[EncodedImage]]:
    images = iterate_images(sources)
    while batch := list(itertools.islice(images, PICTURES_PER_SHARD)):
        yield batch


def _collect(
    running: set[Future[tuple[PackReport, int]]], report: PackReport, progress: Callable[[int], None]
) -> set[Future[tuple[PackReport, int]]]:
    done, waiting = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        shard_report, pictures = future.result()
        report.add(shard_report)
        progress(pictures)
    return waiting


def _pack_shard(batch: list[EncodedImage], shard: Path, settings: PackSettings) -> tuple[PackReport, int]:
    """Draw the views of one batch of pictures and put them in place at once (runs in a worker process)."""
    if (shard / "report.json").exists():
        return PackReport(**json.loads((shard / "report.json").read_text())), len(batch)
    torch.set_num_threads(1)
    report = PackReport()
    views, groups, generators = [], [], []
    for image in batch:
        group = zlib.crc32(image.name.encode())
        generator = np.random.default_rng([settings.seed, group])
        try:
            drawn = _draw_views(image.content, settings, generator)
        except ImageError as error:
            report.broken.append(f"{image.name}: {error}")
            continue
        if not drawn or _is_gray(drawn[0]):
            report.gray += 1
            continue
        report.kept += 1
        report.views += len(drawn)
        views += drawn
        groups += [group] * len(drawn)
        generators += [generator] * len(drawn)

    unfinished = shard.with_name(f".{shard.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    if views:
        lightness, ab = _to_lightness_and_ab(np.stack(views))
        for row, generator in enumerate(generators):
            if generator.random() < settings.aged:
                lightness[row, 0] = age_lightness(lightness[row, 0], generator)
        np.save(unfinished / "lightness.npy", lightness)
        np.save(unfinished / "ab.npy", ab)
        np.save(unfinished / "group.npy", np.array(groups, dtype=np.uint32))
    (unfinished / "report.json").write_text(json.dumps(dataclasses.asdict(report)))
    unfinished.rename(shard)
    return report, len(batch)


def _draw_views(content: bytes, settings: PackSettings, generator: np.random.Generator) -> list[np.ndarray]:
    """Draw a picture's views; none if its file holds only gray."""
    with opened_picture(content) as file:
        values = pixels_of_image(ImageOps.exif_transpose(file)).values
    if values.ndim == 2:
        return []
    image = Image.fromarray(values if values.dtype == np.uint8 else (values * 255).round().astype(np.uint8))
    count = settings.views_sharp if min(image.size) >= settings.size else settings.views_enlarged
    return [draw_view(image, settings.size, generator, first=view == 0) for view in range(count)]


def _is_gray(view: np.ndarray) -> bool:
    rgb = torch.from_numpy(view).permute(2, 0, 1)[None, :, ::4, ::4] / 255
    return bool(rgb_to_lab(rgb)[:, 1:].norm(dim=1).mean() < GRAY_CHROMA)


def _to_lightness_and_ab(views: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lightness, ab = [], []
    for chunk in torch.from_numpy(views).split(64):
        lab = rgb_to_lab(chunk.permute(0, 3, 1, 2) / 255)
        lightness.append((lab[:, :1] * 2.55).round().to(torch.uint8))
        ab.append(torch.nn.functional.avg_pool2d(lab[:, 1:], TARGET_STRIDE).half())
    return torch.cat(lightness).numpy(), torch.cat(ab).numpy()
