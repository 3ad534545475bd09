"""Which device to compute on, and in which precision. Torch is imported when one is chosen."""

import contextlib
import functools
import logging
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, TypeVar

from cinn_app.errors import DeviceError
from cinn_app.messages import Message
from cinn_app.process import usable_cpus

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = [
    "DEVICES",
    "FAILURES",
    "NOT_USABLE",
    "PRECISIONS",
    "choose_device",
    "differs",
    "exact",
    "first_line",
    "memory_format",
    "place",
    "resolve_precision",
    "warn_of_cpu",
]

LOG = logging.getLogger(__name__)

#: What a user may choose; N is the number of one of several GPUs, from 0.
DEVICES = ("auto", "cpu", "cuda", "cuda:N", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")
NAME = re.compile(r"cpu|mps|cuda(?::(\d{1,3}))?")
NOT_USABLE = Message(
    "The device {name!r} cannot be used, since {fault}: choose cpu, or install the torch that fits it."
)
# Variables by which users set the number of torch's threads.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
# Sizes of the picture that is tried.
TRIED = (2, 8, 16, 16)
# By how much a device may differ from the CPU, as a share of the standard deviation, and how many of its numbers may
# differ by more: where there are choices, rounding may turn a few. Weights that are off by one part in 3,000 turn
# 8 in 1,000 at most, of six models.
TOLERANCE, EXCEPTIONS = 0.05, 0.05
#: What torch raises where a device lacks an operation or a type of numbers.
FAILURES = (RuntimeError, TypeError, AssertionError)

Module = TypeVar("Module", bound="nn.Module")


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device of that name; ``auto`` takes the fastest one that is present and works.

    A device other than the CPU convolves a small picture first: PyTorch also reports graphics cards as present that are
    too old for it. With the first call, torch gets no more threads than the CPUs that a container or affinity allows,
    unless ``OMP_NUM_THREADS`` or ``MKL_NUM_THREADS`` says how many. Later calls leave ``torch.set_num_threads`` alone.

    Raises:
        DeviceError: if the name is unknown, or the device is not present or does not work.
    """
    import torch

    _limit_threads()
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    present = {"cuda": gpus > 0, "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        device = torch.device(next(kind for kind in present if present[kind]))
        if device.type == "cpu" or (fault := _fault(device)) is None:
            return device
        warn_of_cpu(device, fault)
        return torch.device("cpu")
    match = NAME.fullmatch(name)
    if match is None:
        raise DeviceError("The device {name!r} is unknown: choose one of {known}.", name=name, known=", ".join(DEVICES))
    kind, number = name.partition(":")[0], int(match[1] or 0)
    if not present[kind]:
        raise DeviceError("The device {name!r} is not present on this machine: choose cpu or auto.", name=name)
    if kind == "cuda" and number >= gpus:
        raise DeviceError(
            "The device {name!r} is not present on this machine, whose last one is cuda:{last}: choose another.",
            name=name,
            last=gpus - 1,
        )
    device = torch.device(name)
    if kind != "cpu" and (fault := _fault(device)) is not None:
        raise DeviceError(NOT_USABLE, name=name, fault=fault)
    return device


def memory_format(device: "torch.device") -> "torch.memory_format":
    """Return the layout of pictures that suits convolutions on a device.

    Channels last is faster on CPUs and GPUs. Apple's backend has misread slices of such tensors, without an error
    (https://github.com/pytorch/pytorch/issues/180984, 174345), so there the layout is the plain one.
    """
    import torch

    return torch.contiguous_format if device.type == "mps" else torch.channels_last


def place(module: Module, device: "torch.device") -> Module:
    """Move a module to a device, and return it.

    On Apple's its weights lie in order: the backend has misread others (https://github.com/pytorch/pytorch/issues/192212).
    """
    if device.type == "mps":
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.data = tensor.data.contiguous()
    return module.to(device)


def differs(found: "torch.Tensor | None", expected: "torch.Tensor | None") -> str | None:
    """Say what is wrong with what a device has computed, if it is not what the CPU has, but for rounding."""
    if found is None or expected is None:
        return None
    wrong = (found - expected).abs() > TOLERANCE * expected.std()
    if found.isfinite().all() and wrong.float().mean() <= EXCEPTIONS:
        return None
    return "it computes something else than the CPU"


@contextlib.contextmanager
def exact() -> Iterator[None]:
    """Let convolutions on Nvidia's GPUs compute in full float32, for comparisons: by default they round to 11 bits."""
    import torch

    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield


@functools.cache
def warn_of_cpu(device: "torch.device", fault: str) -> None:
    """Warn once that the CPU takes the place of a device, and why."""
    LOG.warning("The device %s is present, but %s: the CPU computes instead.", device, fault)


def first_line(error: Exception) -> str:
    """Return the first line of what torch says, to be quoted in a sentence."""
    return str(error).strip().partition("\n")[0].rstrip(".") or type(error).__name__


def resolve_precision(name: str, device: "torch.device") -> "torch.dtype":
    """Return the precision of networks under autocast.

    ``auto`` takes bfloat16 where the hardware has units for it: a GPU, or a CPU with AMX or AVX512-BF16, which convolve
    about five times faster with it. A CPU without them emulates bfloat16, which is slower than float32.

    Raises:
        DeviceError: if the name is unknown.
    """
    if name not in PRECISIONS:
        raise DeviceError(
            "The precision {name!r} is unknown: choose one of {known}.", name=name, known=", ".join(PRECISIONS)
        )
    import torch

    if name == "auto":
        name = "bfloat16" if _has_bfloat16(device) else "float32"
    return torch.bfloat16 if name == "bfloat16" else torch.float32


def _has_bfloat16(device: "torch.device") -> bool:
    import torch

    if device.type == "cuda":
        with torch.cuda.device(device):  # of several GPUs, the one that is asked for
            return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        abilities = torch.cpu.get_capabilities()
        return any(abilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))
    return False


@functools.cache
def _limit_threads() -> None:
    import torch

    cpus = usable_cpus()
    if torch.get_num_threads() > cpus and not any(os.environ.get(name) for name in THREADS):
        torch.set_num_threads(cpus)


@functools.cache
def _fault(device: "torch.device") -> str | None:
    """Return why a device cannot be used: its first operations fail, or differ from the CPU's; None if they do not."""
    import torch
    from torch.nn import functional

    generator = torch.Generator().manual_seed(0)
    channels = TRIED[1]
    pixels = torch.randn(TRIED, generator=generator)
    weight = torch.randn(channels, channels, 3, 3, generator=generator)

    def compute(device: "torch.device") -> "torch.Tensor":
        x = functional.conv2d(pixels.to(device), weight.to(device), padding=1)
        return functional.interpolate(x, scale_factor=2.0, mode="bilinear").flatten(2).sigmoid().cpu()

    expected = compute(torch.device("cpu"))
    try:
        with exact():
            found = compute(device)
    except FAILURES as error:
        return f"its first operations fail ({first_line(error)})"
    return differs(found, expected)
