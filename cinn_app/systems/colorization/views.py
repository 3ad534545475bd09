"""From one photograph to the training pairs drawn from it: crops, flips and aged lightness."""

import numpy as np
from PIL import Image, ImageFilter

__all__ = ["age_lightness", "draw_view"]

#: The most that a random crop magnifies beyond the picture's shorter side.
MAX_ZOOM = 1.35


def draw_view(image: Image.Image, size: int, generator: np.random.Generator, first: bool) -> np.ndarray:
    """Cut one square view out of a picture.

    Args:
        image: an RGB picture.
        size: side of the view in pixels.
        generator: where the crop's place, its zoom and the flip come from.
        first: whether this is the picture's first view, which keeps the whole shorter side.

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


def age_lightness(lightness: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Make a clean lightness look like that of an old print: soft, grainy, faded or harsh.

    Args:
        lightness: uint8, ``(height, width)``.
        generator: where strengths come from.

    Returns:
        uint8 of the same shape.
    """
    softened = Image.fromarray(lightness).filter(ImageFilter.GaussianBlur(generator.uniform(0, 1.2)))
    values = np.asarray(softened, dtype=np.float32) / 255
    values = values ** np.exp(generator.normal(0, 0.25))  # exposure
    black, white = generator.uniform(0, 0.2), generator.uniform(0.8, 1)  # fading
    values = black + (white - black) * values
    values = values + generator.normal(0, generator.uniform(0, 0.06), values.shape)  # grain
    return (np.clip(values, 0, 1) * 255).round().astype(np.uint8)
