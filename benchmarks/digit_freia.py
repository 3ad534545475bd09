"""The class-conditional network of FrEIA's authors for MNIST, built from FrEIA. `digits.py` trains it beside ours.

The settings are those of the minimal example that accompanies Ardizzone et al. 2019 (arXiv 1907.02392): 20 fully
connected Glow couplings of width 512 with fixed random permutations, one-hot labels, Adam. All differences favour it:
its subnets train under autocast where ours do, and it keeps the weights that are best on held-out pictures, which are
measured 20 times in the training.

There are two kinds of noise. `uniform` dequantises as ours does, x = (k + u) / 256, so the network learns the density
that is measured. `gaussian` is that of the example, x = k / 255 + 0.305 * 0.08 * n: it blurs the density by six grays,
which costs bits on the uniformly dequantised test pictures.

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
#: Held-out training pictures, and how often they are measured.
HELD_OUT, CHECKS = 1000, 20


class Subnet(nn.Sequential):
    """Two layers, which train in bfloat16 where that is faster, as ours do."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(nn.Linear(in_features, WIDTH), nn.ReLU(), nn.Linear(WIDTH, out_features))

    def forward(self, x: Tensor) -> Tensor:
        dtype = resolve_precision("auto", x.device)
        with torch.autocast(x.device.type, dtype, enabled=self.training and dtype is torch.bfloat16):
            return super().forward(x).float()


class FreiaNetwork(nn.Module):
    """FrEIA's network with the methods of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = SequenceINN(DIMS)
        for number in range(COUPLINGS):
            self.flow.append(PermuteRandom, seed=number)
            self.flow.append(GLOWCouplingBlock, cond=0, cond_shape=(CLASSES,), subnet_constructor=Subnet, clamp=CLAMP)
        for parameter in self.weights():
            nn.init.normal_(parameter, 0, INITIAL)

    def weights(self) -> list[nn.Parameter]:
        """Return the weights; FrEIA keeps its permutations as parameters, too."""
        return [parameter for parameter in self.parameters() if parameter.requires_grad]

    def encode(self, x: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Map pictures ``(batch, 1, 28, 28)`` in 0..1 to latents and ``log p(x | y)`` in nats, ``(batch,)``."""
        z, log_det = self.flow((x.flatten(1) - MEAN) / DEVIATION, c=[_one_hot(labels)])
        return z, standard_normal_log_prob(z) + log_det - DIMS * math.log(DEVIATION)

    @torch.inference_mode()
    def decode(self, z: Tensor, labels: Tensor) -> Tensor:
        """Map latents ``(count, 784)`` to pictures, uint8 ``(count, 28, 28)``, on the CPU."""
        device = self.weights()[0].device
        y, _ = self.flow(z.to(device), c=[_one_hot(labels.to(device))], rev=True, jac=False)
        return quantise((y * DEVIATION + MEAN).unflatten(1, (1, DIGIT_SIDE, DIGIT_SIDE))).cpu()


def train_freia(
    train: Digits, noise: Literal["uniform", "gaussian"], minutes: float, device: torch.device
) -> tuple[FreiaNetwork, float]:
    """Train for a number of minutes; the learning rate is divided by ten after each third.

    Returns:
        The network with the weights that were best on held-out pictures, and the training pictures per second.
    """
    torch.manual_seed(0)
    network = FreiaNetwork().to(device)
    optimizer = torch.optim.Adam(network.weights(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    images, labels = train.images.to(device), train.labels.to(device)
    held_out_pictures = _noisy(images[-HELD_OUT:], noise), labels[-HELD_OUT:]
    best, kept, checks, seen = math.inf, network.state_dict(), 0, 0
    begun = time.monotonic()
    with rich_progress(f"Training FrEIA's network, {noise} noise", None) as advance:
        for rows in _batches(len(images) - HELD_OUT, device):
            spent = (time.monotonic() - begun) / (60 * minutes)
            if spent >= (checks + 1) / CHECKS:
                checks = int(spent * CHECKS)
                held_out = _bits(network.eval(), *held_out_pictures)
                if held_out < best:
                    best, kept = held_out, copy.deepcopy(network.state_dict())
            if spent >= 1:
                break
            optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.1 ** int(3 * spent)
            loss = -network.train().encode(_noisy(images[rows], noise), labels[rows])[1].mean() / DIMS
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.weights(), CLIP)
            optimizer.step()
            seen += len(rows)
            advance(len(rows))
    rate = seen / (time.monotonic() - begun)
    network.load_state_dict(kept)
    return network.eval(), rate


def _batches(count: int, device: torch.device) -> Iterator[Tensor]:
    """Yield batches of row numbers, in another order each epoch."""
    while True:
        yield from torch.randperm(count, device=device).split(BATCH)[: count // BATCH]


def _noisy(images: Tensor, noise: str) -> Tensor:
    """Map grays to the network's training input, ``(batch, 1, 28, 28)``."""
    if noise == "uniform":
        return dequantise(images, torch.rand(images.shape, device=images.device))
    x = images.float().unsqueeze(1) / 255
    return x + DEVIATION * GAUSSIAN_NOISE * torch.randn_like(x)


@torch.no_grad()
def _bits(network: FreiaNetwork, x: Tensor, labels: Tensor) -> float:
    return bits_per_dim(network.encode(x, labels)[1]).mean().item()


def _one_hot(labels: Tensor) -> Tensor:
    return functional.one_hot(labels, CLASSES).float()
