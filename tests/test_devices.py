"""Devices: those that compute are taken, others refused in one sentence or passed over for the CPU."""

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from cinn_app import Colorizer, DigitGenerator, InverseProblem, devices, trained_model
from cinn_app.devices import choose_device, differs, memory_format, place, resolve_precision
from cinn_app.errors import DeviceError
from cinn_app.flows import autoregressive
from cinn_app.nn.efficientnet import ImageEncoder
from cinn_app.trained_model import TrainedModel

CPU, FAKE = torch.device("cpu"), torch.device("meta")  # on which tensors have shapes and nothing can be read


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    for cached in (devices._fault, devices.warn_of_cpu):
        cached.cache_clear()
    yield
    for cached in (devices._fault, devices.warn_of_cpu):
        cached.cache_clear()


def test_auto_takes_a_device_that_computes() -> None:
    assert torch.ones(2, device=choose_device("auto")).sum() == 2
    assert resolve_precision("auto", choose_device("cpu")) in (torch.bfloat16, torch.float32)


def test_unknown_and_absent_devices_are_refused() -> None:
    for unknown in ("tpu", "cuda:", "cuda:-1", "cuda:x", "cpu:0", "mps:1", "CUDA"):
        with pytest.raises(DeviceError, match=f"'{unknown}' is unknown: choose one of auto, cpu, cuda, cuda:N, mps"):
            choose_device(unknown)
    absent = "mps" if not torch.backends.mps.is_available() else "cuda"
    with pytest.raises(DeviceError, match="not present on this machine"):
        choose_device(absent)


@pytest.fixture
def two_old_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Graphics cards that PyTorch reports as present, and whose first convolution fails."""
    convolve = functional.conv2d

    def conv2d(x: Tensor, *arguments: Any, **options: Any) -> Tensor:
        if x.device.type != "cpu":
            raise RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")
        return convolve(x, *arguments, **options)

    move = Tensor.to
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(functional, "conv2d", conv2d)
    monkeypatch.setattr(Tensor, "to", lambda x, to: move(x, FAKE if to.type == "cuda" else to))


def test_a_card_that_is_too_old_is_passed_over_or_named(two_old_cards: None, caplog: pytest.LogCaptureFixture) -> None:
    assert choose_device("auto") == CPU
    (said,) = caplog.messages
    why = "its first operations fail (CUDA error: no kernel image is available for execution on the device)"
    assert said == f"The device cuda is present, but {why}: the CPU computes instead."
    with pytest.raises(DeviceError) as error:
        choose_device("cuda:1")
    assert str(error.value).startswith(f"The device 'cuda:1' cannot be used, since {why}: choose cpu")
    with pytest.raises(DeviceError, match="'cuda:2' is not present on this machine, whose last one is cuda:1"):
        choose_device("cuda:2")


def test_a_card_that_computes_something_else_is_refused(two_old_cards: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(functional, "conv2d", lambda x, weight, padding: torch.rand(x.shape))
    with pytest.raises(DeviceError, match="'cuda' cannot be used, since it computes something else than the CPU"):
        choose_device("cuda")


def test_rounding_is_no_difference_and_wrong_numbers_are() -> None:
    expected = torch.randn(100, generator=torch.Generator().manual_seed(0))
    assert differs(expected + 0.01 * expected.flip(0), expected) is None
    assert differs(torch.cat([expected[:96], -expected[96:]]), expected) is None  # few choices that fell otherwise
    assert differs(torch.cat([expected[:90], -expected[90:]]), expected)
    for wrong in (expected.flip(0), expected * 2, expected + 1, torch.full_like(expected, torch.nan)):
        assert differs(wrong, expected)
    assert differs(torch.cat([expected[:99], torch.tensor([torch.nan])]), expected)


MODELS = [(Colorizer, "colorize"), (DigitGenerator, "digits"), (InverseProblem, "kinematics")]


@pytest.mark.parametrize(("kind", "name"), MODELS)
def test_a_model_that_fails_on_a_device_is_loaded_on_the_cpu(
    kind: type[TrainedModel], name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trained_model, "choose_device", lambda device: FAKE)
    with caplog.at_level(logging.WARNING):
        assert kind.load(name).device == CPU
    (said,) = caplog.messages
    assert said.startswith(f"The device meta is present, but the model {name} fails there (")
    assert said.endswith("): the CPU computes instead.")
    with pytest.raises(DeviceError, match=f"'meta' cannot be used, since the model {name} fails there"):
        kind.load(name, "meta")


@pytest.mark.parametrize(("kind", "name"), MODELS)
def test_a_model_that_computes_something_else_on_a_device_is_loaded_on_the_cpu(
    kind: type[TrainedModel], name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As where slices are misread: the weights of one convolution lie in another order."""

    def misplaced(module: nn.Module, device: torch.device) -> nn.Module:
        if device == FAKE:
            for weight in module.parameters():
                weight.data = weight.data.flip(0)
        return module

    monkeypatch.setattr(trained_model, "choose_device", lambda device: FAKE)
    monkeypatch.setattr(trained_model, "place", misplaced)
    probe = kind.probe

    def on_cpu(model: TrainedModel) -> Tensor | None:
        model.device = CPU  # where its weights are
        return probe(model)

    monkeypatch.setattr(kind, "probe", on_cpu)
    assert kind.load(name).device == CPU
    assert caplog.messages == [
        "The device meta is present, but it computes something else than the CPU: the CPU computes instead."
    ]


