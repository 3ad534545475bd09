"""A bijection and a standard normal latent make a distribution."""

import itertools
import math
from collections.abc import Sequence
from typing import TypeAlias, cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition, Latent
from cinn_app.flows.numerics import full_precision, sum_per_sample
from cinn_app.flows.shapes import ShapeError, as_tuple

__all__ = ["NormalizingFlow", "Temperature", "standard_normal_log_prob"]

#: The standard deviation of the latent: one for all scales, or one per scale, fine to coarse.
Temperature: TypeAlias = float | Sequence[float]


def standard_normal_log_prob(z: Latent) -> Tensor:
    r"""Log-density of a standard normal latent: :math:`\log p(z) = -\tfrac12 \sum_i (z_i^2 + \log 2\pi)`.

    Args:
        z: ``(batch, ...)``, or a tuple of such: the sum runs over all of them.

    Returns:
        ``(batch,)``, in nats.

    Examples:
        >>> standard_normal_log_prob(torch.zeros(2, 4)) / 4
        tensor([-0.9189, -0.9189])
    """
    scales = [full_precision(scale) for scale in as_tuple(z)]
    return torch.stack([-(sum_per_sample(s.square()) + s[0].numel() * math.log(2 * math.pi)) / 2 for s in scales]).sum(
        0
    )


class NormalizingFlow(nn.Module):
    r"""The distribution of :math:`x = f^{-1}(z; c)` for standard normal :math:`z`.

    .. math::
        \log p(x \mid c) = \log \mathcal N(f(x; c); 0, 1) + \log |\det \partial f / \partial x|

    Args:
        bijection: :math:`f`, from data to latent.

    Examples:
        >>> from cinn_app.flows import HaarDownsampling, NormalizingFlow
        >>> flow = NormalizingFlow(HaarDownsampling())
        >>> x = flow.sample((5, 4, 3, 3), generator=torch.Generator().manual_seed(0))
        >>> x.shape, flow.log_prob(x).shape
        (torch.Size([5, 1, 6, 6]), torch.Size([5]))
    """

    def __init__(self, bijection: Bijection) -> None:
        super().__init__()
        self.bijection = bijection

    def log_prob(self, x: Tensor, condition: Condition = None) -> Tensor:
        """Return the log-density of ``x`` of shape ``(batch, ...)``: ``(batch,)``, in nats."""
        z, log_det = self.bijection(x, condition)
        return standard_normal_log_prob(z) + log_det

    def sample(
        self,
        shape: Sequence[int] | Sequence[Sequence[int]],
        condition: Condition = None,
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Draw samples; the arguments are those of :meth:`sample_with_log_prob`."""
        return self.sample_with_log_prob(shape, condition, temperature, generator)[0]

    def sample_with_log_prob(
        self,
        shape: Sequence[int] | Sequence[Sequence[int]],
        condition: Condition = None,
        temperature: Temperature = 1.0,
        generator: torch.Generator | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Draw samples and their log-densities.

        Args:
            shape: of the latent, batch included; for multi-scale flows a sequence of shapes, fine to coarse.
            condition: what steers the flow, with the same batch size.
            temperature: the latent's standard deviation, one or one per scale.
            generator: draws on its own device, so that a seed means the same latents wherever the flow is.

        Returns:
            ``x`` and its log-density, which is always the *flow's own*, at temperature 1: a low temperature
            draws probable samples, it does not change how probable they are.
        """
        z = self._draw(shape, condition, temperature, generator)
        x, log_det = self.bijection.inverse(cast(Tensor, z), condition)  # multi-scale flows take a tuple
        return x, standard_normal_log_prob(z) - log_det

    def _draw(
        self,
        shape: Sequence[int] | Sequence[Sequence[int]],
        condition: Condition,
        temperature: Temperature,
        generator: torch.Generator | None,
    ) -> Latent:
        several = not isinstance(shape[0], int)
        shapes: list[Sequence[int]] = list(shape) if several else [shape]  # type: ignore[arg-type, list-item]
        temperatures = [temperature] * len(shapes) if isinstance(temperature, int | float) else list(temperature)
        if len(temperatures) != len(shapes):
            raise ShapeError(
                f"{len(temperatures)} temperatures were given where the latent has {len(shapes)} scales; "
                "give one number, or one per scale, fine to coarse."
            )
        like = self._like(condition)
        device = like.device if generator is None else generator.device
        latents = tuple(
            (torch.randn(*size, generator=generator, dtype=like.dtype, device=device) * deviation).to(like.device)
            for size, deviation in zip(shapes, temperatures, strict=True)
        )
        return latents if several else latents[0]

    def _like(self, condition: Condition) -> Tensor:
        """Return a tensor of the dtype and device to sample in: the weights', else the condition's."""
        floating = (t for t in itertools.chain(self.parameters(), self.buffers()) if t.is_floating_point())
        steering = [condition] if isinstance(condition, Tensor) else condition or ()
        like = next(itertools.chain(floating, steering), torch.empty(0))
        return full_precision(like.new_empty(0))
