"""The second stage of a colorizer's training: the flow of the segments' colours learns on alone.

All else is frozen, so what this flow learns from a view is the summary of its segments and the coordinates of its
residual, 40 kB in all. Of cached views they are computed once; after that the flow learns from ten times as many views
in the same time.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cinn_app.data.stream import BatchStream
from cinn_app.devices import place
from cinn_app.recipes import Training
from cinn_app.systems.colorization.data import (
    ColourBatch,
    PackedViews,
    as_batch,
    compute_in_batches,
    weights_digest,
)
from cinn_app.systems.colorization.fresh_views import FreshViews
from cinn_app.systems.colorization.model import ColorizationModel
from cinn_app.systems.colorization.tree_flow import Summary
from cinn_app.training.trainable import Setup, Trainable

if TYPE_CHECKING:
    from cinn_app.systems.colorization.training import ColorizationTraining

__all__ = ["SEGMENT_TIME_SHARE", "FreshSegments", "SegmentBatch", "SegmentTraining", "SegmentViews", "cache_segments"]

PARTS = ("coordinates", *Summary._fields)
#: Of a training with limited minutes.
SEGMENT_TIME_SHARE = 0.25


class SegmentBatch(NamedTuple):
    """Views as the flow of the segments' colours learns from them.

    Attributes:
        coordinates: of the residual along the segments' directions, normalised, ``(batch, 2, K)``.
        summary: of the segments.
    """

    coordinates: Tensor
    summary: Summary

    def mirrored(self) -> "SegmentBatch":
        """Exchange left and right."""
        return self._replace(summary=self.summary.mirrored())


class SegmentViews:
    """The views of a pack, as batches for :class:`SegmentTraining`.

    Args:
        views: the pack.
        names: of the arrays, from :func:`cache_segments`.
    """

    def __init__(self, views: PackedViews, names: list[str]) -> None:
        self._arrays = views.pack.arrays(*names)

    def batch(self, indices: np.ndarray) -> SegmentBatch:
        """Return the views with these numbers."""
        coordinates, *summary = (part.float() for part in self._arrays.rows(indices))
        return SegmentBatch(coordinates, Summary(*summary))


class FreshSegments:
    """New views for every batch, summarised at once.

    Args:
        views: where they come from.
        model: whose encoder, decoder and segmenter are frozen.
        precision: of these networks under autocast.
    """

    def __init__(self, views: FreshViews, model: ColorizationModel, precision: torch.dtype) -> None:
        self._views, self._model, self._precision = views, model, precision

    @torch.no_grad()
    def batch(self, indices: np.ndarray) -> SegmentBatch:
        """Return a view of each of the pictures with these numbers."""
        self._model.decoder.eval()  # without dropout, as the flow will find it
        views = self._views.batch(indices)
        with torch.autocast(views.lightness.device.type, torch.bfloat16, self._precision is torch.bfloat16):
            summary, coordinates = self._model.summarise(*views)
        return SegmentBatch(coordinates.float(), Summary(*(part.float() for part in summary)))


def cache_segments(
    views: PackedViews,
    model: ColorizationModel,
    device: torch.device,
    precision: torch.dtype = torch.float32,
    progress: Callable[[int], None] = lambda views: None,
) -> list[str]:
    """Compute the segments of every view of a pack, what is known about them, and their true colours.

    Args:
        views: with the encoder's features.
        model: whose encoder, decoder and segmenter are frozen.
        device: where they run.
        precision: of the networks under autocast.
        progress: called with the number of views just processed.

    Returns:
        The names of the arrays, which contain a digest of the weights.
    """
    place(model, device).eval()
    frozen = torch.nn.ModuleList([model.encoder, model.decoder, model.segmenter])
    names = [f"{part}-{weights_digest(frozen)}" for part in PARTS]

    def segments(*rows: Tensor) -> list[Tensor]:
        summary, coordinates = model.summarise(*as_batch(*rows))
        sides = (side.to(torch.uint8) for side in (summary.first, summary.second))
        return [coordinates.float(), summary.pooled.half(), summary.sizes.float(), *sides]

    def compute(*rows: np.ndarray) -> list[np.ndarray]:
        return compute_in_batches(segments, rows, device, precision)

    views.pack.derive(names, views.names, compute, progress)
    return names


class SegmentTraining(Trainable):
    """The likelihood of the segments' colours alone; figures and pictures are those of the whole model.

    Args:
        whole: the training that has ended; its model goes on.
        schedule: of this stage.
        setup: device and start of this stage.
    """

    model: ColorizationModel
    watched = ("nats",)
    time_share = SEGMENT_TIME_SHARE

    def __init__(self, whole: "ColorizationTraining", schedule: Training, setup: Setup) -> None:
        self.whole, self.schedule, self.model = whole, schedule, whole.model
        self.figures, self.held_out = whole.figures, whole.held_out
        self.pictures, self.data = whole.pictures, whole.data
        self.noise = whole.recipe.objective.noise
        views = self._views(whole.views, setup)
        self.model.requires_grad_(False)
        for part in (self.model.splits, self.model.flow.base):
            part.requires_grad_(True)
        batch_size = min(schedule.batch_size, len(whole.learnt))
        self.batches = BatchStream(views, whole.learnt, batch_size, schedule.seed, setup.step)

    def _views(self, views: PackedViews | FreshViews, setup: Setup) -> SegmentViews | FreshSegments:
        if isinstance(views, FreshViews):
            return FreshSegments(views, place(self.model, setup.device), setup.precision)
        with setup.progress("Computing segments", len(views)) as advance:
            names = cache_segments(views, self.model, setup.device, setup.precision, advance)
        return SegmentViews(views, names)

    def loss(self, batch: SegmentBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of one batch."""
        if torch.rand(()) < 0.5:
            batch = batch.mirrored()
        nats = self.model.segment_nats(batch.summary, batch.coordinates, self.noise)
        return nats, {"nats": nats.detach()}

    def measure(self, batch: ColourBatch) -> dict[str, Tensor]:
        """Measure one held-out batch."""
        return self.whole.measure(batch)

    def picture(self) -> Image.Image:
        """Show some held-out views with their mean and samples."""
        return self.whole.picture()

    def details(self) -> dict[str, object]:
        """Complete the model as the first stage would have."""
        return self.whole.details()
