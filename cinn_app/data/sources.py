"""Pictures in folders and tar archives, in a fixed order."""

import hashlib
import tarfile
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from cinn_app.errors import DataError
from cinn_app.files import JUNK_FOLDERS
from cinn_app.imaging.sources import INPUT_SUFFIXES

__all__ = ["EncodedImage", "fingerprint", "image_names", "iterate_images"]

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
# What damaged archives and disks raise.
READ_ERRORS = (tarfile.TarError, zlib.error, EOFError, OSError)


class EncodedImage(NamedTuple):
    """The bytes of a picture file, and a name for reports."""

    name: str
    content: bytes


def image_names(sources: Sequence[Path]) -> list[str]:
    """List the pictures that :func:`iterate_images` yields, without reading them."""
    return [name for name, _ in _find(sources)]


def iterate_images(sources: Sequence[Path], numbers: Container[int] | None = None) -> Iterator[EncodedImage]:
    """Yield every picture in folders, tar archives and single files.

    Folders are walked recursively in sorted order, archives in the order they were written, so two walks over the
    same sources agree. Hidden files are left out.

    Args:
        sources: folders, archives and picture files.
        numbers: read only the pictures with these numbers, counted from 0 over all sources.

    Raises:
        DataError: if a source does not exist, is of an unknown kind, or cannot be read.
    """
    for number, (name, read) in enumerate(_find(sources)):
        if numbers is not None and number not in numbers:
            continue
        try:
            content = read()
        except READ_ERRORS as error:
            raise DataError(
                "{name} cannot be read ({reason}): check the disk, or copy the data again.", name=name, reason=error
            ) from error
        yield EncodedImage(name, content)


def fingerprint(sources: Sequence[Path]) -> list[tuple[str, int, str]]:
    """Identify the content of sources, so that a cache notices changes, but not copies and moves.

    An archive is identified by its name, size and content, a folder by the names, sizes and modification times of its
    files.
    """
    entries = []
    for source in sources:
        _require(source)
        if source.is_dir():
            for file in sorted(source.rglob("*")):
                if file.is_file():
                    status = file.stat()
                    entries.append((str(file.relative_to(source.parent)), status.st_size, str(status.st_mtime_ns)))
        else:
            with source.open("rb") as opened:
                digest = hashlib.file_digest(opened, "blake2b").hexdigest()
            entries.append((source.name, source.stat().st_size, digest))
    return entries


def _find(sources: Sequence[Path]) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each picture's name and a function that reads it, valid until the next picture is asked for."""
    for source in sources:
        _require(source)
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if path.is_file() and _is_image(path.relative_to(source)):
                    yield str(path.relative_to(source.parent)), path.read_bytes
        elif source.name.lower().endswith(ARCHIVE_SUFFIXES):
            yield from _find_in_archive(source)
        elif _is_image(Path(source.name)):
            yield str(source), source.read_bytes
        else:
            raise DataError(
                "{source} is neither a folder, a tar archive nor a picture: give one of these as data.", source=source
            )


def _find_in_archive(archive: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile() and _is_image(Path(member.name)):
                    file = tar.extractfile(member)
                    assert file is not None  # a regular file always opens
                    yield f"{archive.name}:{member.name}", file.read
    except READ_ERRORS as error:
        raise DataError(
            "The archive {archive} is damaged ({reason}): copy or download it again.", archive=archive, reason=error
        ) from error


def _require(source: Path) -> None:
    if not source.exists():
        raise DataError(
            "There are no data at {source}: give a folder, a tar archive or a picture that exists.", source=source
        )


def _is_image(path: Path) -> bool:
    junk = path.name.startswith(".") or any(part.lower() in JUNK_FOLDERS for part in path.parts)
    return not junk and path.name.lower().endswith(INPUT_SUFFIXES)
