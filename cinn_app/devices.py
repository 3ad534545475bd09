"""Which device to compute on, and in which precision. Torch is imported when one is chosen."""

from typing import TYPE_CHECKING

from cinn_app.errors import DeviceError

if TYPE_CHECKING:
    import torch

__all__ = ["DEVICES", "PRECISIONS", "choose_device", "resolve_precision"]

#: What a user may choose.
DEVICES = ("auto", "cpu", "cuda", "mps")
PRECISIONS = ("auto", "float32", "bfloat16")


def choose_device(name: str = "auto") -> "torch.device":
    """Return the device of that name; ``auto`` takes the fastest one that is present.

    Raises:
        DeviceError: if the name is unknown or the device is not present.
    """
    import torch

    present = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if name == "auto":
        name = next(device for device in ("cuda", "mps", "cpu") if present[device])
    if name not in present:
        raise DeviceError("The device {name!r} is unknown: choose one of {known}.", name=name, known=", ".join(DEVICES))
    if not present[name]:
        raise DeviceError("The device {name!r} is not present on this machine: choose cpu or auto.", name=name)
    return torch.device(name)


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
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        abilities = torch.cpu.get_capabilities()
        return any(abilities.get(unit) for unit in ("amx_bf16", "avx512_bf16"))
    return False
