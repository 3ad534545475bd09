"""From a recipe and data to a checkpoint, for any system."""

import dataclasses
import hashlib
import itertools
import json
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader

from cinn_app.checkpoints import Checkpoint, find_checkpoint, load_checkpoint, save_checkpoint
from cinn_app.data.sources import fingerprint
from cinn_app.devices import FAILURES, NOT_USABLE, choose_device, first_line, place, resolve_precision
from cinn_app.errors import CheckpointError, DeviceError, RecipeError, TrainingError
from cinn_app.files import sweep
from cinn_app.process import usable_memory
from cinn_app.progress import Progress, no_progress
from cinn_app.recipes import Recipe, Training
from cinn_app.registry import systems
from cinn_app.training.callbacks import (
    DivergenceGuard,
    MovingAverage,
    StateSaver,
    TimeLimit,
    TrainingBar,
    TrainingPictures,
)
from cinn_app.training.module import TrainingModule
from cinn_app.training.trainable import Setup, Trainable

__all__ = ["train"]

STEPS_BETWEEN_CHECKS = 500
# A parameter in training: itself, its gradient, Adam's two moments, its average.
COPIES = 5
STATE_FILE = "state.ckpt"
# What Lightning needs to continue.
STATE = {"state_dict", "optimizer_states", "lr_schedulers", "loops", "callbacks", "global_step", "progress"}


def train(
    recipe: Recipe,
    sources: Sequence[Path],
    output: Path,
    run: Path,
    cache: Path,
    device: str = "auto",
    *,
    precision: str = "auto",
    resume: bool = False,
    start_from: Sequence[str | Path] = (),
    max_minutes: float | None = None,
    progress: Progress = no_progress,
) -> Checkpoint:
    """Train a recipe's system and write its checkpoint.

    Args:
        recipe: architecture, data, objective and schedule.
        sources: what to learn from, as the system takes it.
        output: the checkpoint's path.
        run: folder of logs, pictures and the state from which to resume.
        cache: folder of prepared data.
        device: a name for :func:`cinn_app.devices.choose_device`.
        precision: a name for :func:`cinn_app.devices.resolve_precision`; ``auto`` resumes with the earlier one.
        resume: continue from the state in `run`.
        start_from: checkpoints, by path or name; a new training starts with the average of their weights.
        max_minutes: end the training and its schedule after this many minutes, of all stages together.
        progress: shows the advance of preparations.

    Returns:
        The checkpoint that was written.

    Raises:
        DataError, DeviceError, TrainingError, CheckpointError: as their sentences say.
        RecipeError: if the model is too large for this computer's memory.
    """
    chosen = choose_device(device)
    if resume and not (run / STATE_FILE).is_file():
        raise TrainingError("There is no state to resume in {run}: start without --resume.", run=run)
    if (run / STATE_FILE).is_file() and not resume:
        raise TrainingError(
            "A training has already started in {run}: continue it with --resume, or give another folder with --run.",
            run=run,
        )
    for folder in (run, output.parent):
        sweep(folder)
    states = [_read_state(path) for path in _state_files(run)] if resume else []
    state = states[-1] if states else {}
    data = _digest(recipe, sources)
    if state.get("data", data) != data:  # older states have none
        raise TrainingError(
            "The data or the architecture are not those of the training in {run}: give the same as then, or start "
            "again in another folder with --run.",
            run=run,
        )
    if precision == "auto":
        precision = state.get("precision", "auto")  # older states have none
    pl.seed_everything(recipe.training.seed, verbose=False)
    setup = Setup(
        sources=sources,
        cache=cache,
        device=chosen,
        precision=resolve_precision(precision, chosen),
        weights=_weights(state) or _average([load_checkpoint(find_checkpoint(name)).weights for name in start_from]),
        step=state.get("global_step", 0),
        progress=progress,
    )
    _check_memory(recipe)
    prepare: Callable[[Recipe, Setup], Trainable] = systems()[recipe.system].load("training")
    first, fresh = len(list(_folders(run))) - 1 if states else 0, dataclasses.replace(setup, step=0)
    trainable = prepare(recipe, fresh if first else setup)
    if precision == "auto" and not trainable.half_precision:
        setup = dataclasses.replace(setup, precision=torch.float32)
    steps = views = 0
    for stage in range(trainable.stages):
        folder = _folder(run, stage)
        folder.mkdir(parents=True, exist_ok=True)
        if stage:
            trainable = trainable.next_stage(setup if stage == len(states) - 1 else fresh)
        schedule = trainable.schedule or recipe.training
        if stage < first:
            done = states[stage]["global_step"]
        else:
            resumed = stage < len(states)
            minutes = None if max_minutes is None else max_minutes * trainable.time_share
            done, measured = _run_stage(trainable, schedule, folder, setup, minutes, data, resumed)
        steps, views = steps + done, views + done * schedule.batch_size
    figures = {
        "steps": steps,
        "views_seen": views,
        "pictures": trainable.pictures,
        **{name: round(measured[logged], 4) for logged, name in trainable.figures.items()},
    }
    checkpoint = Checkpoint(recipe, dict(trainable.model.state_dict()), figures, list(trainable.data), {})
    half = trainable.half_precision
    save_checkpoint(output, checkpoint, half)  # the details may take minutes, and a stop then must not lose the weights
    details = trainable.details()
    checkpoint = dataclasses.replace(checkpoint, weights=dict(trainable.model.state_dict()), details=details)
    save_checkpoint(output, checkpoint, half)
    return checkpoint


