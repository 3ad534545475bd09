"""Which device to compute on, and in which precision."""

import functools
import time

import torch
from torch.nn import functional

from cinn_app.errors import DeviceError

__all__ = ["DEVICES", "choose_device", "faster_autocast_dtype"]

#: What a user may ask for.
DEVICES = ("auto", "cpu", "cuda", "mps")


def choose_device(name: str = "auto") -> torch.device:
    """Turn a user's word into a device that is present; ``auto`` takes the best there is.

    Raises:
        DeviceError: if the name is unknown or the device is not there.
    """
    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if present[device])
    if name not in present:
        raise DeviceError(f"The device {name!r} is unknown: choose one of {', '.join(DEVICES)}.")
    if not present[name]:
        raise DeviceError(f"The device {name!r} is not present on this machine: choose cpu or auto.")
    return torch.device(name)


@functools.cache
def faster_autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 where this device convolves faster in it than in float32, else ``None``.

    Processors with bfloat16 units gain about five times, those without lose as much or far more, and both kinds are
    common: so it is measured, once, in a few milliseconds.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else None
    if device.type != "cpu":
        return None
    image, kernel = torch.randn(8, 64, 16, 16), torch.randn(64, 64, 3, 3)
    seconds = {dtype: _seconds(image.to(dtype), kernel.to(dtype)) for dtype in (torch.float32, torch.bfloat16)}
    return torch.bfloat16 if seconds[torch.bfloat16] < seconds[torch.float32] else None


def _seconds(image: torch.Tensor, kernel: torch.Tensor, repeats: int = 3) -> float:
    """Time the fastest of a few convolutions; the first one of all only warms up."""
    times = []
    with torch.inference_mode():
        for _ in range(repeats + 1):
            start = time.perf_counter()
            functional.conv2d(image, kernel, padding=1)
            times.append(time.perf_counter() - start)
    return min(times[1:])
