"""Training the colorizer: likelihood of every scale, squared error of the mean; afterwards its axes are looked for."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from torchvision.utils import make_grid

from cinn_app.data.features import cache_features
from cinn_app.data.pack import PackReport, PackSettings, make_pack
from cinn_app.data.packed import ColourBatch, PackedViews, split_held_out
from cinn_app.data.stream import BatchStream
from cinn_app.devices import faster_autocast_dtype
from cinn_app.errors import DataError
from cinn_app.imaging.colour import lightness_and_ab_to_rgb8
from cinn_app.networks.encoder import ImageEncoder, load_pretrained_encoder
from cinn_app.progress import Progress
from cinn_app.recipes import ColorizationRecipe, ColorizationSampling
from cinn_app.systems.colorization.axes import axes_to_details, find_colour_axes
from cinn_app.systems.colorization.model import ColorizationModel, Losses, denormalise
from cinn_app.training.guard import TimeLimit
from cinn_app.training.job import Job
from cinn_app.training.likelihood import LikelihoodTraining

__all__ = ["ColorizationTraining", "held_out_batches", "prepare_colorization", "prepare_views", "weights_by_pace"]

HELD_OUT_VIEWS = 1024
VIEWS_PER_CHECK = 128
SHEET_VIEWS = 12
#: The scales' names in logs, fine to coarse.
SCALES = ("stride 8", "stride 16", "stride 32", "stride 64")


class ColorizationTraining(LikelihoodTraining):
    """One objective: the likelihood of every scale, and the squared error of the mean.

    Args:
        model: what learns; its encoder at a pace of its own, or not at all.
        recipe: objective and schedule.
        time_limit: ends the schedule earlier when the minutes run out first.
    """

    model: ColorizationModel

    def __init__(self, model: ColorizationModel, recipe: ColorizationRecipe, time_limit: TimeLimit) -> None:
        super().__init__(model, recipe.training, time_limit)
        self.recipe = recipe
        if recipe.training.encoder_pace:
            model.encoder.unfreeze()

    def weights(self) -> list[dict[str, Any]]:
        """Give the encoder's weights a learning rate of their own."""
        training = self.recipe.training
        return weights_by_pace(
            self.model.parameters(), self.model.encoder, training.encoder_pace * training.learning_rate
        )

    def training_step(self, batch: ColourBatch, batch_idx: int) -> Tensor:
        """Return the loss of one batch."""
        losses = self._losses(batch, self.recipe.objective.flow_share)
        self.log("bits/dim", losses.bits_per_dim, prog_bar=True)
        self._log_losses("train", losses)
        return losses.total

    def validation_step(self, batch: ColourBatch, batch_idx: int) -> None:
        """Measure one held-out batch, with the averaged weights."""
        losses = self._losses(batch)
        self.log("held-out bits/dim", losses.bits_per_dim, prog_bar=True)
        self._log_losses("held-out", losses)

    def _losses(self, batch: ColourBatch, flow_share: float = 1.0) -> Losses:
        return self.model.losses(*batch, self.recipe.objective, flow_share)

    def _log_losses(self, split: str, losses: Losses) -> None:
        self.log(f"{split}/ab rmse", losses.mean_rmse)
        for scale, nats in zip(SCALES, losses.nats_by_scale, strict=True):
            self.log(f"{split}/nats {scale}", nats)


def weights_by_pace(
    weights: Iterable[nn.Parameter], encoder: ImageEncoder, learning_rate: float
) -> list[dict[str, Any]]:
    """Group what learns for an optimiser: the encoder's weights have a learning rate of their own."""
    slow = [weight for weight in encoder.parameters() if weight.requires_grad]
    of_encoder = set(encoder.parameters())
    fast = [weight for weight in weights if weight.requires_grad and weight not in of_encoder]
    return [{"params": fast}, {"params": slow, "lr": learning_rate}]