def _digest(recipe: Recipe, sources: Sequence[Path]) -> str:
    """Describe what has to stay when a training is resumed; its schedule, objective and sampling may change."""
    # Keys that are not set do not count, so that a new one with a default stops no training of before.
    sections = recipe.model_dump(mode="json", include={"data", "architecture"}, exclude_unset=True)
    return hashlib.blake2b(json.dumps([fingerprint(sources), sections]).encode()).hexdigest()


def _check_memory(recipe: Recipe) -> None:
    """Refuse a model that cannot be trained in this computer's memory, before any of it is allocated.

    Raises:
        RecipeError: naming both sizes.
    """
    memory = usable_memory()
    if memory is None:
        return
    build = systems()[recipe.system].load("trained_model").build
    try:
        with torch.device("meta"):  # tensors have shapes there and no numbers
            sizes = [parameter.numel() * parameter.element_size() for parameter in build(recipe).parameters()]
    except NotImplementedError:  # layers of another distribution that look at numbers while they are built
        return
    needed = COPIES * sum(sizes)
    if needed > memory:
        raise RecipeError(
            "The recipe {name} needs at least {needed:.0f} GB of memory for its training, and this computer has "
            "{memory:.0f} GB: make its layers narrower or fewer.",
            name=recipe.name,
            needed=needed / 1e9,
            memory=memory / 1e9,
        )


def _run_stage(
    trainable: Trainable,
    schedule: Training,
    folder: Path,
    setup: Setup,
    minutes: float | None,
    data: str,
    resumed: bool,
) -> tuple[int, Mapping[str, float]]:
    """Train one stage to its end; return its steps and what the held-out batches measure."""
    limit = TimeLimit(minutes)
    place(trainable.model, setup.device)
    module = TrainingModule(trainable, schedule, limit, str(setup.precision).removeprefix("torch."), data)
    trainer = _trainer(schedule, folder, setup, limit, trainable)
    checks = _loader(trainable.held_out)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning.*")  # advice on workers and loggers, not for users
        ckpt_path = folder / STATE_FILE if resumed else None
        try:
            trainer.fit(module, _loader(trainable.batches), checks, ckpt_path=ckpt_path, weights_only=True)
        except FAILURES as error:
            if setup.device.type == "cpu" or module.stepped or isinstance(error, torch.OutOfMemoryError):
                raise
            fault = f"the training fails there ({first_line(error)})"
            raise DeviceError(NOT_USABLE, name=str(setup.device), fault=fault) from error
        except ValueError as error:
            if "loaded state dict" not in str(error):  # of the optimizer
                raise
            raise TrainingError(
                "The training state in {run} is of another version, which grouped the weights in another way: delete "
                "it and start again without --resume, or start in another folder with --run.",
                run=folder,
            ) from error
        measured = trainer.validate(module, checks, verbose=False)[0]
    module.eval()
    return trainer.global_step, measured


