"""Pictures in folders and tar archives, in a fixed order."""

import dataclasses
import hashlib
import io
import tarfile
import unicodedata
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path, PurePath, PurePosixPath
from typing import NamedTuple

from cinn_app.errors import DataError
from cinn_app.files import is_junk, is_junk_folder, is_pattern
from cinn_app.imaging.sources import INPUT_SUFFIXES

__all__ = [
    "CompressedImage",
    "EncodedImage",
    "StoredImage",
    "find_images",
    "fingerprint",
    "image_names",
    "iterate_images",
    "read_image",
]

ARCHIVE_SUFFIXES = (".tar", ".tar.gz", ".tgz")
# What damaged archives and disks raise.
READ_ERRORS = (tarfile.TarError, zlib.error, EOFError, OSError)


class EncodedImage(NamedTuple):
    """The bytes of a picture file, and a name for reports."""

    name: str
    content: bytes


@dataclasses.dataclass(frozen=True)
class StoredImage:
    """A picture that any process can read: a file, or its place in an archive that is not compressed.

    Attributes:
        name: for reports.
        file: that holds the picture.
        start, size: of the picture in the file, in bytes; without a size it is the whole file.
    """

    name: str
    file: Path
    start: int = 0
    size: int | None = None

    def read(self) -> bytes:
        """Return the bytes of the picture's file."""
        if self.size is None:
            return self.file.read_bytes()
        with self.file.open("rb") as opened:
            opened.seek(self.start)
            content = opened.read(self.size)
        if len(content) < self.size:
            raise EOFError("it is cut short")
        return content


@dataclasses.dataclass(frozen=True)
class CompressedImage:
    """A picture in a compressed archive, which can be read until the next one is asked for.

    Attributes:
        name: for reports.
        read: returns the bytes of the picture's file.
    """

    name: str
    read: Callable[[], bytes]


def image_names(sources: Sequence[Path]) -> list[str]:
    """List the pictures that :func:`iterate_images` yields, without reading them."""
    return [image.name for image in find_images(sources)]


def iterate_images(sources: Sequence[Path], numbers: Container[int] | None = None) -> Iterator[EncodedImage]:
    """Yield every picture in folders, tar archives and single files, see :func:`find_images`.

    Args:
        sources: folders, archives and picture files.
        numbers: read only the pictures with these numbers, counted from 0 over all sources.

    Raises:
        DataError: if a source does not exist, is of an unknown kind, or cannot be read.
    """
    for number, image in enumerate(find_images(sources)):
        if numbers is None or number in numbers:
            yield EncodedImage(image.name, read_image(image))


def read_image(image: StoredImage | CompressedImage) -> bytes:
    """Return the bytes of a picture's file.

    Raises:
        DataError: if it cannot be read.
    """
    try:
        return image.read()
    except READ_ERRORS as error:
        raise DataError(
            "{name} cannot be read ({reason}): check the disk, or copy the data again.", name=image.name, reason=error
        ) from error


def fingerprint(sources: Sequence[Path]) -> list[tuple[str, int, str]]:
    """Identify the content of sources, so that a cache notices changes, but not copies and moves.

    An archive is identified by its name, size and content, a folder by the names, sizes and modification times of its
    files. What operating systems add to folders, and all that is hidden, does not count.
    """
    entries = []
    for source in sources:
        _require(source)
        if source.is_dir():
            for file in _files(source):
                status = file.stat()
                entries.append((_name(file, source), status.st_size, str(status.st_mtime_ns)))
        else:
            with source.open("rb") as opened:
                digest = hashlib.file_digest(opened, "blake2b").hexdigest()
            entries.append((source.name, source.stat().st_size, digest))
    return entries


def find_images(sources: Sequence[Path]) -> Iterator[StoredImage | CompressedImage]:
    """Yield every picture in folders, tar archives and single files, without reading it.

    Folders are walked recursively in sorted order, archives in the order they were written, so two walks over the
    same sources agree. Hidden files and folders are left out.

    Raises:
        DataError: if a source does not exist, is of an unknown kind, or cannot be read.
    """
    for source in sources:
        _require(source)
        if source.is_dir():
            yield from (StoredImage(_name(file, source), file) for file in _files(source) if _is_image(file))
        elif source.name.lower().endswith(ARCHIVE_SUFFIXES):
            yield from _find_in_archive(source)
        elif _is_image(source) and not _is_junk(PurePath(source.name)):
            yield StoredImage(str(source), source)
        else:
            raise DataError(
                "{source} is neither a folder, a tar archive nor a picture: give one of these as data.", source=source
            )


def _find_in_archive(archive: Path) -> Iterator[StoredImage | CompressedImage]:
    try:
        with tarfile.open(archive) as tar:
            is_plain = isinstance(tar.fileobj, io.BufferedReader)
            for member in tar:
                place = PurePosixPath(member.name)
                if not member.isfile() or _is_junk(place) or not _is_image(place):
                    continue
                name = f"{archive.name}:{member.name}"
                if is_plain and not member.issparse():
                    yield StoredImage(name, archive, member.offset_data, member.size)
                else:
                    file = tar.extractfile(member)
                    assert file is not None  # a regular file always opens
                    yield CompressedImage(name, file.read)
    except READ_ERRORS as error:
        raise DataError(
            "The archive {archive} is damaged ({reason}): copy or download it again.", archive=archive, reason=error
        ) from error


def _files(folder: Path) -> list[Path]:
    """List the files of a folder and its subfolders that are by a person, in the same order on all systems."""
    found = (path for path in folder.rglob("*") if path.is_file() and not _is_junk(path.relative_to(folder)))
    return sorted(found, key=lambda path: _composed(path).parts)


def _name(file: Path, folder: Path) -> str:
    """Return the name of a file in a folder that was given, the same on all systems."""
    return _composed(file.relative_to(folder.parent)).as_posix()


def _composed(path: PurePath) -> PurePath:
    """Compose letters and their accents, which macOS may keep apart."""
    return PurePath(unicodedata.normalize("NFC", str(path)))


def _require(source: Path) -> None:
    if not source.exists() and is_pattern(source):
        raise DataError(
            "There are no data at {source}, since patterns are not expanded: give the folder, or several --data.",
            source=source,
        )
    if not source.exists():
        raise DataError(
            "There are no data at {source}: give a folder, a tar archive or a picture that exists.", source=source
        )


def _is_image(path: PurePath) -> bool:
    return path.name.lower().endswith(INPUT_SUFFIXES)


def _is_junk(path: PurePath) -> bool:
    """Return whether a file below a folder is hidden, or was added by an operating system."""
    *folders, name = path.parts
    return name.startswith(".") or is_junk(name) or any(part != ".." and is_junk_folder(part) for part in folders)
