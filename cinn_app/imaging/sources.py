"""Opening whatever names a picture, and saying in one sentence why it cannot be opened."""

import contextlib
import io
import logging
import os
import stat
import threading
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import BinaryIO

from PIL import Image, ImageFile, UnidentifiedImageError

from cinn_app.errors import ImageError

__all__ = ["INPUT_SUFFIXES", "MAX_PIXELS", "PictureFile", "opened_picture", "sample_photographs"]

PictureFile = str | os.PathLike[str] | bytes | BinaryIO | Image.Image

# What a folder is searched for, in lower case.
INPUT_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".mpo",
    ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp",
)  # fmt: skip
# Pillow reads more, but some of it starts other programs (EPS) or takes any bytes for a picture (TGA).
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
# A small file may claim a size that fills the memory. No camera and few scanners reach this.
MAX_PIXELS = 200_000_000

HEIC_BRANDS = (b"hei", b"hev", b"mif", b"msf")
TIFF_MARKS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@contextlib.contextmanager
def opened_picture(source: PictureFile) -> Iterator[Image.Image]:
    """Yield the picture, its size checked and its pixels not yet decoded; work on it inside the block.

    A Pillow picture is copied, so that the caller's stays as it is. Inside the block Pillow's warnings are
    silent, and whatever a damaged file makes Pillow raise becomes an `ImageError`.

    Raises:
        ImageError: the picture is missing, empty, no picture, damaged, or larger than `MAX_PIXELS`.
    """
    name = _name(source)
    with _SILENCE, _explained(name):
        if isinstance(source, Image.Image):
            _refuse_huge(source, name)
            yield source.copy()
            return
        with _stream(source) as stream:
            image = _open(stream, name)
            _refuse_huge(image, name)
            yield image


class _Silence:
    """Pillow's warnings, log and own limit, switched off while anyone reads.

    They belong to the process and not to a thread: the first reader in switches them off, the last one out restores
    them, and in between any number of threads decode at once.
    """

    def __init__(self) -> None:
        self._lock, self._readers, self._restore = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._restore.enter_context(_without_pillows_voice())
            self._readers += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._restore.close()


@contextlib.contextmanager
def _without_pillows_voice() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        log = logging.getLogger("PIL")
        level, limit = log.level, Image.MAX_IMAGE_PIXELS
        log.setLevel(logging.CRITICAL)
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            log.setLevel(level)
            Image.MAX_IMAGE_PIXELS = limit


_SILENCE = _Silence()


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Turn into an `ImageError` whatever decoding raises, which on damaged files may be anything at all."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            f"{name} does not fit into memory: close other programs or make the picture smaller first."
        ) from error
    except Exception as error:
        raise ImageError(
            f"{name} is damaged or cut short: fetch it again from where it came, or save it anew in an image editor."
        ) from error


def _refuse_huge(image: Image.Image, name: str) -> None:
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            f"{name} has {image.width} x {image.height} pixels, more than the limit of "
            f"{MAX_PIXELS // 1_000_000} megapixels: make it smaller first."
        )


def _open(stream: BinaryIO, name: str) -> ImageFile.ImageFile:
    try:
        return Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        head = _head(stream)
        if _is_heic(head) and _reads_heic():
            return Image.open(stream, formats=("HEIF",))
        raise ImageError(_not_a_picture(head, name)) from error


def _stream(source: str | os.PathLike[str] | bytes | BinaryIO) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open what is not open yet; a file that the caller opened stays open."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return _open_path(Path(source))
    if not hasattr(source, "read"):
        raise ImageError(
            f"{type(source).__name__} is nothing to read a picture from: give a path, bytes, an open file, a Pillow "
            "picture or an array."
        )
    return contextlib.nullcontext(source)


def _open_path(path: Path) -> BinaryIO:
    """Open an ordinary file that has something in it."""
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError(f"{path} is a folder, not a picture: name a file inside it.")
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path} is not an ordinary file: save the picture to a file first.")
        if status.st_size == 0:
            raise ImageError(f"{path} is empty (0 bytes): fetch it again from where it came.")
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError(f"{path} does not exist: check the folder and the spelling.") from error
    except PermissionError as error:
        raise ImageError(f"{path} may not be read: give yourself permission to read it.") from error
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be opened ({error}): check the name and the disk.") from error


def _reads_heic() -> bool:
    """Teach Pillow what phones write, if the optional plugin is there; only when the first such file comes along."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True


def _head(stream: BinaryIO) -> bytes:
    """Read a file's first bytes, and go back to its beginning."""
    stream.seek(0)
    head = stream.read(12)
    stream.seek(0)
    return head


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:11] in HEIC_BRANDS


def _not_a_picture(head: bytes, name: str) -> str:
    """Say what a file of unknown content is, as far as its first bytes tell."""
    if not head:
        return f"{name} is empty (0 bytes): fetch it again from where it came."
    if _is_heic(head):
        return (
            f"{name} is a HEIC photograph, which cannot be read without the package pillow-heif: "
            "install it (pip install pillow-heif), or save the photograph as JPEG or PNG first."
        )
    if head[:4] in TIFF_MARKS:
        return (
            f"{name} is a TIFF with pixels of a kind that cannot be read: "
            "save it in an image editor with 8 or 16 bits per channel, not as floats or separate planes."
        )
    return (
        f"{name} is not a picture in a format that can be read ({', '.join(FORMATS)}), "
        "whatever its name says: open it in an image editor and save it as PNG."
    )


def _name(source: PictureFile) -> str:
    """Name the picture as the user knows it."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) and name else "The file"


# Free of rights, as the docstrings of `skimage.data` say: public domain (NASA, SpaceX, Brooklyn Museum), or CC0
# by the photographers Stefan van der Walt (chelsea), Rachel Michetti (coffee) and Lav Varshney (camera).
FILES = {
    "astronaut": "astronaut.png",
    "camera": "camera.png",
    "chelsea": "chelsea.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "rocket": "rocket.jpg",
}


def sample_photographs() -> dict[str, Path]:
    """Return the files of the sample photographs by name; camera and coins are gray, the others in colour.

    Raises:
        ImageError: scikit-image is not installed, or without its pictures.
    """
    package = find_spec("skimage")  # found, not imported
    folder = Path(package.origin).parent / "data" if package and package.origin else Path()
    found = {name: folder / file for name, file in FILES.items() if (folder / file).is_file()}
    if not found:
        raise ImageError("The sample photographs are missing: install scikit-image with its data.")
    return found
