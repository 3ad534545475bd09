"""Where pictures come from: folders and tar archives, walked in a fixed order."""

import hashlib
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
        _require(source)
        if source.is_dir():
            yield from _iterate_folder(source)
        elif source.name.lower().endswith(ARCHIVE_SUFFIXES):
            yield from _iterate_archive(source)
        elif _is_image(source.name):
            yield EncodedImage(str(source), source.read_bytes())
        else:
            raise DataError(f"{source} is neither a folder, a tar archive nor a picture: give one of these as data.")


def fingerprint(sources: Sequence[Path]) -> list[tuple[str, int, str]]:
    """Describe sources so that a cache notices when they differ, but not when they were merely copied or moved.

    An archive is known by its name, size and content, a folder by its files' names, sizes and times of change.
    """
    described = []
    for source in sources:
        _require(source)
        if source.is_dir():
            files = [file for file in sorted(source.rglob("*")) if file.is_file()]
            described += [
                (str(file.relative_to(source.parent)), file.stat().st_size, str(file.stat().st_mtime_ns))
                for file in files
            ]
        else:
            with source.open("rb") as opened:
                digest = hashlib.file_digest(opened, "blake2b").hexdigest()
            described.append((source.name, source.stat().st_size, digest))
    return described


def _require(source: Path) -> None:
    if not source.exists():
        raise DataError(f"There are no data at {source}: give a folder, a tar archive or a picture that exists.")


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
