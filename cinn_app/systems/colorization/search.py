r"""Searching the latent space for the most probable colouring that agrees with a wish.

From the latent :math:`z_0` of a sample, gradient steps through the flow's inverse lead to

.. math:: z^* = \arg\min_z \tfrac12 \lVert z - z_0 \rVert^2 + \mathrm{cost}(ab(z))

which is what maximising :math:`\log N(z; 0, 1)` under the wish gives when it starts from a draw: for a linear decoder,
a quadratic cost and :math:`z_0 \sim N(0, 1)` it draws exactly from the latents given the wish (randomise, then
optimise: Bardsley et al. 2014), so that other seeds stay other colourings.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from cinn_app.systems.colorization.model import ColorizationModel, Guidance

__all__ = ["search_latents"]

#: Steps of Adam, and how far the first one goes in each latent value; steps get shorter towards the end.
STEPS, STEP_SIZE = 16, 0.18
#: Colourings that are searched at once.
BATCH = 8


def search_latents(
    model: ColorizationModel,
    guidance: Guidance,
    ab: Tensor,
    cost: Callable[[Tensor], Tensor],
    common: bool = False,
) -> Tensor:
    """Find the most probable chroma near each sample that agrees with a wish.

    Args:
        model: whose flow is searched; its weights stay as they are.
        guidance: of the photograph, ``batch`` times.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        cost: how far each chroma of a batch is from the wish, in nats, ``(batch,)``; its own tensors must not be made
            in inference mode.
        common: take one step for all places of the coarsest latent alike, and leave the other scales as they are.

    Returns:
        Chroma of the samples' shape.
    """
    # Tensors made in inference mode cannot take part in gradients, but their copies made outside of it can.
    with torch.inference_mode(False):
        found = []
        for part in torch.arange(len(ab), device=ab.device).split(BATCH):
            one = Guidance(guidance.mean[part].clone(), tuple(c[part].clone() for c in guidance.conditions))
            found.append(_search(model, one, ab[part].clone(), cost, common))
        return torch.cat(found)


def _search(
    model: ColorizationModel,
    guidance: Guidance,
    ab: Tensor,
    cost: Callable[[Tensor], Tensor],
    common: bool,
) -> Tensor:
    with torch.no_grad():
        start, _ = model.encode(ab, guidance)
    steps = [torch.zeros_like(start[-1][..., :1, :1])] if common else [torch.zeros_like(z) for z in start]
    still, moving = start[: -len(steps)], start[-len(steps) :]
    optimizer = torch.optim.Adam([step.requires_grad_() for step in steps], STEP_SIZE)
    shorten = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: (1 - step / STEPS) ** 0.5)

    def decoded() -> Tensor:
        moved = (z + step for z, step in zip(moving, steps, strict=True))
        return model.decode([*still, *moved], guidance)[0]

    with torch.enable_grad():
        for _ in range(STEPS):
            away = sum(step.expand_as(z).square().sum() for z, step in zip(moving, steps, strict=True))
            total = cost(decoded()).sum() + away / 2
            for step, gradient in zip(steps, torch.autograd.grad(total, steps), strict=True):
                step.grad = gradient
            optimizer.step()
            shorten.step()
    with torch.no_grad():
        return decoded()
