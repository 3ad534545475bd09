"""From a recipe and data to a checkpoint, for any system."""

import dataclasses
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from cinn_app.devices import choose_device, resolve_precision
from cinn_app.errors import CheckpointError, TrainingError
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import Recipe, Training
from cinn_app.registry import systems
from cinn_app.training.averaging import MovingAverage
from cinn_app.training.bar import TrainingBar
from cinn_app.training.guard import DivergenceGuard, StateSaver, TimeLimit
from cinn_app.training.module import TrainingModule
from cinn_app.training.pictures import TrainingPictures
from cinn_app.training.trainable import Setup, Trainable

__all__ = ["train"]

STEPS_BETWEEN_CHECKS = 500


def train(
    recipe: Recipe,
    sources: Sequence[Path],
    output: Path,
    run: Path,
    cache: Path,
    device: str = "auto",
    precision: str = "auto",
    resume: bool = False,
    start_from: Sequence[str | Path] = (),
    max_minutes: float | None = None,
    progress: Progress = no_progress,
) -> Checkpoint:
    """Train a recipe's system and write its checkpoint.

    Args:
        recipe: architecture, data, objective and schedule.
        sources: what to learn from: for a colorizer folders, tar archives and pictures; for digits the folder that
            holds MNIST/raw, or nothing to download MNIST into the cache.
        output: the checkpoint's path.
        run: folder for logs, sample sheets and the state from which to resume.
        cache: folder for packed pictures and features.
        device: a name for :func:`cinn_app.devices.choose_device`.
        precision: a name for :func:`cinn_app.devices.resolve_precision`.
        resume: continue from the state in `run`.
        start_from: checkpoints, by path or name; a new training begins with the average of their weights.
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
        raise TrainingError("There is no state to resume in {run}: start without --resume.", run=run)
    if state.is_file() and not resume:
        raise TrainingError(
            "A training has already started in {run}: continue it with --resume, or give another folder with --run.",
            run=run,
        )
    pl.seed_everything(recipe.training.seed, verbose=False)
    limit = TimeLimit(max_minutes)
    setup = Setup(
        sources=sources,
        cache=cache,
        device=chosen,
        precision=resolve_precision(precision, chosen),
        step=_step_of(state) if resume else 0,
        progress=progress,
    )
    trainable = _prepare(recipe, setup, start_from)
    module = TrainingModule(trainable, recipe.training, limit)
    trainer = _trainer(recipe.training, run, setup, limit, trainable)
    checks = _loader(trainable.held_out)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and loggers, not for users
        trainer.fit(
            module, _loader(trainable.batches), checks, ckpt_path=str(state) if resume else None, weights_only=True
        )
        measured = trainer.validate(module, checks, verbose=False)[0]
    module.eval()
    details = trainable.details()
    checkpoint = Checkpoint(
        recipe,
        dict(trainable.model.state_dict()),
        {
            "steps": trainer.global_step,
            "views_seen": trainer.global_step * recipe.training.batch_size,
            "pictures": trainable.pictures,
            **{name: round(measured[logged], 4) for logged, name in trainable.figures.items()},
        },
        list(trainable.data),
        details,
    )
    save_checkpoint(output, checkpoint)
    return checkpoint


def _prepare(recipe: Recipe, setup: Setup, start_from: Sequence[str | Path]) -> Trainable:
    """Let the recipe's system set up its training."""
    paths = [find_checkpoint(name) for name in start_from]
    prepare: Callable[[Recipe, Setup], Trainable] = systems()[recipe.system].load("training")
    try:
        weights = _average([load_checkpoint(path).weights for path in paths]) if paths else None
        return prepare(recipe, dataclasses.replace(setup, weights=weights))
    except RuntimeError as error:  # what strict loading raises
        if not paths:
            raise
        raise CheckpointError(
            "The weights in {paths} do not fit this recipe: start from checkpoints of the same architecture.",
            paths=" and ".join(map(str, paths)),
        ) from error


def _average(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Average weights that were trained from a common beginning: a model soup (Wortsman et al. 2022, arXiv 2203.05482).

    Raises:
        RuntimeError: if they are not of the same architecture.
    """
    if any(weights.keys() != several[0].keys() for weights in several):
        raise RuntimeError("the names of the weights differ")
    averaged = dict(several[0])  # also what is no fraction, such as counters
    for name, first in averaged.items():
        if first.is_floating_point():
            averaged[name] = torch.stack([weights[name].float() for weights in several]).mean(0)
    return averaged


def _trainer(training: Training, run: Path, setup: Setup, limit: TimeLimit, trainable: Trainable) -> pl.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        max_steps=training.steps,
        accelerator=setup.device.type,
        devices=1,  # the batches' stream does not know its rank: several would train on the same ones
        precision="bf16-mixed" if setup.precision is torch.bfloat16 else "32-true",
        gradient_clip_val=training.gradient_clip,
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
            MovingAverage(training.ema_decay),
            TrainingPictures(trainable.picture, run / "sheets"),
            StateSaver(run / "state.ckpt"),
            TrainingBar(limit, training.batch_size, list(trainable.watched), list(trainable.figures)),
        ],
    )


def _step_of(state: Path) -> int:
    try:
        return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except Exception as error:  # whatever a damaged archive raises
        raise TrainingError(
            "The training state {state} is damaged ({error}): start again without --resume.", state=state, error=error
        ) from error


def _loader(batches: Any) -> DataLoader[Any]:
    """Hand whole batches on as they are."""
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
