"""Mutations of pictures in 20 formats: each is read and written again, or refused in one sentence.

The lightness is compared with what ImageMagick reads, where it is installed: a difference of more than 3 L* on average,
or another size, is a fault unless the product warns of something.
"""

import argparse
import io
import itertools
import multiprocessing
import re
import shutil
import subprocess
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import ExifTags, Image, ImageCms, PngImagePlugin
from rich.progress import track

from hostile_parts import Figure

SECONDS_PER_FILE = 20
MOST_DIFFERENT = 3.0
WIDTH, HEIGHT = 96, 64
# What the product says of whole files, too.
FRAMES = "Only the first of"
XMP = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" tiff:Make="Box"/></rdf:RDF></x:xmpmeta>'
)


class Reading(NamedTuple):
    """What became of a file: `state` is read, refused, traceback, hang or crash."""

    state: str
    said: tuple[str, ...] = ()
    lightness: np.ndarray | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of this part."""
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the files at fault there")


def measure(options: argparse.Namespace) -> list[Figure]:
    """Make the files one after the other, read each, and compare."""
    generator = np.random.default_rng(options.seed)
    originals = make_originals()
    counts: Counter[str] = Counter()
    faults: dict[str, list[str]] = {"traceback": [], "hang": [], "crash": [], "difference": []}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        reference = Reference(work) if shutil.which("convert") else None
        reader = Reader()
        kinds = itertools.cycle(originals.items())
        for number, (name, content) in zip(track(range(options.files), "Reading"), kinds, strict=False):
            mutation = MUTATIONS[int(generator.integers(len(MUTATIONS)))]
            path = work / f"{number:05d}-{mutation.__name__}.{name}"
            path.write_bytes(mutation(content, generator))
            reading = reader.read(path)
            state = reading.state
            if state == "read":
                state = "read with a warning" if reading.said else "read"
            counts[state] += 1
            fault = state if state in faults else ""
            if state == "read" and reference is not None:
                difference = reference.difference(path, reading)
                counts["read, and compared with ImageMagick"] += difference is not None
                fault = "difference" if difference is not None and difference > MOST_DIFFERENT else ""
                reading = reading._replace(said=(f"{difference} L*",)) if fault else reading
            if fault:
                faults[fault].append(f"{path.name}: {' '.join(reading.said)}")
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, options.keep)
            path.unlink()
        reader.stop()
    names = ("read", "read with a warning", "refused", "read, and compared with ImageMagick")
    figures = [Figure(name, counts[name]) for name in names]
    wrong = {
        "traceback": "ended in a traceback or more than a sentence",
        "hang": f"took more than {SECONDS_PER_FILE} s",
        "crash": "ended the process",
        "difference": f"differ by more than {MOST_DIFFERENT:g} L* from ImageMagick without a warning",
    }
    return figures + [
        Figure(sentence, len(faults[fault]), True, tuple(faults[fault][:10])) for fault, sentence in wrong.items()
    ]


# The files


def make_originals() -> dict[str, bytes]:
    """Encode a synthetic photograph, with metadata, in every format that Pillow writes here."""
    across, down = np.meshgrid(np.linspace(0, 1, WIDTH), np.linspace(0, 1, HEIGHT))
    noise = np.random.default_rng(0).normal(0, 0.02, (HEIGHT, WIDTH))
    gray = (0.15 + 0.5 * across + 0.2 * (down > 0.6) + noise).clip(0, 1)
    rgb = np.stack([gray, gray**1.3, 1 - gray], -1)
    gray8, rgb8 = (Image.fromarray(np.round(each * 255).astype(np.uint8)) for each in (gray, rgb))
    gray16 = Image.fromarray(np.round(gray * 65535).astype(np.uint16))
    rgba8 = rgb8.copy()
    rgba8.putalpha(gray8)
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "Grandpa"
    turned = Image.Exif()  # not in PNG and WebP, where ImageMagick overlooks it
    turned[ExifTags.Base.Orientation], turned[ExifTags.Base.Artist] = 6, "Grandpa"
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Title", "On the porch")
    texts.add_itxt("XML:com.adobe.xmp", XMP.decode())
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    tagged: dict[str, Any] = {"exif": exif.tobytes(), "icc_profile": icc, "dpi": (300, 300)}
    wanted: list[tuple[str, Image.Image, str, dict[str, Any]]] = [
        ("rgb.jpg", rgb8, "JPEG", tagged | {"xmp": XMP, "exif": turned.tobytes()}),
        ("progressive.jpg", rgb8, "JPEG", {"progressive": True}),
        ("gray.jpg", gray8, "JPEG", {"restart_marker_blocks": 2}),
        ("cmyk.jpg", rgb8.convert("CMYK"), "JPEG", {}),
        ("two.mpo", rgb8, "MPO", {"save_all": True, "append_images": [gray8.convert("RGB")]}),
        ("rgb.png", rgb8, "PNG", tagged | {"pnginfo": texts}),
        ("rgba.png", rgba8, "PNG", {}),
        ("gray16.png", gray16, "PNG", {"pnginfo": texts}),
        ("palette.png", rgb8.quantize(16), "PNG", {"transparency": 3}),
        ("bits.png", gray8.convert("1"), "PNG", {}),
        ("palette.gif", rgb8.quantize(64), "GIF", {}),
        ("film.gif", gray8, "GIF", {"save_all": True, "append_images": [gray8.rotate(180)] * 2}),
        ("rgb.bmp", rgb8, "BMP", {}),
        ("palette.bmp", rgb8.quantize(16), "BMP", {}),
        ("rgb.ppm", rgb8, "PPM", {}),
        ("gray16.pgm", gray16, "PPM", {}),
        ("bits.pbm", gray8.convert("1"), "PPM", {}),
        ("rgb.tif", rgb8, "TIFF", tagged | {"exif": turned.tobytes()}),
        ("lzw.tif", rgb8, "TIFF", {"compression": "tiff_lzw"}),
        ("deflate16.tif", gray16, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("jpeg.tif", rgb8, "TIFF", {"compression": "jpeg"}),
        ("float.tif", Image.fromarray(gray.astype(np.float32)), "TIFF", {}),
        ("cmyk.tif", rgb8.convert("CMYK"), "TIFF", {}),
        ("fax.tif", gray8.convert("1"), "TIFF", {"compression": "group4"}),
        ("lossy.webp", rgb8, "WEBP", {"exif": exif.tobytes(), "icc_profile": icc}),
        ("lossless.webp", rgba8, "WEBP", {"lossless": True}),
        ("rgb.jp2", rgb8, "JPEG2000", {}),
        ("tiles.jp2", gray8, "JPEG2000", {"tile_size": (32, 32)}),
        ("rgb.avif", rgb8, "AVIF", {}),
        ("rgb.tga", rgb8, "TGA", {}),
        ("rgb.ico", rgb8, "ICO", {"sizes": [rgb8.size]}),
    ]
    made = {}
    for name, image, file_format, saved in wanted:
        buffer = io.BytesIO()
        try:
            image.save(buffer, file_format, **saved)
        except (KeyError, OSError):  # this Pillow cannot
            continue
        made[name] = buffer.getvalue()
    made["circle.tif"] = pages_in_a_circle(made["rgb.tif"])
    return made


def pages_in_a_circle(content: bytes) -> bytes:
    """Let the first page of a TIFF follow itself."""
    first = int.from_bytes(content[4:8], "little")
    end = first + 2 + 12 * int.from_bytes(content[first : first + 2], "little")
    return content[:end] + content[4:8] + content[end + 4 :]


def as_it_is(content: bytes, generator: np.random.Generator) -> bytes:
    """No change."""
    return content


def cut(content: bytes, generator: np.random.Generator) -> bytes:
    """The end is missing."""
    return content[: generator.integers(1, len(content))]


def bytes_changed(content: bytes, generator: np.random.Generator) -> bytes:
    """Up to eight bytes anywhere are others."""
    changed = bytearray(content)
    for place in generator.integers(0, len(changed), generator.integers(1, 9)):
        changed[place] = generator.integers(256)
    return bytes(changed)


def head_changed(content: bytes, generator: np.random.Generator) -> bytes:
    """Up to four bytes of the first 200 are others."""
    return bytes_changed(content[:200], generator) + content[200:]


def number_changed(content: bytes, generator: np.random.Generator) -> bytes:
    """Four bytes near the beginning are an extreme number."""
    place = int(generator.integers(0, min(len(content), 400) - 4))
    extreme = (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\0\0\0\x80", b"\1\0\0\0")
    return content[:place] + extreme[generator.integers(len(extreme))] + content[place + 4 :]


def zeroed(content: bytes, generator: np.random.Generator) -> bytes:
    """A block is empty, as after a power cut."""
    start, end = sorted(generator.integers(0, len(content), 2))
    return content[:start] + bytes(end - start) + content[end:]


def block_removed(content: bytes, generator: np.random.Generator) -> bytes:
    """A few bytes are missing in the middle."""
    start = int(generator.integers(0, len(content)))
    return content[:start] + content[start + int(generator.integers(1, 64)) :]


def block_doubled(content: bytes, generator: np.random.Generator) -> bytes:
    """A few bytes come twice."""
    start, length = int(generator.integers(0, len(content))), int(generator.integers(1, 64))
    return content[: start + length] + content[start:]


def text_behind(content: bytes, generator: np.random.Generator) -> bytes:
    """Other bytes follow the picture."""
    return content + generator.bytes(int(generator.integers(1, 5000)))


Mutation = Callable[[bytes, np.random.Generator], bytes]
MUTATIONS: list[Mutation] = [as_it_is, cut, bytes_changed, head_changed, number_changed, zeroed]
MUTATIONS += [block_removed, block_doubled, text_behind]


# The two readers


class Reader:
    """The product in a process of its own, which is replaced when it hangs or ends."""

    def __init__(self) -> None:
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def read(self, path: Path) -> Reading:
        """Read a file, or say that the process took too long or ended."""
        self._ours.send(path)
        if not self._ours.poll(SECONDS_PER_FILE):
            self._restart()
            return Reading("hang")
        try:
            return self._ours.recv()
        except EOFError:
            self._restart()
            return Reading("crash")

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()

    def _start(self) -> None:
        self._ours, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._ours.recv()  # its libraries are loaded

    def _restart(self) -> None:
        self.stop()
        self._start()


def _serve(pipe: Connection) -> None:
    from cinn_app.errors import ImageError
    from cinn_app.imaging import IN_COLOUR, encode_picture, format_like, read_photograph

    read_photograph(np.zeros((9, 9), np.uint8))  # loads what is loaded late
    pipe.send(None)
    while True:
        path: Path = pipe.recv()
        try:
            photograph = read_photograph(path)
            lightness = photograph.lightness[0].numpy()
            if not np.isfinite(lightness).all():
                raise ValueError("not all lightness is finite")
            gray = np.round(lightness * 2.55).astype(np.uint8)
            written = encode_picture(
                np.stack([gray] * 3, -1),
                format_like(photograph.metadata),
                photograph.metadata,
                photograph.alpha,
                {"seed": 7},
            )
            again = read_photograph(written)
            if again.size != photograph.size:
                raise ValueError("the output lies on its side")
            said = [str(one) for one in photograph.warnings if one != IN_COLOUR and not one.startswith(FRAMES)]
            pipe.send(Reading("read", tuple(said), lightness))
        except ImageError as error:
            one_sentence = str(error).endswith(".") and "\n" not in str(error)
            pipe.send(Reading("refused" if one_sentence else "traceback", (str(error),)))
        except Exception:
            pipe.send(Reading("traceback", (traceback.format_exc(limit=-2),)))


class Reference:
    """ImageMagick, which takes ICC profiles, orientation and PNG's own chunks into account."""

    def __init__(self, folder: Path) -> None:
        from cinn_app.imaging.profiles import SRGB_PROFILE

        self._profile = folder / "srgb.icc"
        self._profile.write_bytes(SRGB_PROFILE)

    def difference(self, path: Path, reading: Reading) -> float | None:
        """Return the mean difference of the lightness in L*, infinite for another size; None if it reads nothing."""
        limits = ["-limit", "memory", "1GiB", "-limit", "map", "1GiB", "-limit", "disk", "0"]
        canvas = ["-coalesce"] if path.suffix == ".gif" else []  # viewers show all of it, not only the frame
        command = ["convert", *limits, f"{path}[0]", *canvas, "-auto-orient", "-profile", str(self._profile)]
        command += ["-colorspace", "sRGB", "-type", "TrueColor", "-alpha", "off", "-depth", "8", "ppm:-"]
        try:
            ended = subprocess.run(command, capture_output=True, timeout=SECONDS_PER_FILE, check=False)
        except subprocess.TimeoutExpired:
            return None
        header = re.match(rb"P6\s(\d+)\s(\d+)\s255\s", ended.stdout)
        if header is None or reading.lightness is None or b"exceeds limit" in ended.stderr:
            return None
        width, height = int(header[1]), int(header[2])
        if (height, width) != reading.lightness.shape:
            return float("inf")
        from cinn_app.imaging import read_photograph

        rgb = np.frombuffer(ended.stdout[header.end() :], np.uint8).reshape(height, width, 3)
        return float(np.abs(read_photograph(rgb).lightness[0].numpy() - reading.lightness).mean())
