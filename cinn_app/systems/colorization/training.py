"""Training a colorizer: mean, segments and flow at once."""

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.utils import make_grid

from cinn_app.data.pack import make_pack, split_held_out
from cinn_app.data.stream import BatchStream
from cinn_app.errors import DataError
from cinn_app.flows.base import as_tuple
from cinn_app.imaging.colour import lightness_and_ab_to_rgb8
from cinn_app.nn.efficientnet import ImageEncoder, load_pretrained_encoder
from cinn_app.systems.colorization.data import ColourBatch, PackedViews, ViewMaker, cache_features
from cinn_app.systems.colorization.fresh_views import FreshViews, PictureMaker
from cinn_app.systems.colorization.model import ColorizationModel, Losses, denormalise
from cinn_app.systems.colorization.recipe import ColorizationRecipe, ColorizationSampling
from cinn_app.systems.colorization.segment_training import SEGMENT_TIME_SHARE, SegmentTraining
from cinn_app.training.trainable import Setup, Trainable

__all__ = ["ColorizationTraining", "held_out_batches", "prepare_training", "prepare_views", "weights_by_pace"]

HELD_OUT_VIEWS = 1024
VIEWS_PER_CHECK = 128
#: Learnt views by which the model tells negatives, and how many of them the encoder reads at once.
POLARITY_VIEWS, POLARITY_BATCH = 3000, 50
SHEET_VIEWS = 12
#: The scales' names in logs, fine to coarse.
SCALES = ("stride 8", "stride 16", "stride 32", "segments")


