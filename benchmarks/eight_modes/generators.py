"""Contestants that are one network of noise and label: adversarial, with MMD, and with dropout for noise."""

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from cinn_app.metrics.mmd import mmd
from eight_modes.contestant import PARAMETERS, Contestant, descend, fitting_width, mlp

__all__ = ["ConditionalGAN", "DropoutSampling", "LargeConditionalGAN", "MMDGenerator"]

#: Values of the noise, more than the two that points have: fewer make the modes hard to part.
NOISE = 8
#: Kernel widths of the MMD of scaled points and labels.
WIDTHS = (0.05, 0.2, 0.9)


class Generator(Contestant):
    """A network from noise and label to a point."""

    def __init__(self, labels: int, parameters: int = PARAMETERS) -> None:
        super().__init__()
        width = fitting_width(lambda width: mlp(NOISE + labels, width, 2), parameters)
        self.generator = mlp(NOISE + labels, width, 2)

    @property
    def sampler(self) -> nn.Module:
        return self.generator

    def sample(self, y: Tensor) -> Tensor:
        return self.generator(torch.cat([torch.randn(len(y), NOISE), y], 1))


class MMDGenerator(Generator):
    """The generator learns from the MMD of drawn and of simulated pairs of point and label, without a discriminator.

    The labels in the pairs are without noise: else every drawn point is pulled to the simulated one of the same noise.
    """

    learning_rate = 4e-3

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        code = y.round()
        return 100 * mmd(torch.cat([self.sample(y), code], 1), torch.cat([x, code], 1), WIDTHS)


class ConditionalGAN(Generator):
    """Conditional GAN, with the loss that does not saturate and a gradient penalty on simulated pairs.

    Mirza and Osindero 2014 (arXiv 1411.1784); the penalty is R1 of Mescheder et al. 2018 (arXiv 1801.04406), without
    which modes are lost.
    """

    betas = (0.0, 0.99)
    learning_rate = 2e-3
    penalty = 0.02

    def __init__(self, labels: int, parameters: int = PARAMETERS) -> None:
        super().__init__(labels, parameters)
        width = fitting_width(lambda width: mlp(2 + labels, width, 1), parameters)
        self.discriminator = mlp(2 + labels, width, 1)

    def optimizers(self) -> list[torch.optim.Optimizer]:
        return [self.optimizer(network.parameters()) for network in (self.generator, self.discriminator)]

    def train_step(self, x: Tensor, y: Tensor, progress: float, optimizers: list[torch.optim.Optimizer]) -> None:
        generator, discriminator = optimizers
        real = torch.cat([x, y], 1).requires_grad_()
        with torch.no_grad():
            fake = torch.cat([self.sample(y), y], 1)
        score = self.discriminator(real)
        (slope,) = torch.autograd.grad(score.sum(), real, create_graph=True)
        loss = softplus(-score).mean() + softplus(self.discriminator(fake)).mean()
        descend(loss + self.penalty / 2 * slope[:, :2].square().sum(1).mean(), discriminator)
        descend(softplus(-self.discriminator(torch.cat([self.sample(y), y], 1))).mean(), generator)


class LargeConditionalGAN(ConditionalGAN):
    """The same with four times as many weights in each of both networks."""

    def __init__(self, labels: int) -> None:
        super().__init__(labels, 4 * PARAMETERS)


class DropoutSampling(Contestant):
    """A regression with a predicted variance; dropout stays on in sampling.

    Kendall and Gal 2017 (arXiv 1703.04977).
    """

    dropout = 0.2

    def __init__(self, labels: int) -> None:
        super().__init__()
        width = fitting_width(lambda width: mlp(labels, width, 4))
        self.network = mlp(labels, width, 4, dropout=self.dropout)

    @property
    def sampler(self) -> nn.Module:
        return self.network

    def loss(self, x: Tensor, y: Tensor, progress: float) -> Tensor:
        mean, log_deviation = self.network(y).chunk(2, 1)
        return (((x - mean) * (-log_deviation).exp()).square() / 2 + log_deviation).mean()

    def sample(self, y: Tensor) -> Tensor:
        mean, log_deviation = self.network.train()(y).chunk(2, 1)
        return mean + log_deviation.exp() * torch.randn_like(mean)