def prepare_colorization(
    recipe: ColorizationRecipe,
    sources: Sequence[Path],
    cache: Path,
    device: torch.device,
    weights: dict[str, Tensor] | None,
    limit: TimeLimit,
    start: int,
    progress: Progress,
) -> Job:
    """Pack the pictures, cache what the encoder's stem sees of them, and set up model and batches.

    Args:
        recipe: architecture, data, objective and schedule.
        sources: folders, tar archives and pictures to learn from.
        cache: folder for packed pictures and features.
        device: where the encoder computes.
        weights: to begin with; the encoder's stem stays the pretrained one.
        limit: of the training's minutes.
        start: the step to begin with.
        progress: shows how packing, caching and, after the training, the search for axes get on.

    Raises:
        DataError: if there are no or too few pictures.
    """
    if not sources:
        raise DataError("A colorizer learns from pictures: give folders or archives of them with --data.")
    model = ColorizationModel(recipe.architecture)
    pretrained = load_pretrained_encoder(recipe.architecture.encoder)
    if weights is None:
        model.encoder.load_state_dict(pretrained.state_dict())
    else:
        model.load_state_dict(weights)
        model.encoder.stem.load_state_dict(pretrained.stem.state_dict())  # as cached: checkpoints round it
    views, report = prepare_views(recipe, sources, model.encoder, cache, device, progress)
    learnt, held_out = split_held_out(views.groups, recipe.data.held_out)
    if len(learnt) < recipe.training.batch_size or not len(held_out):
        raise DataError(
            f"{len(views)} views, {len(held_out)} of them held out, are too few: at least "
            f"{recipe.training.batch_size} to learn from (training.batch_size) and one held out (data.held_out) are "
            "needed, so give more pictures with --data or change these keys of the recipe."
        )
    checks = held_out_batches(recipe, views, held_out)
    shown = ColourBatch(*(part[:SHEET_VIEWS] for part in checks[0]))
    return Job(
        module=ColorizationTraining(model, recipe, limit),
        batches=BatchStream(views, learnt, recipe.training.batch_size, recipe.training.seed, start),
        checks=checks,
        pictures=report.kept,
        data=["/".join(source.absolute().parts[-2:]) for source in sources],
        sheet=lambda: _sample_sheet(model, shown, recipe.sampling),
        figures={"held-out bits/dim": "held_out_bits_per_dim", "held-out/ab rmse": "held_out_ab_rmse"},
        finish=lambda: axes_to_details(find_colour_axes(model, checks, progress)),
    )


def prepare_views(
    recipe: ColorizationRecipe,
    sources: Sequence[Path],
    encoder: ImageEncoder,
    cache: Path,
    device: torch.device,
    progress: Progress,
) -> tuple[PackedViews, PackReport]:
    """Pack the pictures and let the encoder's stem look at them, or find both where they were made before."""
    data = recipe.data
    settings = PackSettings(data.size, data.views_sharp, data.views_enlarged, data.aged, data.seed)
    with progress("Packing pictures", None) as advance:
        pack, report = make_pack(sources, cache, settings, advance)
    with progress("Reading them with the encoder", report.views) as advance:
        digest = cache_features(pack, encoder, device, faster_autocast_dtype(device), advance)
    return PackedViews(pack, digest), report


def held_out_batches(recipe: ColorizationRecipe, views: PackedViews, held_out: np.ndarray) -> list[ColourBatch]:
    """Choose among the views that are not learnt from those that are looked at, always the same."""
    watched = np.random.default_rng(recipe.data.seed).permutation(held_out)[:HELD_OUT_VIEWS]
    return [views.batch(chunk) for chunk in np.array_split(watched, -(-len(watched) // VIEWS_PER_CHECK))]


@torch.inference_mode()
def _sample_sheet(
    model: ColorizationModel, batch: ColourBatch, sampling: ColorizationSampling, samples: int = 4
) -> Image.Image:
    """Draw one row per view: gray, true colours, the mean, and samples."""
    device = next(model.parameters()).device
    guidance = model.guide(batch.lightness.to(device), batch.seen.to(device))
    generator = torch.Generator().manual_seed(0)
    latents = [model.draw(guidance.mean.shape, sampling.temperature, generator) for _ in range(samples)]
    drawn = [model.decode([z.to(guidance.mean) for z in latent], guidance)[0] for latent in latents]
    columns = [torch.zeros_like(batch.ab), batch.ab, denormalise(guidance.mean), *drawn]
    pictures = torch.stack([_show(batch.lightness, ab.cpu()) for ab in columns], dim=1).flatten(0, 1)
    return Image.fromarray(make_grid(pictures, nrow=len(columns)).permute(1, 2, 0).numpy())


def _show(lightness: Tensor, ab: Tensor) -> Tensor:
    """Join lightness with enlarged chroma: uint8 ``(batch, 3, size, size)``."""
    enlarged = functional.interpolate(ab.float(), lightness.shape[-2:], mode="bilinear")
    return lightness_and_ab_to_rgb8(lightness, enlarged).movedim(-1, -3)
