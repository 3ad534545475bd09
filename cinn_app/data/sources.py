"""Where pictures come from: folders and tar archives, walked in a fixed order."""

import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cinn_app.errors import DataError
from cinn_app.imaging.sources import INPUT_SUFFIXES

__all__ = ["EncodedImage", "fingerprint", "iterate_images"]

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")


class EncodedImage(NamedTuple):
    """A picture as it lies in its file, and the name to report it by."""

    name: str
    content: bytes


def iterate_images(sources: Sequence[Path]) -> Iterator[EncodedImage]:
    """Yield every picture of the given folders, tar archives and single files.

    Folders are walked recursively in sorted order, archives in the order they were written, so that two walks over
    the same sources agree. Hidden files are passed over.

    Raises:
        DataError: if a source does not exist, is of no known kind, or is a damaged archive.
    """
    for source in sources:
        if not source.exists():
            raise DataError(f"There are no data at {source}: give a folder, a tar archive or a picture that exists.")
        if source.is_dir():
            yield from _iterate_folder(source)
        elif source.name.lower().endswith(ARCHIVE_SUFFIXES):
            yield from _iterate_archive(source)
        elif _is_image(source.name):
            yield EncodedImage(str(source), source.read_bytes())
        else:
            raise DataError(f"{source} is neither a folder, a tar archive nor a picture: give one of these as data.")


def fingerprint(sources: Sequence[Path]) -> list[tuple[str, int, int]]:
    """Describe sources by path, size and time of change, so that a cache notices when they differ."""
    files = [f for source in sources for f in (sorted(source.rglob("*")) if source.is_dir() else [source])]
    missing = [str(f) for f in files if not f.exists()]
    if missing:
        raise DataError(f"There are no data at {missing[0]}: give a folder, a tar archive or a picture that exists.")
    return [(str(f.resolve()), f.stat().st_size, f.stat().st_mtime_ns) for f in files if f.is_file()]


def _iterate_folder(folder: Path) -> Iterator[EncodedImage]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and _is_image(path.name):
            yield EncodedImage(str(path.relative_to(folder.parent)), path.read_bytes())


def _iterate_archive(archive: Path) -> Iterator[EncodedImage]:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and _is_image(Path(member.name).name):
                    file = tar.extractfile(member)
                    assert file is not None  # a regular file always opens
                    yield EncodedImage(f"{archive.name}:{member.name}", file.read())
    except (tarfile.TarError, EOFError, OSError) as error:
        raise DataError(f"The archive {archive} is damaged ({error}): copy or download it again.") from error


def _is_image(name: str) -> bool:
    return not name.startswith(".") and name.lower().endswith(INPUT_SUFFIXES)
