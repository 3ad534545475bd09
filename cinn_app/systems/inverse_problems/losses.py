r"""The losses of training in both directions: Ardizzone et al. 2019 (arXiv 1808.04730), section 3.3.

A model maps parameters to a measurement and a latent, :math:`[y, z] = f(x)`, or to the latent alone, given the
measurement. Either way the latent must be normal and independent of the measurement, and what is sampled must look like
the prior.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from cinn_app.metrics.mmd import mmd

__all__ = ["backward_ramp", "latent_loss", "prior_loss"]


def latent_loss(z: Tensor, y: Tensor, widths: Sequence[float]) -> Tensor:
    r"""Return :math:`\mathcal L_z`, the MMD of the pairs :math:`(y, f_z(x))` and of :math:`p(y) \, p(z)`.

    Gradients are blocked through ``y``: the latent must become independent of the measurement, not the other way round.

    Args:
        z: latents of parameters, ``(batch, L)``.
        y: the model's predictions of their measurements, or the measurements themselves, ``(batch, M)``. The same
            values serve as draws of :math:`p(y)`, paired with other latents.
        widths: of the kernel.
    """
    y = y.detach()
    independent = torch.cat([torch.randn_like(z), y.roll(1, 0)], dim=1)  # else a pair would share its y
    return mmd(torch.cat([z, y], dim=1), independent, widths)


def prior_loss(sampled: Tensor, x: Tensor, widths: Sequence[float]) -> Tensor:
    r"""Return :math:`\mathcal L_x`, the MMD of samples given measurements, one for each, and of draws of the prior.

    Args:
        sampled: parameters that the model drew, ``(batch, D)``.
        x: parameters from the prior, ``(batch, D)``.
        widths: of the kernel.
    """
    return mmd(sampled, x, widths)


def backward_ramp(progress: float) -> float:
    """Return the factor of :func:`prior_loss`, which rises to 1 by nine tenths of the training.

    In force from the start it would hold samples on the prior before they follow the measurement.

    Args:
        progress: share of the training that is done, in 0..1.

    >>> backward_ramp(0.0), round(backward_ramp(0.5), 3), backward_ramp(1.0)
    (0.004, 0.089, 1.0)
    """
    return min(1.0, 2 * 0.002 ** (1 - progress))
