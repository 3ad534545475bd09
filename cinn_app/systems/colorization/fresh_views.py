"""New views for every batch: for a GPU, which cuts, ages and reads them faster than cached ones come from a disk.

All pictures stay in the device's memory, at most at the size of a view, 115 kB each for views of 160 pixels. A pack
(:mod:`cinn_app.data.pack`) holds

* ``pixels``, uint8 ``(pictures, 3, size, 1.5 size)``: sRGB, on its side if it is upright, with its edges repeated;
* ``extent``, uint16 ``(pictures, 3)``: height and width of what is the picture, and whether it is on its side.
"""

import dataclasses
import zlib
from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from cinn_app.data.pack import Pack
from cinn_app.errors import DataError
from cinn_app.flows.numerics import without_autocast
from cinn_app.imaging.colour import rgb_to_lab
from cinn_app.systems.colorization.data import (
    GAMMA_DEVIATION,
    MAX_BLUR,
    MAX_GRAIN,
    PERCENTILES,
    ColourBatch,
    is_gray,
    read_colours,
)
from cinn_app.systems.colorization.model import TARGET_STRIDE

__all__ = ["FreshViews", "PictureMaker"]

#: The longest side that is kept, as a share of the shorter one.
MAX_LENGTH = 1.5
#: Half of the views span the shorter side of the picture; the others magnify it by up to this factor.
MAX_ZOOM = 1.8


