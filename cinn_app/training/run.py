"""From a recipe and pictures to a checkpoint, whatever the system."""

import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from cinn_app.devices import choose_device, faster_autocast_dtype
from cinn_app.errors import CheckpointError, TrainingError
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import ColorizationRecipe, Recipe, Training
from cinn_app.training.averaging import MovingAverage
from cinn_app.training.bar import TrainingBar
from cinn_app.training.colorization import prepare_colorization
from cinn_app.training.digits import prepare_digits
from cinn_app.training.guard import DivergenceGuard, StateSaver, TimeLimit
from cinn_app.training.job import Job
from cinn_app.training.sheets import SampleSheets

__all__ = ["train"]

STEPS_BETWEEN_CHECKS = 500


def train(
    recipe: Recipe,
    sources: Sequence[Path],
    output: Path,
    run: Path,
    cache: Path,
    device: str = "auto",
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
        resume: go on from the state in `run`.
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
        raise TrainingError(f"There is no state to resume in {run}: start without --resume.")
    if state.is_file() and not resume:
        raise TrainingError(
            f"A training was begun in {run} already: go on with --resume, or give another folder with --run."
        )
    pl.seed_everything(recipe.training.seed, verbose=False)
    limit = TimeLimit(max_minutes)
    start = _step_of(state) if resume else 0
    job = _prepare(recipe, sources, cache, chosen, start_from, limit, start, progress)
    trainer = _trainer(recipe.training, run, chosen, limit, job)
    checks = _loader(job.checks)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and loggers, not for users
        trainer.fit(
            job.module,
            _loader(job.batches),
            checks,
            ckpt_path=str(state) if resume else None,
            weights_only=True,
        )
        measured = trainer.validate(job.module, checks, verbose=False)[0]
    job.module.eval()
    details = job.finish()
    checkpoint = Checkpoint(
        recipe,
        dict(job.module.model.state_dict()),
        {
            "steps": trainer.global_step,
            "views_seen": trainer.global_step * recipe.training.batch_size,
            "pictures": job.pictures,
            **{name: round(measured[logged], 4) for logged, name in job.figures.items()},
        },
        job.data,
        details,
    )
    save_checkpoint(output, checkpoint)
    return checkpoint


def _prepare(
    recipe: Recipe,
    sources: Sequence[Path],
    cache: Path,
    device: torch.device,
    start_from: Sequence[str | Path],
    limit: TimeLimit,
    start: int,
    progress: Progress,
) -> Job:
    """Let the recipe's system set up its training."""
    paths = [find_checkpoint(name) for name in start_from]
    try:
        weights = _average([load_checkpoint(path).weights for path in paths]) if paths else None
        if isinstance(recipe, ColorizationRecipe):
            return prepare_colorization(recipe, sources, cache, device, weights, limit, start, progress)
        return prepare_digits(recipe, sources, cache, weights, limit, start, progress)
    except RuntimeError as error:  # what strict loading raises
        if not paths:
            raise
        named = " and ".join(map(str, paths))
        raise CheckpointError(
            f"The weights in {named} do not fit this recipe: start from checkpoints of the same architecture."
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


def _trainer(training: Training, run: Path, device: torch.device, limit: TimeLimit, job: Job) -> pl.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        max_steps=training.steps,
        accelerator=device.type,
        devices=1 if device.type != "cuda" else "auto",
        precision="bf16-mixed" if faster_autocast_dtype(device) else "32-true",
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
            SampleSheets(job.sheet, run / "sheets"),
            StateSaver(run / "state.ckpt"),
            TrainingBar(limit, training.batch_size, list(job.figures)),
        ],
    )


def _step_of(state: Path) -> int:
    try:
        return int(torch.load(state, map_location="cpu", weights_only=True, mmap=True)["global_step"])
    except Exception as error:  # whatever a damaged archive raises
        raise TrainingError(
            f"The training state {state} is damaged ({error}): start again without --resume."
        ) from error


def _loader(batches: Any) -> DataLoader[Any]:
    """Hand whole batches on as they are."""
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
