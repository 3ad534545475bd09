"""From a recipe and pictures to a checkpoint."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EMAWeightAveraging
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch.utils.data import DataLoader

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from cinn_app.data.features import cache_features
from cinn_app.data.pack import PackReport, PackSettings, make_pack
from cinn_app.data.packed import BatchStream, ColourBatch, PackedViews, split_held_out
from cinn_app.devices import choose_device, faster_autocast_dtype
from cinn_app.errors import CheckpointError, DataError, TrainingError
from cinn_app.networks.encoder import load_pretrained_encoder
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import Recipe
from cinn_app.systems.colorization import ColorizationModel
from cinn_app.training.bar import TrainingBar
from cinn_app.training.guard import DivergenceGuard, StateSaver, TimeLimit
from cinn_app.training.likelihood import ColorizationTraining
from cinn_app.training.sheets import SampleSheets

__all__ = ["prepare_views", "train"]

STEPS_BETWEEN_CHECKS = 500
HELD_OUT_VIEWS = 1024
SHEET_VIEWS = 12


def train(
    recipe: Recipe,
    sources: Sequence[Path],
    output: Path,
    run: Path,
    cache: Path,
    device: str = "auto",
    resume: bool = False,
    start_from: str | Path | None = None,
    max_minutes: float | None = None,
    progress: Progress = no_progress,
) -> Checkpoint:
    """Train a recipe's system and write its checkpoint.

    Args:
        recipe: architecture, data, objective and schedule.
        sources: folders, tar archives and pictures to learn from.
        output: the checkpoint's path.
        run: folder for logs, sample sheets and the state from which to resume.
        cache: folder for packed pictures and features.
        device: a name for :func:`cinn_app.devices.choose_device`.
        resume: go on from the state in `run`.
        start_from: a checkpoint, by path or name, whose weights a new training begins with; the encoder's stay the
            pretrained ones.
        max_minutes: stop after so long; the schedule then ends with them.
        progress: shows how packing and caching get on.

    Returns:
        The checkpoint that was written.

    Raises:
        DataError, DeviceError, TrainingError, CheckpointError: as their sentences say.
    """
    chosen = choose_device(device)
    state = run / "state.ckpt"
    if resume and not state.is_file():
        raise TrainingError(f"There is no state to resume in {run}: start without --resume.")
    if state.is_file() and not resume:
        raise TrainingError(
            f"A training was begun in {run} already: go on with --resume, or give another folder with --run."
        )
    pl.seed_everything(recipe.training.seed, verbose=False)
    model = ColorizationModel(recipe.architecture)
    if start_from is not None:
        _take_weights(model, find_checkpoint(start_from))
    model.encoder.load_state_dict(load_pretrained_encoder(recipe.architecture.encoder).state_dict())
    views, report = prepare_views(recipe, sources, model, cache, chosen, progress)
    learnt, held_out = split_held_out(views.groups, recipe.data.held_out)
    if len(learnt) < recipe.training.batch_size or not len(held_out):
        raise DataError(
            f"{len(views)} views, {len(held_out)} of them held out, are too few: at least "
            f"{recipe.training.batch_size} to learn from (training.batch_size) and one held out (data.held_out) are "
            "needed, so give more pictures with --data or change these keys of the recipe."
        )

    limit = TimeLimit(max_minutes)
    module = ColorizationTraining(model, recipe, limit)
    rng = np.random.default_rng(recipe.data.seed)
    watched = rng.permutation(held_out)[:HELD_OUT_VIEWS]
    trainer = _trainer(recipe, run, chosen, limit, views.batch(watched[:SHEET_VIEWS]))
    start = _step_of(state) if resume else 0
    stream = BatchStream(views, learnt, recipe.training.batch_size, recipe.training.seed, start)
    checks = _loader([views.batch(chunk) for chunk in np.array_split(watched, -(-len(watched) // 128))])
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and loggers, not for users
        trainer.fit(
            module,
            _loader(stream),
            checks,
            ckpt_path=str(state) if resume else None,
            weights_only=True,
        )
        measured = trainer.validate(module, checks, verbose=False)[0]
    checkpoint = Checkpoint(
        recipe,
        dict(model.state_dict()),
        {
            "steps": trainer.global_step,
            "views_seen": trainer.global_step * recipe.training.batch_size,
            "pictures": report.kept,
            "held_out_bits_per_dim": round(measured["held-out bits/dim"], 4),
            "held_out_ab_rmse": round(measured["held-out/ab rmse"], 3),
        },
        [source.name for source in sources],
    )
    save_checkpoint(output, checkpoint)
    return checkpoint


def prepare_views(
    recipe: Recipe,
    sources: Sequence[Path],
    model: ColorizationModel,
    cache: Path,
    device: torch.device,
    progress: Progress = no_progress,
) -> tuple[PackedViews, PackReport]:
    """Pack the pictures and cache the encoder's features, or find both where they were made before."""
    data = recipe.data
    settings = PackSettings(data.size, data.views_sharp, data.views_enlarged, data.aged, data.seed)
    with progress("Packing pictures", None) as advance:
        pack, report = make_pack(sources, cache, settings, advance)
    with progress("Reading them with the encoder", report.views) as advance:
        digest = cache_features(pack, model.encoder, device, faster_autocast_dtype(device), advance)
    return PackedViews(pack, digest), report


def _trainer(recipe: Recipe, run: Path, device: torch.device, limit: TimeLimit, shown: ColourBatch) -> pl.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        max_steps=recipe.training.steps,
        accelerator=device.type,
        devices=1 if device.type != "cuda" else "auto",
        precision="bf16-mixed" if faster_autocast_dtype(device) else "32-true",
        gradient_clip_val=recipe.training.gradient_clip,
        val_check_interval=STEPS_BETWEEN_CHECKS,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        enable_checkpointing=False,
        enable_model_summary=False,
        enable_progress_bar=False,
        logger=[
            CSVLogger(run, name="", version="csv"),
            TensorBoardLogger(run, name="", version="tensorboard"),
        ],
        callbacks=[
            limit,
            DivergenceGuard(),
            EMAWeightAveraging(decay=recipe.training.ema_decay),
            SampleSheets(shown, run / "sheets", recipe.sampling),
            StateSaver(run / "state.ckpt"),
            TrainingBar(limit, recipe.training.batch_size),
        ],
    )


def _take_weights(model: ColorizationModel, path: Path) -> None:
    try:
        model.load_state_dict(load_checkpoint(path).weights)
    except RuntimeError as error:  # what strict loading raises
        raise CheckpointError(
            f"The weights in {path} do not fit this recipe: start from a checkpoint of the same architecture."
        ) from error


def _step_of(state: Path) -> int:
    try:
        return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except Exception as error:  # whatever a damaged archive raises
        raise TrainingError(
            f"The training state {state} is damaged ({error}): start again without --resume."
        ) from error


def _loader(batches: Any) -> DataLoader[ColourBatch]:
    """Hand whole batches on as they are."""
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