@dataclasses.dataclass(frozen=True)
class PictureMaker:
    """Keeps the pixels of a colour photograph.

    Attributes:
        size: side of a view in pixels. Larger pictures are scaled down to it, by their shorter side.
        seed: not used; nothing is random.
    """

    size: int = 160
    seed: int = 0

    def __call__(self, content: bytes, generator: np.random.Generator) -> dict[str, np.ndarray] | None:
        """Return the ``pixels`` of a picture and its ``extent``, or None for a gray one.

        Raises:
            ImageError: if the picture cannot be read.
        """
        image = read_colours(content)
        if image is None or is_gray(np.asarray(image, dtype=np.float32)[None, ::4, ::4] / 255):
            return None
        upright = image.height > image.width
        if upright:
            image = image.transpose(Image.Transpose.TRANSPOSE)
        if image.height > self.size:
            width = max(self.size, round(image.width * self.size / image.height))
            image = image.resize((width, self.size), Image.Resampling.LANCZOS)
        longest = round(MAX_LENGTH * self.size)
        left = max(0, (image.width - longest) // 2)
        pixels = np.asarray(image)[:, left : left + longest]
        height, width = pixels.shape[:2]
        full = np.pad(pixels, ((0, self.size - height), (0, longest - width), (0, 0)), "edge")
        extent = np.array([[height, width, upright]], dtype=np.uint16)
        return {"pixels": full.transpose(2, 0, 1)[None], "extent": extent}


class FreshViews:
    """All pictures of a pack, from which views are cut at random.

    Args:
        pack: made by a :class:`PictureMaker`.
        size: side of a view in pixels.
        aged: share of the views whose levels are changed, and share of those whose lightness is made soft and grainy.
        seed: of what is random. The same pictures in the same order give the same views.
        device: keeps the pictures.

    Raises:
        DataError: if the device has too little memory for them.
    """

    def __init__(self, pack: Pack, size: int, aged: float, seed: int, device: torch.device) -> None:
        self.pack, self.size, self.aged, self.seed, self.device = pack, size, aged, seed, device
        arrays = pack.arrays("pixels", "extent")
        try:
            pixels, extent = arrays.rows(range(len(arrays)))
            self._pixels, self._extent = pixels.to(device), extent.int().to(device)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise DataError(
                "{pictures} pictures are too many for the memory of the device {device}: give fewer with --data, or "
                "set data.fresh in the recipe to false.",
                pictures=len(arrays),
                device=device,
            ) from error

    def __len__(self) -> int:
        return len(self._pixels)

    @torch.no_grad()
    def batch(self, indices: Sequence[int] | np.ndarray) -> ColourBatch:
        """Return a view of each of the pictures with these numbers, on the device, without features."""
        numbers = np.ascontiguousarray(indices, dtype=np.int64)
        generator = torch.Generator(self.device).manual_seed(self.seed + zlib.crc32(numbers.tobytes()))
        chosen = torch.from_numpy(numbers).to(self.device)
        pixels, extent = self._pixels[chosen].float() / 255, self._extent[chosen]
        with without_autocast(pixels):
            pixels = self._change_levels(self._cut(pixels, extent, generator), generator)
            lab = rgb_to_lab(pixels)
            lightness = self._age(lab[:, :1], generator)
            return ColourBatch(lightness, functional.avg_pool2d(lab[:, 1:], TARGET_STRIDE), ())

    def _cut(self, pixels: Tensor, extent: Tensor, generator: torch.Generator) -> Tensor:
        """Cut a random square out of each picture, ``(batch, 3, size, size)``."""
        count, _, rows, columns = pixels.shape
        height, width = extent[:, 0, None], extent[:, 1, None]
        chance = self._uniform(count, 5, generator)
        zoom = torch.where(chance[0] < 0.5, 1.0, 1 + (MAX_ZOOM - 1) * chance[1])
        side = torch.minimum(height, width) / zoom
        steps = (torch.arange(self.size, device=pixels.device) + 0.5) / self.size
        y = (chance[2] * (height - side) + side * steps) * 2 / rows - 1
        x = (chance[3] * (width - side) + side * steps) * 2 / columns - 1
        grid = torch.stack(
            [x[:, None].expand(-1, self.size, -1), y[:, :, None].expand(-1, -1, self.size)],
            dim=3,
        )
        views = functional.grid_sample(pixels, grid, mode="bicubic", padding_mode="border", align_corners=False)
        views = torch.where(extent[:, 2, None, None, None] > 0, views.mT, views)
        return torch.where(chance[4, :, :, None, None] < 0.5, views.flip(3), views).clamp(0, 1)

    def _change_levels(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        """Change the exposure of some views, and fade or stretch them, as :func:`change_levels` does."""
        count = len(pixels)
        chance = self._uniform(count, 4, generator)[..., None, None]
        gamma = (GAMMA_DEVIATION * self._normal((count, 1, 1, 1), generator)).exp()
        exposed = pixels**gamma
        black, white = exposed[:, :, ::4, ::4].mean(1).flatten(1).quantile(_percentiles(exposed), dim=1)
        stretched = 1 / (white - black).clamp(min=0.2)
        faded = chance[0] < 0.5
        span = torch.where(faded, 0.6 + 0.4 * chance[1], stretched[:, None, None, None])
        low = torch.where(faded, 0.2 * chance[2], -black[:, None, None, None] * span)
        return torch.where(chance[3] < self.aged, (low + span * exposed).clamp(0, 1), pixels)

    def _age(self, lightness: Tensor, generator: torch.Generator) -> Tensor:
        """Make the lightness of some views soft and grainy, as :func:`age_lightness` does."""
        from kornia.filters import gaussian_blur2d

        chance = self._uniform(len(lightness), 3, generator)
        sigma = (MAX_BLUR * chance[0]).clamp(min=0.05).expand(-1, 2)
        size = 2 * round(3 * MAX_BLUR) + 1
        softened = gaussian_blur2d(lightness, (size, size), sigma)
        grain = MAX_GRAIN * chance[1, ..., None, None] * self._normal(lightness.shape, generator)
        return torch.where(chance[2, ..., None, None] < self.aged, (softened + grain).clamp(0, 100), lightness)

    def _uniform(self, count: int, numbers: int, generator: torch.Generator) -> Tensor:
        return torch.rand(numbers, count, 1, generator=generator, device=self.device)

    def _normal(self, shape: Sequence[int], generator: torch.Generator) -> Tensor:
        return torch.randn(*shape, generator=generator, device=self.device)


def _percentiles(like: Tensor) -> Tensor:
    return like.new_tensor(PERCENTILES) / 100
