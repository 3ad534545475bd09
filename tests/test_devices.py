"""Devices: present ones are taken, others refused in one sentence."""

import pytest
import torch

from cinn_app.devices import choose_device, resolve_precision
from cinn_app.errors import DeviceError


def test_auto_takes_a_device_that_computes() -> None:
    assert torch.ones(2, device=choose_device("auto")).sum() == 2
    assert resolve_precision("auto", choose_device("cpu")) in (torch.bfloat16, torch.float32)


def test_unknown_and_absent_devices_are_refused() -> None:
    with pytest.raises(DeviceError, match="'tpu' is unknown: choose one of auto, cpu, cuda, mps"):
        choose_device("tpu")
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceError, match="not present on this machine"):
        choose_device(absent)
