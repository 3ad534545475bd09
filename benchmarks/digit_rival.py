"""The class-conditional network of FrEIA's authors for MNIST, built from FrEIA. `digits.py` trains it beside ours.

The settings are those of the minimal example that accompanies Ardizzone et al. 2019 (arXiv 1907.02392): 20 fully
connected Glow couplings of width 512 with fixed random permutations, one-hot labels, Adam. What differs favours it:
its subnets learn under autocast where ours do, and the weights kept are the best ones on held-out pictures, as
measured 20 times in the training.

Two noises are possible. `uniform` dequantises as ours does, x = (k + u) / 256, so that it learns the density that is
measured. `gaussian` is the example's own, x = k / 255 + 0.305 * 0.08 * n: it blurs the density by six grays, which
costs bits on the uniformly dequantised test pictures.

The density is exact. With y = (x - 0.128) / 0.305, log p(x | label) = log N(z) + log|det dz/dy| - 784 log 0.305.
"""

import copy
import math
import time
from collections.abc import Iterator
from typing import Literal

import torch
from FrEIA.framework import SequenceINN
from FrEIA.modules import GLOWCouplingBlock, PermuteRandom
from torch import Tensor, nn
from torch.nn import functional

from cinn_app.cli.bars import rich_progress
from cinn_app.devices import resolve_precision
from cinn_app.flows import standard_normal_log_prob
from cinn_app.systems.digits.data import Digits
from cinn_app.systems.digits.images import DIGIT_SIDE
from cinn_app.systems.digits.model import CLASSES, DIMS, bits_per_dim, dequantise, quantise

COUPLINGS, WIDTH, CLAMP, INITIAL = 20, 512, 1.0, 0.01
LEARNING_RATE, WEIGHT_DECAY, BATCH, CLIP = 5e-4, 1e-5, 256, 10.0
MEAN, DEVIATION, GAUSSIAN_NOISE = 0.128, 0.305, 0.08
#: Training pictures that are watched, and how often.
HELD_OUT, CHECKS = 1000, 20


class Subnet(nn.Sequential):
    """Two layers, which learn in bfloat16 where that is faster, as ours do."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(nn.Linear(in_features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, out_features))

    def forward(self, x: Tensor) -> Tensor:
        dtype = resolve_precision("auto", x.device)
        with torch.autocast(x.device.type, dtype, enabled=self.training and dtype is torch.bfloat16):
            return super().forward(x).float()


class Rival(nn.Module):
    """FrEIA's network with the methods that ours has."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = SequenceINN(DIMS)
        for number in range(COUPLINGS):
            self.flow.append(PermuteRandom, seed=number)
            self.flow.append(GLOWCouplingBlock, cond=0, cond_shape=(CLASSES,), subnet_constructor=Subnet, clamp=CLAMP)
        for parameter in self.learnt():
            nn.init.normal_(parameter, 0, INITIAL)

    def learnt(self) -> list[nn.Parameter]:
        """Return the weights; FrEIA keeps its permutations as parameters, too."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures ``(batch, 1, 28, 28)`` in 0..1 to latents and ``log p(x | y)`` in nats, ``(batch,)``."""
        z, log_det = self.flow((x.flatten(1) - MEAN) / DEVIATION, c=[_one_hot(labels)])
        return z, standard_normal_log_prob(z) + log_det - DIMS * math.log(DEVIATION)

    @torch.inference_mode()
    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Make pictures of latents ``(count, 784)``: uint8 ``(count, 28, 28)``, on the CPU."""
        device = self.learnt()[0].device
        y, _ = self.flow(z.to(device), c=[_one_hot(labels.to(device))], rev=True, jac=False)
        return quantise((y * DEVIATION + MEAN).unflatten(1, (1, DIGIT_SIDE, DIGIT_SIDE))).cpu()


def train_rival(
    train: Digits, noise: Literal["uniform", "gaussian"], minutes: float, device: torch.device
) -> tuple[Rival, float]:
    """Train for so many minutes; the learning rate steps down by ten after each third.

    Returns:
        The network with the weights that were best on held-out pictures, and the training pictures per second.
    """
    torch.manual_seed(0)
    rival = Rival().to(device)
    optimizer = torch.optim.Adam(rival.learnt(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    images, labels = train.images.to(device), train.labels.to(device)
    watched = _noisy(images[-HELD_OUT:], noise), labels[-HELD_OUT:]
    best, kept, checks, seen = math.inf, rival.state_dict(), 0, 0
    begun = time.monotonic()
    with rich_progress(f"Training FrEIA's network, {noise} noise", None) as advance:
        for rows in _batches(len(images) - HELD_OUT, device):
            spent = (time.monotonic() - begun) / (60 * minutes)
            if spent >= (checks + 1) / CHECKS:
                checks = int(spent * CHECKS)
                held_out = _bits(rival.eval(), *watched)
                if held_out < best:
                    best, kept = held_out, copy.deepcopy(rival.state_dict())
            if spent >= 1:
                break
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.1 ** int(3 * spent)
            loss = -rival.train().encode(_noisy(images[rows], noise), labels[rows])[1].mean() / DIMS
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(rival.learnt(), CLIP)
            optimizer.step()
            seen += len(rows)
            advance(len(rows))
    rate = seen / (time.monotonic() - begun)
    rival.load_state_dict(kept)
    return rival.eval(), rate


def _batches(count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield rows, in an order of its own each time through."""
    while True:
        yield from torch.randperm(count, device=device).split(BATCH)[: count // BATCH]


def _noisy(images: Tensor, noise: str) -> Tensor:
    """Turn grays into what the network learns from, ``(batch, 1, 28, 28)``."""
    if noise == "uniform":
        return dequantise(images, torch.rand(images.shape, device=images.device))
    x = images.float().unsqueeze(1) / 255
    return x + DEVIATION * GAUSSIAN_NOISE * torch.randn_like(x)


@torch.no_grad()
def _bits(rival: Rival, x: Tensor, labels: Tensor) -> float:
    return bits_per_dim(rival.encode(x, labels)[1]).mean().item()


def _one_hot(labels: Tensor) -> Tensor:
    return functional.one_hot(labels, CLASSES).float()
