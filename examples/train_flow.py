"""Trains a flow that writes digits on demand, from nothing to samples: the whole program in one file of plain PyTorch.

    python examples/train_flow.py                  # 4,000 steps; MNIST's test set is at 1.71 bits/dim after 750
    python examples/train_flow.py --steps 20000 --batch 128 --device cuda
    python examples/train_flow.py --resume         # continue after an interruption, as if there had been none

The model is that of docs/tutorial.md, which explains every part. Into the folder `train_flow/` go `samples.png`, ten
digits of each class, and `state.pt`, everything that --resume needs. MNIST is downloaded once, into `cache/`.
"""

import argparse
import math
import time
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.errors import CinnError
from cinn_app.flows import (
    ActNorm,
    AffineCoupling,
    Chain,
    Conditioned,
    Flatten,
    FlowDistribution,
    HaarPyramid,
    Logit,
    NormalizingFlow,
    OrthogonalMixing,
    SplineCoupling,
)
from cinn_app.systems.digits.data import load_mnist

CLASSES, SIDE = 10, 28
DIMS = SIDE * SIDE

# ---- the model -----------------------------------------------------------------------------------------------------


def dense(in_channels: int, out_channels: int) -> nn.Module:
    """A fully connected subnet; its last layer starts at zero, so that its coupling starts as the identity."""
    layers = [nn.Linear(in_channels, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(), nn.Linear(256, out_channels)]
    return start_at_zero(nn.Sequential(*layers))


def conv(in_channels: int, out_channels: int) -> nn.Module:
    """A convolutional subnet, which keeps height and width."""
    first, middle, last = nn.Conv2d(in_channels, 32, 3, padding=1), nn.Conv2d(32, 32, 1), nn.Conv2d(32, out_channels, 1)
    return start_at_zero(nn.Sequential(first, nn.SiLU(), middle, nn.SiLU(), last))


def start_at_zero(subnet: nn.Sequential) -> nn.Sequential:
    nn.init.zeros_(subnet[-1].weight)
    nn.init.zeros_(subnet[-1].bias)
    return subnet


class DigitFlow(nn.Module):
    """p(x | y): the distribution of a picture x with values in 0..1, given its label y."""

    def __init__(self, label_channels: int = 8, coarse_couplings: int = 12, fine_couplings: int = 3) -> None:
        super().__init__()
        # A label becomes a small map, which is learned; enlarged, it also conditions the fine scale.
        self.label_map = nn.Embedding(CLASSES, label_channels * 7 * 7)

        # Two halvings by Haar wavelets leave 4x7x7 values, which decide the digit and the handwriting, ...
        coarse = [ActNorm(196)]
        for seed in range(coarse_couplings):
            coarse += [AffineCoupling(196, dense, label_channels * 7 * 7, clamp=1.0), OrthogonalMixing(196, seed)]
        everything = Chain([Flatten((4, 7, 7)), Conditioned(nn.Flatten(), Chain(coarse))])

        # ... and 3x14x14 details, which depend on what is near; the pyramid appends the coarser image to the condition.
        fine = [ActNorm(3)]
        for seed in range(fine_couplings):
            fine += [SplineCoupling(3, conv, label_channels + 1, bins=5), OrthogonalMixing(3, seed)]

        pyramid = HaarPyramid(base=everything, details=[Chain(fine)])
        self.flow = NormalizingFlow(Chain([Logit(0.001), pyramid]), event_shape=(1, SIDE, SIDE))

    def forward(self, labels: Tensor) -> FlowDistribution:
        coarse = self.label_map(labels).unflatten(1, (-1, 7, 7))
        return self.flow((functional.interpolate(coarse, scale_factor=2.0), coarse))

    def bits_per_dim(self, grays: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Return -log2 p of each picture per pixel; grays are uint8, ``(batch, 28, 28)``.

        Each gray k is spread evenly over its step, x = (k + u) / 256, since a density on whole numbers could grow
        without bound. The 8 bits are the factor 256.
        """
        noise = torch.rand(grays.shape, generator=generator)  # on the CPU, so that a seed means the same on any device
        x = ((grays + noise) / 256).unsqueeze(1).to(labels.device)
        return 8 - self(labels).log_prob(x) / (DIMS * math.log(2))


# ---- pictures and states -------------------------------------------------------------------------------------------


@torch.no_grad()
def save_samples(model: DigitFlow, path: Path, temperature: float, device: torch.device) -> None:
    """Draw ten digits of each class, a class per column. A lower temperature gives tidier digits, which differ less."""
    labels = torch.arange(CLASSES, device=device).repeat(CLASSES)
    x = model(labels).sample(temperature=temperature, generator=torch.Generator().manual_seed(0))
    grays = (256 * x).floor().clamp(0, 255).to("cpu", torch.uint8).view(CLASSES, CLASSES, SIDE, SIDE)
    framed = functional.pad(grays, (1, 1, 1, 1)).repeat_interleave(2, -1).repeat_interleave(2, -2)
    sheet = framed.permute(0, 2, 1, 3).reshape(CLASSES * framed.shape[2], CLASSES * framed.shape[3])
    Image.fromarray(sheet.numpy()).save(path)


def save_state(path: Path, state: dict) -> None:
    """Write the state to a new file that takes the place of the old one, so that no interruption damages it."""
    torch.save(state, path.with_suffix(".new"))
    path.with_suffix(".new").replace(path)


# ---- training ------------------------------------------------------------------------------------------------------


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="Train a conditional flow on MNIST.")
    parser.add_argument("--steps", type=int, default=4000, help="how many steps the whole training has")
    parser.add_argument("--stop", type=int, help="stop after this step; --resume continues")
    parser.add_argument("--resume", action="store_true", help="continue from the state in the folder --out")
    parser.add_argument("--batch", type=int, default=32, help="pictures per step")
    parser.add_argument("--learning-rate", type=float, default=2e-3, help="the highest of the schedule")
    parser.add_argument("--temperature", type=float, default=0.5, help="of the samples in the picture")
    parser.add_argument("--save-every", type=int, default=500, help="steps between states and pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"), help="cpu, cuda or mps")
    parser.add_argument("--data", type=Path, default=Path("cache"), help="the folder of MNIST")
    parser.add_argument("--out", type=Path, default=Path("train_flow"), help="the folder of samples and state")
    options = parser.parse_args(arguments)

    try:
        train, test = load_mnist(options.data, train=True), load_mnist(options.data, train=False)
    except CinnError as error:
        parser.error(str(error))
    test_grays, test_labels = test.images[:1000], test.labels[:1000].to(options.device)
    options.out.mkdir(parents=True, exist_ok=True)
    state_path = options.out / "state.pt"

    torch.manual_seed(options.seed)
    model = DigitFlow().to(options.device)
    optimiser = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=options.learning_rate, total_steps=options.steps, pct_start=0.1
    )
    generator = torch.Generator().manual_seed(options.seed)  # of all that is random in training
    step, seconds = 0, 0.0

    if options.resume:
        if not state_path.is_file():
            parser.error(f"{state_path} does not exist, so there is nothing to resume; start without --resume")
        state = torch.load(state_path, map_location=options.device, weights_only=True)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        generator.set_state(state["generator"].cpu())
        step, seconds = state["step"], state["seconds"]
        if schedule.total_steps != options.steps:
            parser.error(f"{state_path} belongs to a training of {schedule.total_steps} steps; pass that as --steps")
        print(f"continuing after step {step:,}")

    print(f"{sum(p.numel() for p in model.parameters()):,} weights, {len(train.labels):,} digits, {options.device}")
    stop, started, recent = min(options.stop or options.steps, options.steps), time.monotonic(), []
    while step < stop:
        batch = torch.randint(len(train.labels), (options.batch,), generator=generator)
        labels = train.labels[batch].to(options.device)
        loss = model.bits_per_dim(train.images[batch], labels, generator).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        step += 1
        recent.append(loss.detach())

        if step % options.save_every == 0 or step == stop:
            model.eval()
            with torch.no_grad():
                noise = torch.Generator().manual_seed(0)  # the same each time, so that only the model differs
                held_out = model.bits_per_dim(test_grays, test_labels, noise).mean()
            save_samples(model, options.out / "samples.png", options.temperature, options.device)
            model.train()
            seconds += time.monotonic() - started
            started = time.monotonic()
            bits = torch.stack(recent).mean()
            print(f"step {step:6,}  {bits:5.2f} bits/dim  {held_out:5.2f} on test digits  {seconds:5.0f} s", flush=True)
            recent = []
            state = {"step": step, "seconds": seconds, "generator": generator.get_state()}
            parts = {"model": model, "optimiser": optimiser, "schedule": schedule}
            save_state(state_path, state | {name: part.state_dict() for name, part in parts.items()})

    print(f"{options.out / 'samples.png'} shows ten digits of each class")


if __name__ == "__main__":
    main()