class ColorizationTraining(Trainable):
    """The squared error of the mean, the energy that segments hold, and the likelihood of every scale.

    Args:
        recipe: architecture, data, objective and schedule.
        model: to be trained; its encoder has a pace of its own, or is frozen.
        views: of the pictures.
        setup: data and start of the training.

    Raises:
        DataError: if there are too few views.
    """

    model: ColorizationModel
    figures = MappingProxyType({"held-out bits/dim": "held_out_bits_per_dim", "held-out/ab rmse": "held_out_ab_rmse"})
    watched = ("bits/dim",)

    def __init__(
        self,
        recipe: ColorizationRecipe,
        model: ColorizationModel,
        views: PackedViews | FreshViews,
        setup: Setup,
    ) -> None:
        learnt, held_out = split_held_out(views.pack.groups, recipe.data.held_out)
        if len(learnt) < recipe.training.batch_size or not len(held_out):
            raise DataError(
                "{views} views, {held_out} of them held out, are too few: at least {batch_size} to learn from "
                "(training.batch_size) and one held out (data.held_out) are needed, so give more pictures with --data "
                "or change these keys of the recipe.",
                views=len(views),
                held_out=len(held_out),
                batch_size=recipe.training.batch_size,
            )
        if recipe.training.encoder_pace:
            model.encoder.unfreeze()
        self.recipe, self.model, self.schedule = recipe, model, recipe.training
        self.batches = BatchStream(views, learnt, recipe.training.batch_size, recipe.training.seed, setup.step)
        self.held_out = held_out_batches(recipe, views, held_out)
        self.views, self.learnt = views, learnt
        if recipe.segment_training:
            self.stages, self.time_share = 2, 1 - SEGMENT_TIME_SHARE
        self.pictures = views.pack.report.pictures
        self.data = ["/".join(source.absolute().parts[-2:]) for source in setup.sources]

    def parameter_groups(self, learning_rate: float) -> list[dict[str, Any]]:
        """Return groups that give the encoder a learning rate of its own."""
        pace = self.recipe.training.encoder_pace
        return weights_by_pace(self.model.parameters(), self.model.encoder, pace * learning_rate)

    def loss(self, batch: ColourBatch) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the loss of one batch."""
        if torch.rand(()) < 0.5:
            batch = batch.mirrored()
        losses = self._losses(batch, self.recipe.objective.details_share)
        return losses.total, {"bits/dim": losses.bits_per_dim, **self._named("train", losses)}

    def measure(self, batch: ColourBatch) -> dict[str, Tensor]:
        """Measure one held-out batch."""
        losses = self._losses(batch)
        return {"held-out bits/dim": losses.bits_per_dim, **self._named("held-out", losses)}

    def picture(self) -> Image.Image:
        """Show some held-out views with their mean and samples."""
        return _sample_sheet(self.model, self.held_out[0].first(SHEET_VIEWS), self.recipe.sampling)

    def next_stage(self, setup: Setup) -> SegmentTraining:
        """Train the flow of the segments' colours alone."""
        assert self.recipe.segment_training is not None
        return SegmentTraining(self, self.recipe.segment_training, setup)

    @torch.no_grad()
    def details(self) -> dict[str, Any]:
        """Fit how the model tells negatives; there is nothing else to say."""
        model, device = self.model, next(self.model.parameters()).device
        order = np.random.default_rng(self.recipe.data.seed).permutation(self.learnt)[:POLARITY_VIEWS]
        learnt = (self.views.batch(chunk) for chunk in np.array_split(order, -(-len(order) // POLARITY_BATCH)))

        def differences(batches: Iterable[ColourBatch]) -> Tensor:
            lightness = (batch.lightness.to(device) for batch in batches)
            return torch.cat([model.polarity.difference(model.encoder(x), model.encoder(100 - x)) for x in lightness])

        model.polarity.fit(differences(learnt), differences(self.held_out))
        return {}

    def _losses(self, batch: ColourBatch, details_share: float = 1.0) -> Losses:
        return self.model.losses(*batch, self.recipe.objective, details_share)

    @staticmethod
    def _named(split: str, losses: Losses) -> dict[str, Tensor]:
        nats = zip(SCALES, losses.nats_by_scale, strict=True)
        figures = {f"{split}/ab rmse": losses.mean_rmse, f"{split}/held energy": losses.held_energy}
        return figures | {f"{split}/nats {scale}": value for scale, value in nats}


def weights_by_pace(
    weights: Iterable[nn.Parameter], encoder: ImageEncoder, learning_rate: float
) -> list[dict[str, Any]]:
    """Return parameter groups for an optimiser, in which the encoder has a learning rate of its own."""
    slow = [weight for weight in encoder.parameters() if weight.requires_grad]
    of_encoder = set(encoder.parameters())
    fast = [weight for weight in weights if weight.requires_grad and weight not in of_encoder]
    return [{"params": fast}, {"params": slow, "lr": learning_rate}]


def prepare_training(recipe: ColorizationRecipe, setup: Setup) -> ColorizationTraining:
    """Pack the pictures, cache the encoder's features of their views, and set up model and batches.

    If the encoder is to be trained, its stem stays the pretrained one, also if the training starts from other weights.

    Raises:
        DataError: if there are no or too few pictures.
    """
    if not setup.sources:
        raise DataError("A colorizer learns from pictures: give folders or archives of them with --data.")
    model = ColorizationModel(recipe.architecture)
    pretrained = load_pretrained_encoder(recipe.architecture.encoder)
    model.encoder.load_state_dict(pretrained.state_dict())
    setup.initialise(model)
    model.encoder.stem.load_state_dict(pretrained.stem.state_dict())  # as cached: checkpoints round it
    return ColorizationTraining(recipe, model, prepare_views(recipe, model.encoder, setup), setup)


def prepare_views(recipe: ColorizationRecipe, encoder: ImageEncoder, setup: Setup) -> PackedViews | FreshViews:
    """Pack the pictures and cache the encoder's features of their views, or find both in the cache.

    Fresh views have no cached features.
    """
    data = recipe.data
    if data.fresh:
        with setup.progress("Packing pictures", None) as advance:
            pack = make_pack(setup.sources, setup.cache, PictureMaker(data.size), advance)
        return FreshViews(pack, data.size, data.aged, data.seed, setup.device)
    maker = ViewMaker(data.size, data.views_sharp, data.views_enlarged, data.aged, data.seed)
    with setup.progress("Packing pictures", None) as advance:
        pack = make_pack(setup.sources, setup.cache, maker, advance)
    with setup.progress("Computing features", pack.report.examples) as advance:
        stem_only = recipe.training.encoder_pace > 0
        features = cache_features(pack, encoder, setup.device, setup.precision, advance, stem_only)
    return PackedViews(pack, features)


def held_out_batches(
    recipe: ColorizationRecipe, views: PackedViews | FreshViews, held_out: np.ndarray
) -> list[ColourBatch]:
    """Choose the batches to watch among the held-out views, always the same."""
    watched = np.random.default_rng(recipe.data.seed).permutation(held_out)[:HELD_OUT_VIEWS]
    return [views.batch(chunk) for chunk in np.array_split(watched, -(-len(watched) // VIEWS_PER_CHECK))]


@torch.inference_mode()
def _sample_sheet(
    model: ColorizationModel, batch: ColourBatch, sampling: ColorizationSampling, samples: int = 4
) -> Image.Image:
    """Show one row per view: gray, true colours, the mean, and samples."""
    device = next(model.parameters()).device
    features = [part.to(device) for part in batch.features]
    conditions = model.condition(batch.lightness.to(device), features)
    generator = torch.Generator().manual_seed(0)
    distribution = model.distribution(conditions)
    drawn = []
    for _ in range(samples):
        latents = as_tuple(distribution.sample_latent((), generator=generator))
        drawn.append(model.cool(model.decode(latents, conditions)[0], conditions, sampling.temperature))
    columns = [torch.zeros_like(batch.ab), batch.ab, denormalise(conditions.mean), *drawn]
    pictures = torch.stack([_show(batch.lightness.cpu(), ab.cpu()) for ab in columns], dim=1).flatten(0, 1)
    return Image.fromarray(make_grid(pictures, nrow=len(columns)).permute(1, 2, 0).numpy())


def _show(lightness: Tensor, ab: Tensor) -> Tensor:
    """Join lightness with enlarged chroma: uint8 ``(batch, 3, size, size)``."""
    enlarged = functional.interpolate(ab.float(), lightness.shape[-2:], mode="bilinear")
    return lightness_and_ab_to_rgb8(lightness, enlarged).movedim(-1, -3)
