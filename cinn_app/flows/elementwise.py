"""Maps of each value or channel on its own: normalisation of activations, and the logit."""

import math
from typing import cast

import torch
from torch import Tensor, nn

from cinn_app.flows.base import Bijection, Condition, FlowError
from cinn_app.flows.numerics import sum_per_sample, without_autocast

__all__ = ["ActNorm", "Logit"]


class ActNorm(Bijection):
    r"""One learned scale and shift per channel: :math:`z = x \odot e^s + t`.

    * inverse: :math:`x = (z - t) \odot e^{-s}`;
    * log-determinant: ``height * width *`` the sum of :math:`s` (for vectors, one pixel).

    The first batch that ``forward`` gets in training mode sets :math:`s` and :math:`t` so that each of its channels
    comes out with mean 0 and variance 1 (a constant channel keeps its scale). A batch without values, or with values
    that are not finite, is passed through as it is, and the next one is used instead. After that both are ordinary
    parameters. Nothing depends on the data by a branch, so :func:`torch.compile` keeps one graph. Glow, Kingma and
    Dhariwal 2018 (arXiv 1807.03039), section 3.1.

    Args:
        channels: those of ``x`` of shape ``(batch, channels, ...)``; :math:`s` and :math:`t` are ``(channels,)``.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import ActNorm
        >>> norm = ActNorm(4)
        >>> z, log_det = norm(5 + 3 * torch.randn(100, 4))
        >>> torch.allclose(z.std(0, correction=0), torch.ones(4), atol=1e-5)
        True
        >>> norm
        ActNorm(channels=4, initialised=True)
    """

    channels: int
    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.shift = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.tensor(False))
        self._known_initialised = False  # a copy of the buffer that costs no transfer from the device
        self.register_load_state_dict_post_hook(_forget)

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        x = self._data(x)
        with without_autocast(x):
            if self.training and not self._known_initialised:
                self._initialise(x)
            return x * self._per_pixel(self.log_scale, x).exp() + self._per_pixel(self.shift, x), self._log_det(x)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        with without_autocast(z):
            x = (z - self._per_pixel(self.shift, z)) * (-self._per_pixel(self.log_scale, z)).exp()
            return x, -self._log_det(z)

    @torch.no_grad()
    def _initialise(self, x: Tensor) -> None:
        if x.numel() == 0:
            return
        deviation, mean = torch.std_mean(x.detach().transpose(0, 1).flatten(1), dim=1, correction=0)
        scale = torch.where(deviation > 1e-6, 1 / deviation, 1.0)
        use = ~self.initialised & deviation.isfinite().all()
        self.log_scale.copy_(torch.where(use, scale.log(), self.log_scale))
        self.shift.copy_(torch.where(use, -mean * scale, self.shift))
        self.initialised.logical_or_(use)
        if not torch.compiler.is_compiling():
            self._known_initialised = bool(self.initialised)

    @staticmethod
    def _per_pixel(values: Tensor, x: Tensor) -> Tensor:
        return values.to(x.dtype).view(-1, *[1] * (x.dim() - 2))

    def _log_det(self, x: Tensor) -> Tensor:
        pixels = x.shape[2:].numel()
        return (self.log_scale.to(x.dtype).sum() * pixels).expand(x.shape[0])

    def extra_repr(self) -> str:
        return f"channels={self.channels}, initialised={bool(self.initialised)}"


def _forget(module: nn.Module, _: object) -> None:
    """After loading, read from the buffer again whether the block is initialised."""
    cast(ActNorm, module)._known_initialised = False


class Logit(Bijection):
    r"""From a bounded range to the real line: :math:`z = \mathrm{logit}(p), \; p = m + (1 - 2m) \, x`, ``x`` in 0..1.

    * inverse: :math:`x = (\mathrm{sigmoid}(z) - m) / (1 - 2m)`;
    * log-determinant: the sum of :math:`\log(1 - 2m) - \log p - \log(1 - p)` over all values.

    Densities concentrate at the ends of a bounded range, in pictures at black and white. This map spreads them out
    there, and keeps what is generated inside. RealNVP, Dinh et al. 2016 (arXiv 1605.08803), section 4.1.

    Args:
        margin: :math:`m`, 0 or more and less than 0.5, which keeps the images of 0 and 1 finite.

    Values of ``x`` outside the range by :math:`m / (1 - 2m)` or more have no image and become infinite or nan.

    Raises:
        FlowError: if the margin is outside its range.

    Examples:
        >>> import torch
        >>> from cinn_app.flows import Logit
        >>> Logit(0.05)(torch.tensor([[0.0, 0.5, 1.0]]))[0]
        tensor([[-2.9444,  0.0000,  2.9444]])
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        if not 0 <= margin < 0.5:
            raise FlowError("The margin is {margin} where 0 or more and less than 0.5 is needed.", margin=margin)
        self.margin = margin

    def forward(self, x: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        p = self.margin + (1 - 2 * self.margin) * self._data(x)
        log_slope = math.log(1 - 2 * self.margin) - p.log() - (-p).log1p()
        return p.logit(), sum_per_sample(log_slope)

    def inverse(self, z: Tensor, condition: Condition = None) -> tuple[Tensor, Tensor]:
        z = self._latent(z)
        log_p, log_rest = nn.functional.logsigmoid(z), nn.functional.logsigmoid(-z)
        log_slope = log_p + log_rest - math.log(1 - 2 * self.margin)
        return (z.sigmoid() - self.margin) / (1 - 2 * self.margin), sum_per_sample(log_slope)

    def extra_repr(self) -> str:
        return f"margin={self.margin}"
