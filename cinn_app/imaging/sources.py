"""Opening picture files and everything else that names a picture, with one clear sentence for each thing that fails."""

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

from PIL import Image, UnidentifiedImageError

from cinn_app.errors import ImageError
from cinn_app.files import is_elsewhere, is_pattern
from cinn_app.imaging.formats.bmp import open_bmp
from cinn_app.imaging.formats.boxes import JP2_SIGNATURE, open_avif, open_jp2
from cinn_app.imaging.formats.libtiff import quiet_libtiff
from cinn_app.imaging.formats.own import damage
from cinn_app.imaging.formats.png import PNG_SIGNATURE, open_png
from cinn_app.imaging.formats.psd import PSD_SIGNATURE, open_psd
from cinn_app.imaging.formats.tga import is_tga, open_tga
from cinn_app.imaging.formats.tiff import TIFF_SIGNATURES, TiffPicture
from cinn_app.messages import Message

__all__ = [
    "DAMAGE",
    "INPUT_SUFFIXES",
    "MAX_PIXELS",
    "OTHER_SUFFIXES",
    "PictureFile",
    "damaged",
    "opened_picture",
    "sample_photographs",
]

PictureFile = str | os.PathLike[str] | bytes | BinaryIO | Image.Image

JPEG_XL = (".jxl",) if find_spec("pillow_jxl") else ()
#: Suffixes, in lower case, of the files in a folder that count as pictures.
INPUT_SUFFIXES = (
    ".avif", ".bmp", ".gif", ".heic", ".heif", ".hif", ".icb", ".ico", ".j2c", ".j2k", ".jfif", ".jp2", ".jpc", ".jpe",
    ".jpeg", ".jpf", ".jpg", ".jpx", ".mpo", ".pbm", ".pfm", ".pgm", ".png", ".pnm", ".ppm", ".psb", ".psd",
    ".tga", ".tif", ".tiff", ".vda", ".vst", ".webp", *JPEG_XL,
)  # fmt: skip
#: Suffixes of other pictures, which cannot be read: raw files of cameras, layers, drawings, and pages.
OTHER_SUFFIXES = (
    ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".djvu", ".dng", ".erf", ".exr", ".fff", ".hdr", ".iiq", ".jxl",
    ".jxr", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pcd", ".pcx", ".pdf", ".pef", ".raf", ".raw",
    ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".svg", ".wdp", ".x3f", ".xcf",
)  # fmt: skip
#: A small file may claim a size that fills the memory. No camera and few scanners reach this.
MAX_PIXELS = 200_000_000
# Read by Pillow. It reads more, but some of it starts other programs (EPS), and some it misreads.
FORMATS = ("AVIF", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")

#: The key of an open picture's `info` under which it has warnings about damage that was found so far.
DAMAGE = "damage"
# Of Fujifilm, Olympus, Panasonic, Sigma and Minolta; those of other makers are TIFF or, of Canon, like HEIC.
RAW_SIGNATURES = (b"FUJIFILM", b"IIRO", b"IIRS", b"MMOR", b"IIU\0", b"FOVb", b"\0MRM")
HEIC_BRANDS = (b"hei", b"hev", b"mif", b"msf")

# Photographs in scikit-image. They are free of rights, as the docstrings of `skimage.data` say: public domain (NASA,
# SpaceX, Brooklyn Museum), or CC0 by the photographers Stefan van der Walt (chelsea), Rachel Michetti (coffee) and
# Lav Varshney (camera).
SAMPLES = {
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
        ImageError: if scikit-image, whose package contains them, is not installed.
    """
    package = find_spec("skimage")  # found, not imported
    folder = Path(package.origin).parent / "data" if package and package.origin else Path()
    found = {name: folder / file for name, file in SAMPLES.items() if (folder / file).is_file()}
    if not found:
        raise ImageError("The sample photographs are missing: install scikit-image with its data.")
    return found


@contextlib.contextmanager
def opened_picture(source: PictureFile) -> Iterator[Image.Image]:
    """Yield a picture with its size checked and its pixels not yet decoded; it is valid inside the block.

    A Pillow picture is copied, so that the caller's is not changed. Inside the block Pillow's warnings are silent,
    and whatever Pillow raises on a damaged file becomes an `ImageError`.

    Raises:
        ImageError: if the picture is missing, empty, unreadable, damaged, or larger than `MAX_PIXELS`.
    """
    name = _name(source)
    with _QUIET, _decoding_errors(name):
        if isinstance(source, Image.Image):
            _check_size(source, name)
            yield _copy(source, name)
            return
        with _stream(source) as stream:
            image = _open(stream, name)
            _check_size(image, name)
            yield image


class _Quiet:
    """Switches off Pillow's warnings, log and size limit while any thread reads a picture.

    They are global: the first reader switches them off and the last one restores them, and in between any number of
    threads can decode at the same time.
    """

    def __init__(self) -> None:
        self._lock, self._readers, self._restore = threading.Lock(), 0, contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._readers == 0:
                self._restore.enter_context(_quiet_pillow())
            self._readers += 1

    def __exit__(self, *raised: object) -> None:
        with self._lock:
            self._readers -= 1
            if self._readers == 0:
                self._restore.close()


@contextlib.contextmanager
def _quiet_pillow() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logs = [logging.getLogger(name) for name in ("PIL", "tifffile")]
        levels, limit = [log.level for log in logs], Image.MAX_IMAGE_PIXELS
        for log in logs:
            log.setLevel(logging.CRITICAL + 1)
        Image.MAX_IMAGE_PIXELS = None
        try:
            with quiet_libtiff():
                yield
        finally:
            for log, level in zip(logs, levels, strict=True):
                log.setLevel(level)
            Image.MAX_IMAGE_PIXELS = limit


_QUIET = _Quiet()


@contextlib.contextmanager
def _decoding_errors(name: str) -> Iterator[None]:
    """Turn any exception into an `ImageError`: on damaged files Pillow may raise anything."""
    try:
        yield
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError(
            "{name} does not fit into memory: close other programs or make the picture smaller first.", name=name
        ) from error
    except Exception as error:
        raise damage(name) from error


def _check_size(image: Image.Image, name: str) -> None:
    if not image.width * image.height:
        raise ImageError("{name} has no pixels: give a picture with a width and a height.", name=name)
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(
            "{name} has {width} x {height} pixels, more than the limit of {limit} megapixels: make it smaller first.",
            name=name,
            width=image.width,
            height=image.height,
            limit=MAX_PIXELS // 1_000_000,
        )


def _open(stream: BinaryIO, name: str) -> Image.Image:
    head = _head(stream)
    if head[:4] in TIFF_SIGNATURES:
        return TiffPicture(stream, name)
    if head.startswith(PNG_SIGNATURE):
        image, damage = open_png(stream)
        image.info[DAMAGE] = damage
        return image
    if head.startswith(b"BM"):
        return open_bmp(stream, name)
    if head.startswith(PSD_SIGNATURE):
        return open_psd(stream, name)
    if head.startswith(JP2_SIGNATURE):
        return open_jp2(stream, name)
    try:
        image = Image.open(stream, formats=FORMATS)
    except UnidentifiedImageError as error:
        stream.seek(0)
        for found, kind, register in (_is_heic(head), "HEIF", _register_heic), (_is_jxl(head), "JXL", _register_jxl):
            if found and register():
                return Image.open(stream, formats=(kind,))
        if is_tga(stream, name):
            return open_tga(stream, name)
        raise _unknown_format(head, name) from error
    if image.format == "AVIF":
        stream.seek(0)
        return open_avif(stream)
    return image


def _stream(source: str | os.PathLike[str] | bytes | BinaryIO) -> contextlib.AbstractContextManager[BinaryIO]:
    """Open a source; a file that the caller opened stays open."""
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if isinstance(source, str | os.PathLike):
        return _open_path(Path(source))
    if not hasattr(source, "read"):
        raise ImageError(
            "A picture cannot be read from {type}: give a path, bytes, an open file, a Pillow picture or an array.",
            type=type(source).__name__,
        )
    try:
        gives_bytes = source.read(0) == b""
    except (OSError, ValueError):
        gives_bytes = False
    if not gives_bytes:
        raise _unreadable(_name(source))
    return contextlib.nullcontext(source)


def _copy(image: Image.Image, name: str) -> Image.Image:
    try:
        return image.copy()
    except ValueError as error:
        if "closed" in str(error):
            raise _unreadable(name) from error
        raise


def _unreadable(name: str) -> ImageError:
    return ImageError(
        "{name} is closed, or opened as text or only for writing: open it again for reading, in mode 'rb'.", name=name
    )


def _open_path(path: Path) -> BinaryIO:
    """Open a regular file that is not empty."""
    if is_pattern(path) and not os.path.exists(path):  # noqa: PTH110, raises nothing
        raise ImageError("{name} does not exist, since patterns are not expanded: name one picture.", name=str(path))
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise ImageError("{name} is a folder, not a picture: name a file inside it.", name=str(path))
        if not stat.S_ISREG(status.st_mode):
            raise ImageError("{name} is not a regular file: save the picture to a file first.", name=str(path))
        if status.st_size == 0:
            raise _empty(str(path))
        return path.open("rb")
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ImageError("{name} does not exist: check the spelling and the folder.", name=str(path)) from error
    except PermissionError as error:
        if is_elsewhere(error):
            raise ImageError("{name} is open in another program: close it there first.", name=str(path)) from error
        raise ImageError("{name} may not be read: give yourself permission to read it.", name=str(path)) from error
    except (OSError, ValueError) as error:
        raise ImageError(
            "{name} cannot be opened ({reason}): check the name and the disk.",
            name=str(path),
            reason=getattr(error, "strerror", None) or error,
        ) from error


def _register_heic() -> bool:
    """Make Pillow read the format of many phones, where there is a decoder; called only for such a file."""
    try:
        import pi_heif
    except ImportError:
        return False
    pi_heif.register_heif_opener()
    return True


def _register_jxl() -> bool:
    """Make Pillow read JPEG XL, if the optional plugin is installed."""
    try:
        import pillow_jxl  # noqa: F401  # it registers itself
    except ImportError:
        return False
    return True


def _head(stream: BinaryIO) -> bytes:
    """Read a file's first bytes, and rewind it."""
    stream.seek(0)
    head = stream.read(12)
    stream.seek(0)
    return head


def _is_heic(head: bytes) -> bool:
    return head[4:8] == b"ftyp" and head[8:11] in HEIC_BRANDS


def _is_jxl(head: bytes) -> bool:
    return head.startswith((b"\xff\x0a", b"\0\0\0\x0cJXL "))


def damaged(source: PictureFile) -> ImageError:
    """Return the error for a picture that is damaged."""
    return damage(_name(source))


def _empty(name: str) -> ImageError:
    return ImageError("{name} is empty (0 bytes): fetch it again from where it came.", name=name)


def _unknown_format(head: bytes, name: str) -> ImageError:
    """Say what a file is, as far as its first bytes show."""
    if not head:
        return _empty(name)
    if _is_heic(head):
        return ImageError(
            "{name} is a HEIC photograph, which cannot be read without the package pi-heif: "
            "save the photograph as JPEG or PNG first.",
            name=name,
        )
    if _is_jxl(head):
        return ImageError(
            "{name} is a JPEG XL, which cannot be read without the extra codecs: save the picture as PNG first.",
            name=name,
        )
    if head.startswith(RAW_SIGNATURES) or head[4:11] == b"ftypcrx":
        return ImageError(
            "{name} holds the raw values of a camera's sensor: develop it in a raw converter and save it as TIFF.",
            name=name,
        )
    return ImageError(
        "{name} is not a picture in a format that can be read ({formats}), "
        "whatever its name says: open it in an image editor and save it as PNG.",
        name=name,
        formats=", ".join(sorted((*FORMATS, "BMP", "PSD", "TGA"))),
    )


def _name(source: PictureFile) -> str:
    """Return the name under which the user knows the picture."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    name = getattr(source, "filename", None) or getattr(source, "name", None)
    return name if isinstance(name, str) and name else Message("The file")