@pytest.mark.parametrize(("kind", "name"), MODELS)
def test_rounding_of_weights_is_no_difference_and_a_part_that_is_wrong_is(kind: type[TrainedModel], name: str) -> None:
    model = kind.load(name, "cpu")
    right = model.probe()
    assert right is not None
    for weight in model.model.parameters():
        weight.data *= 1 + 1e-5 * torch.rand(weight.shape, generator=torch.Generator().manual_seed(0))
    assert differs(model.probe(), right) is None
    misread, shifted, missing = (right.clone() for _ in range(3))
    misread[..., : right.shape[-1] // 2] = misread[..., : right.shape[-1] // 2].flip(-1)
    shifted[:, right.shape[1] // 2] += 0.3 * right.std()
    missing[: len(right) // 2] = right.min()
    for wrong in (misread, shifted, missing):
        assert differs(wrong, right)


def test_a_draw_that_is_wrong_is_noticed_where_the_mean_is_right() -> None:
    model = Colorizer.load("colorize", "cpu")
    right = model.probe()
    decode = model.model.decode
    model.model.decode = lambda latents, conditions: decode([-z for z in latents], conditions)  # type: ignore[method-assign]
    assert differs(model.probe(), right)


class NoFloat64(TorchDispatchMode):
    """Raises as Apple's devices do where tensors become float64."""

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        found = function(*args, **(kwargs or {}))
        if isinstance(found, Tensor) and found.dtype is torch.float64:
            raise TypeError("Cannot convert a MPS Tensor to float64 dtype.")
        return found


@pytest.mark.parametrize(("kind", "name"), MODELS)
def test_models_draw_where_there_is_no_float64(
    kind: type[TrainedModel], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(autoregressive, "widest", Tensor.float)
    model = kind.load(name, "cpu")
    with NoFloat64():
        found = model.probe()
    monkeypatch.undo()
    assert differs(found, model.probe()) is None


def test_a_model_that_needs_float64_is_loaded_on_the_cpu(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(trained_model, "choose_device", lambda device: FAKE)
    monkeypatch.setattr(trained_model, "place", lambda module, device: module)
    probe = InverseProblem.probe

    def without(model: InverseProblem) -> Tensor:
        with NoFloat64() if model.device == FAKE else contextlib.nullcontext():
            model.device = CPU  # where its weights are
            return probe(model)

    monkeypatch.setattr(InverseProblem, "probe", without)
    for _ in range(2):
        assert InverseProblem.load("kinematics").device == CPU
    (said,) = caplog.messages  # once
    assert "fails there (Cannot convert a MPS Tensor to float64" in said


def test_a_training_that_fails_on_a_device_at_once_says_so_and_a_later_fault_is_not_blamed_on_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from cinn_app.training import run

    class Trainer:
        def fit(self, module: Any, *arguments: Any, **options: Any) -> None:
            module.stepped = self.late
            raise TypeError("Cannot convert a MPS Tensor to float64.\nMore")

    trainable: Any = SimpleNamespace(model=nn.Linear(1, 1), batches=[], held_out=[])
    setup: Any = SimpleNamespace(device=torch.device("mps"), precision=torch.float32)
    monkeypatch.setattr(run, "place", lambda module, device: module)
    monkeypatch.setattr(run, "_trainer", lambda *arguments: Trainer())
    monkeypatch.setattr(run, "_loader", lambda batches: batches)
    Trainer.late = False
    with pytest.raises(DeviceError, match=r"'mps' cannot be used, since the training fails there \(Cannot convert a"):
        run._run_stage(trainable, SimpleNamespace(), tmp_path, setup, None, "", False)
    Trainer.late = True
    with pytest.raises(TypeError):
        run._run_stage(trainable, SimpleNamespace(), tmp_path, setup, None, "", False)


def test_apples_weights_lie_in_order_and_pictures_do_not_have_channels_last(monkeypatch: pytest.MonkeyPatch) -> None:
    apples = torch.device("mps")
    assert memory_format(apples) is torch.contiguous_format and memory_format(CPU) is torch.channels_last
    moved: list[torch.device] = []
    monkeypatch.setattr(nn.Module, "to", lambda module, device: moved.append(device) or module)
    layer = nn.Conv2d(4, 8, 3)
    layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)
    layer.register_buffer("turned", torch.rand(3, 4).T)
    assert not layer.weight.is_contiguous()
    assert place(layer, apples) is layer and moved == [apples]
    assert layer.weight.is_contiguous() and layer.turned.is_contiguous()


def test_every_normalisation_of_the_encoder_gets_a_picture_without_gaps() -> None:
    encoder, gaps = ImageEncoder(), []

    def look(layer: nn.Module, inputs: tuple[Tensor]) -> None:
        gaps.append(not inputs[0].is_contiguous(memory_format=torch.channels_last))

    for layer in encoder.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.register_forward_pre_hook(look)
    encoder(torch.rand(1, 1, 64, 96))
    assert len(gaps) > 20 and not any(gaps)


def test_bfloat16_is_that_of_the_card_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    present: list[torch.device] = []

    class Chosen:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def __enter__(self) -> None:
            present.append(self.device)

        def __exit__(self, *raised: object) -> None:
            present.pop()

    def supported(including_emulation: bool) -> bool:
        return not including_emulation and present == [torch.device("cuda:1")]

    monkeypatch.setattr(torch.cuda, "device", Chosen)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    assert resolve_precision("auto", torch.device("cuda:1")) is torch.bfloat16
    assert resolve_precision("auto", torch.device("cuda:0")) is torch.float32


def test_threads_are_those_that_a_container_allows_unless_the_user_says_how_many(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen: list[int] = []
    monkeypatch.setattr(torch, "get_num_threads", lambda: 64)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(devices, "usable_cpus", lambda: 4)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    devices._limit_threads.__wrapped__()
    assert chosen == [4]
    monkeypatch.setenv("OMP_NUM_THREADS", "32")
    devices._limit_threads.__wrapped__()
    assert chosen == [4]


def test_latents_of_a_seed_are_drawn_on_the_cpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So they are the same on every device."""
    drawn, randn = [], torch.randn

    def note(*size: Any, **options: Any) -> Tensor:
        noise = randn(*size, **options)
        drawn.append((noise.device, options["generator"].device))
        return noise

    monkeypatch.setattr(torch, "randn", note)
    Colorizer.load("colorize", "cpu").colorize(torch.rand(64, 64, generator=torch.Generator()).numpy(), seed=3)
    DigitGenerator.load("digits", "cpu").sample([7], count=2, seed=3)
    InverseProblem.load("kinematics", "cpu").posterior([1.5, 0.0]).sample((5,), torch.Generator().manual_seed(3))
    assert len(drawn) >= 3 and {*sum(drawn, ())} == {CPU}


def test_training_takes_the_one_gpu_that_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from cinn_app.training import run

    given: list[dict[str, Any]] = []
    monkeypatch.setattr(run.pl, "Trainer", lambda **options: given.append(options))
    trainable: Any = SimpleNamespace(picture=None, watched=[], figures={})
    training: Any = SimpleNamespace(steps=1, gradient_clip=1.0, ema_decay=0.9, batch_size=1)
    for name in ("cuda:1", "cuda", "cpu"):
        setup: Any = SimpleNamespace(device=torch.device(name), precision=torch.float32)
        run._trainer(training, tmp_path, setup, run.TimeLimit(None), trainable)
    assert [(one["accelerator"], one["devices"]) for one in given] == [("cuda", [1]), ("cuda", 1), ("cpu", 1)]
