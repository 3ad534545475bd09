r"""Searching the latent space for the most probable colouring that agrees with a wish.

From the latent :math:`z_0` of a sample, gradient steps through the flow's inverse lead to

.. math:: z^* = \arg\min_z \tfrac12 \lVert z - z_0 \rVert^2
          + \frac{1}{2 \sigma^2} \sum_p w_p \lVert ab_p(z) - \widehat{ab}_p \rVert^2

which is what maximising :math:`\log N(z; 0, 1)` under the wish gives when it starts from a draw: for a linear decoder
and :math:`z_0 \sim N(0, 1)` it draws exactly from the latents given the wish (randomise, then optimise: Bardsley et al.
2014), so that other seeds stay other colourings.
"""

import torch
from torch import Tensor

from cinn_app.systems.colorization import ColorizationModel, Guidance

__all__ = ["search_latents"]

#: Steps of Adam, and how far the first one goes in each latent value; steps get shorter towards the end.
STEPS, STEP_SIZE = 12, 0.2
#: A wish is held to within so many Lab units.
TOLERANCE = 3.0
#: Colourings that are searched at once.
BATCH = 8


def search_latents(model: ColorizationModel, guidance: Guidance, ab: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    """Find the most probable chroma near each sample that agrees with a wish.

    Args:
        model: whose flow is searched; its weights stay as they are.
        guidance: of the photograph, ``batch`` times.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        wanted: the wish in Lab units, of the same shape or a batch of one.
        weight: how much it matters at each place, 0 to 1, ``(batch or 1, 1, height / 4, width / 4)``.

    Returns:
        Chroma of the samples' shape.
    """
    # Tensors made in inference mode cannot take part in gradients, but their copies made outside of it can.
    with torch.inference_mode(False):
        found = []
        for part in torch.arange(len(ab)).split(BATCH):
            one = Guidance(guidance.mean[part].clone(), tuple(c[part].clone() for c in guidance.conditions))
            wish = (t.expand(len(ab), -1, -1, -1)[part].clone() for t in (wanted, weight))
            found.append(_search(model, one, ab[part].clone(), *wish))
        return torch.cat(found)


def _search(model: ColorizationModel, guidance: Guidance, ab: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    with torch.no_grad():
        start, _ = model.encode(ab, guidance)
    latents = [z.clone().requires_grad_() for z in start]
    steps = torch.optim.Adam(latents, STEP_SIZE)
    shorten = torch.optim.lr_scheduler.LambdaLR(steps, lambda step: (1 - step / STEPS) ** 0.5)
    with torch.enable_grad():
        for _ in range(STEPS):
            off = (model.decode(latents, guidance)[0] - wanted) / TOLERANCE
            away = [z - z0 for z, z0 in zip(latents, start, strict=True)]
            cost = ((weight * off.square()).sum() + sum(d.square().sum() for d in away)) / 2
            for z, gradient in zip(latents, torch.autograd.grad(cost, latents), strict=True):
                z.grad = gradient
            steps.step()
            shorten.step()
    with torch.no_grad():
        return model.decode(latents, guidance)[0]
