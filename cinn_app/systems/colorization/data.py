"""Training data of the colorizer: square views of colour photographs, with cached features of the encoder's stem.

A pack (:mod:`cinn_app.data.pack`) holds

* ``lightness``, uint8 ``(views, 1, size, size)``: L* in 0..100 times 2.55, aged in some views,
* ``ab``, float16 ``(views, 2, size / 4, size / 4)``: the true chroma, box-averaged, in Lab units,
* ``featuresSTRIDE-DIGEST``, float16 ``(views, channels, size / STRIDE, size / STRIDE)``: of the encoder.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.data.pack import Pack
from cinn_app.devices import place
from cinn_app.imaging.colour import rgb_to_lab
from cinn_app.imaging.pixels import pixels_of_image
from cinn_app.imaging.sources import opened_picture
from cinn_app.nn.efficientnet import ENCODER_STRIDES, ImageEncoder
from cinn_app.systems.colorization.model import TARGET_STRIDE

__all__ = [
    "ColourBatch",
    "PackedViews",
    "ViewMaker",
    "age_lightness",
    "as_batch",
    "cache_features",
    "change_levels",
    "compute_in_batches",
    "draw_view",
    "is_gray",
    "read_colours",
    "weights_digest",
]

#: How much a random crop magnifies at most, compared with one that spans the picture's shorter side.
MAX_ZOOM = 1.35
#: Pictures whose shorter side has at least this share of a view's count as sharp.
SHARP_SHARE = 0.6
#: A picture with a mean chroma below this many Lab units is gray: it has no colours to learn from.
GRAY_CHROMA = 2.0
#: Levels of the packed lightness per unit of L*.
LEVELS_PER_UNIT = 2.55
#: Of aged views: standard deviation of the exponent's logarithm, which levels become black and white where they are
#: stretched, in per cent of the pixels, and the largest blur in pixels and grain in units of L*.
GAMMA_DEVIATION, PERCENTILES, MAX_BLUR, MAX_GRAIN = 0.25, (0.5, 99.5), 1.5, 5.1


@dataclasses.dataclass(frozen=True)
class ViewMaker:
    """Draws random square views of a colour photograph.

    Attributes:
        size: side of a view in pixels, divisible by 32.
        views_sharp: views of a picture whose shorter side is at least 0.6 of `size`.
        views_enlarged: views of a smaller picture.
        aged: share of the views whose levels are changed, and share of those whose lightness is made soft and grainy.
        seed: from which every picture's own generator is derived.
    """

    size: int = 160
    views_sharp: int = 2
    views_enlarged: int = 1
    aged: float = 0.3
    seed: int = 0

    def __call__(self, content: bytes, generator: np.random.Generator) -> dict[str, np.ndarray] | None:
        """Return the ``lightness`` and ``ab`` of some views, or None for a gray picture.

        Raises:
            ImageError: if the picture cannot be read.
        """
        image = read_colours(content)
        if image is None:
            return None
        count = self.views_sharp if min(image.size) >= SHARP_SHARE * self.size else self.views_enlarged
        views = [draw_view(image, self.size, generator, first=view == 0) for view in range(count)]
        if not views:
            return None
        pixels = np.stack(views).astype(np.float32) / 255
        if is_gray(pixels[:1, ::4, ::4]):
            return None
        aged = generator.random((2, count)) < self.aged
        for view in np.flatnonzero(aged[0]):
            pixels[view] = change_levels(pixels[view], generator)
        lab = _lab(pixels)
        lightness = (lab[:, :1] * LEVELS_PER_UNIT).round().to(torch.uint8).numpy()
        for view in np.flatnonzero(aged[1]):
            lightness[view, 0] = age_lightness(lightness[view, 0], generator)
        return {"lightness": lightness, "ab": functional.avg_pool2d(lab[:, 1:], TARGET_STRIDE).half().numpy()}


class ColourBatch(NamedTuple):
    """Views as the model learns from them.

    Attributes:
        lightness: L* in 0..100, ``(batch, 1, size, size)``.
        ab: Lab units, ``(batch, 2, size / 4, size / 4)``.
        features: of the encoder, float16, at strides 8, 16 and 32, or at stride 8 alone:
            ``(batch, channels, size / stride, size / stride)``.
    """

    lightness: Tensor
    ab: Tensor
    features: tuple[Tensor, ...]

    def first(self, count: int) -> "ColourBatch":
        """Return the first views."""
        return ColourBatch(self.lightness[:count], self.ab[:count], tuple(part[:count] for part in self.features))

    def mirrored(self) -> "ColourBatch":
        """Exchange left and right. The features of a mirrored picture are nearly the mirrored features."""
        return ColourBatch(self.lightness.flip(-1), self.ab.flip(-1), tuple(part.flip(-1) for part in self.features))


class PackedViews:
    """All views of a pack, with their cached features.

    Args:
        pack: made by a :class:`ViewMaker`.
        features: names of the arrays with features, from :func:`cache_features`.
    """

    def __init__(self, pack: Pack, features: Sequence[str]) -> None:
        self.pack, self.names = pack, ("lightness", "ab", *features)
        self._arrays = pack.arrays(*self.names)

    def __len__(self) -> int:
        return len(self._arrays)

    def batch(self, indices: Sequence[int] | np.ndarray) -> ColourBatch:
        """Return the views with these numbers."""
        return as_batch(*self._arrays.rows(indices))


def as_batch(lightness: Tensor, ab: Tensor, *features: Tensor) -> ColourBatch:
    """Make a batch of rows of a pack's arrays."""
    return ColourBatch(lightness.float() / LEVELS_PER_UNIT, ab.float(), features)