def _folder(run: Path, stage: int) -> Path:
    """Return the folder of a stage, from 0: the first has the run's own."""
    return run / f"stage-{stage + 1}" if stage else run


def _folders(run: Path) -> Iterator[Path]:
    """Return the folders of the stages that have begun."""
    return itertools.takewhile(Path.is_dir, (_folder(run, stage) for stage in itertools.count()))


def _state_files(run: Path) -> Iterator[Path]:
    """Return the saved states of the stages, in order."""
    return (folder / STATE_FILE for folder in _folders(run) if (folder / STATE_FILE).is_file())


def _weights(state: Mapping[str, Any]) -> dict[str, Tensor] | None:
    """Return the model's weights in a saved state: preparations of a resumed training may depend on them."""
    saved = {name.removeprefix("model."): value for name, value in state.get("state_dict", {}).items()}
    return saved or None


def _average(several: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor] | None:
    """Average weights that were trained from a common start: a model soup (Wortsman et al. 2022, arXiv 2203.05482).

    Raises:
        CheckpointError: if they are not of one architecture.
    """
    if not several:
        return None
    if len({frozenset((name, value.shape) for name, value in weights.items()) for weights in several}) > 1:
        raise CheckpointError(
            "The weights to start with cannot be averaged: give checkpoints of the same architecture with --from."
        )
    averaged = dict(several[0])  # also integers, such as counters
    for name, first in averaged.items():
        if first.is_floating_point():
            averaged[name] = torch.stack([weights[name].float() for weights in several]).mean(0)
    return averaged


def _trainer(training: Training, run: Path, setup: Setup, limit: TimeLimit, trainable: Trainable) -> pl.Trainer:
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    return pl.Trainer(
        max_steps=training.steps,
        accelerator=setup.device.type,
        # One: the batches' stream does not know its rank, so several would train on the same ones.
        devices=1 if setup.device.index is None else [setup.device.index],
        precision="bf16-mixed" if setup.precision is torch.bfloat16 else "32-true",
        gradient_clip_val=training.gradient_clip,
        val_check_interval=STEPS_BETWEEN_CHECKS,
        check_val_every_n_epoch=None,
        num_sanity_val_steps=0,
        log_every_n_steps=20,
        enable_checkpointing=False,
        enable_model_summary=False,
        logger=[
            CSVLogger(run, name="", version="csv"),
            TensorBoardLogger(run, name="", version="tensorboard"),
        ],
        callbacks=[
            limit,
            DivergenceGuard(),
            MovingAverage(training.ema_decay),
            TrainingPictures(trainable.picture, run / "sheets"),
            StateSaver(run / STATE_FILE),
            TrainingBar(limit, training.batch_size, [*trainable.watched, *trainable.figures]),
        ],
    )


def _read_state(path: Path) -> dict[str, Any]:
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True, mmap=True))
        lacking = STATE - state.keys()
        if lacking:
            raise KeyError(*sorted(lacking))
        return state
    except Exception as error:  # a damaged archive raises errors of many kinds
        raise TrainingError(
            "The training state {path} is damaged: delete it and start again without --resume, or start in another "
            "folder with --run.",
            path=path,
        ) from error


def _loader(batches: Any) -> DataLoader[Any]:
    """Pass whole batches on unchanged."""
    return DataLoader(batches, batch_size=None, collate_fn=lambda batch: batch)
