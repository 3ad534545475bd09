"""Bending samples towards what a user wishes, with what the model holds for probable in mind."""

from torch import Tensor
from torch.nn import functional

from cinn_app.data.pack import TARGET_STRIDE
from cinn_app.imaging import Photograph, blend_by_distance, edge_distances
from cinn_app.systems.canvas import Canvas
from cinn_app.systems.colorization import ColorizationModel, Guidance
from cinn_app.systems.hints import Hints
from cinn_app.systems.search import search_latents

__all__ = ["meet_hints"]

#: How much farther than a hint itself the model's answer to it counts.
ANSWER_WIDTH = 1.25


def meet_hints(
    model: ColorizationModel, guidance: Guidance, ab: Tensor, photograph: Photograph, canvas: Canvas, hints: Hints
) -> Tensor:
    """Bend samples so that hinted things have the hinted colours, up to their edges.

    First the most probable latents that agree are searched. What they change is taken over around the hints, as far as
    the edges of the lightness let it reach: the flow's wavelets know nothing of things, and left alone would lay a cast
    over a quarter of the picture. What is then missing of the hinted colours is put in their own, narrower reach, and
    the last of it, pixel by pixel, in the finished picture (:func:`cinn_app.imaging.put_colours`).

    Args:
        model: whose flow is searched.
        guidance: of the photograph, ``batch`` times.
        ab: the samples in Lab units, ``(batch, 2, height / 4, width / 4)``.
        photograph: at full resolution.
        canvas: how it lies before the network.
        hints: of this photograph.

    Returns:
        Chroma of the samples' shape.
    """
    distances = edge_distances(photograph.lightness, hints.places(photograph.size))
    near, wanted = blend_by_distance(distances, hints.ab)
    around, _ = blend_by_distance(distances, hints.ab, ANSWER_WIDTH)
    field = canvas.height // TARGET_STRIDE, canvas.width // TARGET_STRIDE
    weight, total, answering = (
        canvas.extend(functional.adaptive_avg_pool2d(part, field)[None]).to(ab)
        for part in (near, near * wanted, around)
    )
    wanted = total / weight.clamp(min=1e-6)
    found = search_latents(model, guidance, ab, wanted, weight)
    bent = ab + answering * (found - ab)
    return bent + weight * (wanted - bent)