def read_colours(content: bytes) -> Image.Image | None:
    """Read the file of a picture, upright, as 8-bit RGB; None if it has no colours.

    Raises:
        ImageError: if it cannot be read.
    """
    with opened_picture(content) as file:
        ImageOps.exif_transpose(file, in_place=True)
        values = pixels_of_image(file).values
    if values.ndim == 2:
        return None
    return Image.fromarray(values if values.dtype == np.uint8 else (values * 255).round().astype(np.uint8))


def is_gray(pixels: np.ndarray) -> bool:
    """Tell whether a picture has too little colour to learn from.

    Args:
        pixels: sRGB in 0..1, ``(1, height, width, 3)``; few pixels are enough.
    """
    return bool(_lab(pixels)[:, 1:].norm(dim=1).mean() < GRAY_CHROMA)


def draw_view(image: Image.Image, size: int, generator: np.random.Generator, first: bool) -> np.ndarray:
    """Cut a random square view out of a picture.

    Args:
        image: an RGB picture.
        size: side of the view in pixels.
        generator: of the crop's place, its zoom and the flip.
        first: whether this is the picture's first view, which spans the whole shorter side.

    Returns:
        uint8 RGB of shape ``(size, size, 3)``.
    """
    width, height = image.size
    zoom = 1.0 if first else generator.uniform(1, MAX_ZOOM)
    side = max(1.0, min(width, height) / zoom)
    left, top = generator.uniform(0, width - side), generator.uniform(0, height - side)
    box = (left, top, left + side, top + side)
    view = image.resize((size, size), Image.Resampling.LANCZOS, box=box)
    if generator.random() < 0.5:
        view = view.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.array(view)


def change_levels(pixels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Change the exposure of a picture, then fade it like an old print or stretch its levels; colours change with it.

    Args:
        pixels: sRGB in 0..1, ``(height, width, 3)``.
        generator: of the kind and strength of the change.

    Returns:
        sRGB in 0..1 of the same shape.
    """
    pixels = pixels ** np.float32(np.exp(generator.normal(0, GAMMA_DEVIATION)))
    if generator.random() < 0.5:
        low, span = generator.uniform(0, 0.2), generator.uniform(0.6, 1)
    else:
        black, white = np.percentile(pixels[::4, ::4].mean(-1), PERCENTILES)
        span = 1 / max(0.2, white - black)
        low = -black * span
    return np.clip(low + span * pixels, 0, 1).astype(np.float32)


def age_lightness(lightness: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Make a clean lightness soft and grainy, as that of an old print.

    Args:
        lightness: uint8, ``(height, width)``.
        generator: of the strengths and the grain.

    Returns:
        uint8 of the same shape.
    """
    softened = Image.fromarray(lightness).filter(ImageFilter.GaussianBlur(generator.uniform(0, MAX_BLUR)))
    grain = generator.normal(0, generator.uniform(0, MAX_GRAIN * LEVELS_PER_UNIT), lightness.shape)
    return (np.asarray(softened, dtype=np.float32) + grain).round().clip(0, 255).astype(np.uint8)


def _lab(pixels: np.ndarray) -> Tensor:
    """Convert sRGB ``(views, height, width, 3)`` in 0..1 to Lab, ``(views, 3, height, width)``."""
    return rgb_to_lab(torch.from_numpy(pixels).permute(0, 3, 1, 2))


def cache_features(
    pack: Pack,
    encoder: ImageEncoder,
    device: torch.device,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int], None] = lambda views: None,
    stem_only: bool = False,
    batch_size: int = 64,
) -> list[str]:
    """Compute the encoder's features for every view of a pack, in float16, unless they exist.

    Args:
        pack: made by a :class:`ViewMaker`.
        encoder: computes the features.
        device: where the encoder runs.
        precision: of the encoder under autocast.
        progress: called with the number of views just processed.
        stem_only: compute those of the frozen stem, at stride 8, because the layers above it will be trained.
        batch_size: views per call of the encoder.

    Returns:
        The names of the arrays, which contain a digest of the weights, one per stride.
    """
    place(encoder, device)
    weights = encoder.stem if stem_only else encoder
    names = [f"features{stride}-{weights_digest(weights)}" for stride in ENCODER_STRIDES[: 1 if stem_only else None]]

    def features(lightness: Tensor) -> list[Tensor]:
        pixels = lightness / LEVELS_PER_UNIT
        found = (encoder.stem_features(pixels),) if stem_only else encoder(pixels)
        return [feature.half() for feature in found]

    def compute(*rows: np.ndarray) -> list[np.ndarray]:
        return compute_in_batches(features, rows, device, precision, batch_size)

    pack.derive(names, ["lightness"], compute, progress)
    return names


@torch.inference_mode()
def compute_in_batches(
    function: Callable[..., Sequence[Tensor]],
    rows: Sequence[np.ndarray],
    device: torch.device,
    precision: torch.dtype,
    batch_size: int = 64,
) -> list[np.ndarray]:
    """Compute new rows from those of some arrays, a batch at a time.

    Args:
        function: from a batch of rows, one tensor per array, to as many new rows of each new array.
        rows: of the arrays, as many of each.
        device: where the function runs.
        precision: of the networks under autocast.
        batch_size: rows per call.
    """
    batches = []
    with torch.autocast(device.type, torch.bfloat16, precision is torch.bfloat16):
        for start in range(0, len(rows[0]), batch_size):
            batch = (np.array(part[start : start + batch_size]) for part in rows)
            found = function(*(torch.from_numpy(part).to(device) for part in batch))
            batches.append([part.cpu() for part in found])
    return [torch.cat(column).numpy() for column in zip(*batches, strict=True)]


def weights_digest(weights: nn.Module) -> str:
    """Return a name for weights, twelve hexadecimal digits."""
    digest = hashlib.sha256()
    for value in weights.state_dict().values():
        digest.update(value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
