"""Simulations, made in parallel and kept on disk.

They are made in chunks, each with a seed of its own, so they do not depend on the number of processes, a stopped run
continues with the chunks that are missing, and more simulations begin with the same ones as fewer.
"""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from cinn_app.errors import DataError, ProblemError
from cinn_app.files import atomic_write, sweep
from cinn_app.progress import Progress, no_progress
from cinn_app.systems.inverse_problems.problem import Problem, load_problem, seeded

__all__ = ["Simulations", "simulated"]

#: Simulations that are made together, and the most that a stop loses of each process.
CHUNK = 500
#: Expected seconds of work from which on other processes are worth their start.
WORTH_PROCESSES = 10.0


class Simulations(NamedTuple):
    """Parameters and their measurements.

    Attributes:
        x: ``(count, D)``.
        y: ``(count, M)``.
    """

    x: Tensor
    y: Tensor

    def batch(self, indices: np.ndarray) -> "Simulations":
        """Gather simulations by their numbers."""
        chosen = torch.from_numpy(indices)
        return Simulations(self.x[chosen], self.y[chosen])

    def split(self, count: int) -> "tuple[Simulations, Simulations]":
        """Return the first ones, and the rest."""
        return Simulations(self.x[:count], self.y[:count]), Simulations(self.x[count:], self.y[count:])


def simulated(
    problem: Problem,
    count: int,
    seed: int = 0,
    cache: Path | None = None,
    jobs: int = 1,
    progress: Progress = no_progress,
) -> Simulations:
    """Draw parameters from the prior and simulate their measurements.

    Args:
        problem: what to simulate.
        count: of simulations.
        seed: of all random numbers.
        cache: folder that keeps them, or ``None``; a changed problem has other ones.
        jobs: the most processes; they start only if the first chunk shows that they save time.
        progress: shows the advance.

    Raises:
        ProblemError: if the problem fails.
        DataError: if the cache cannot be written.
    """
    folder = None if cache is None else cache / "simulations" / f"{problem.name}-{problem.digest}-{seed}"
    sizes = {number: min(CHUNK, count - number * CHUNK) for number in range(-(-count // CHUNK))}
    made = {number: _read(folder, number, size, problem) for number, size in sizes.items()}
    chunks = {number: chunk for number, chunk in made.items() if chunk is not None}
    missing = [(number, size) for number, size in sizes.items() if number not in chunks]
    if missing:
        prepared = False
        with progress("Simulating", count) as advance:
            advance(sum(map(len, chunks.values())))
            for number, chunk in _simulate(problem, seed, missing, jobs):
                if folder is not None:
                    if not prepared:  # no folder is left where nothing can be simulated
                        _prepare(folder)
                        prepared = True
                    _write(folder, number, chunk)
                chunks[number] = chunk
                advance(len(chunk))
    rows = torch.from_numpy(np.concatenate([chunks[number] for number in sizes]))
    x, y = rows.split([len(problem.parameters), len(problem.measurements)], dim=1)
    return Simulations(x.contiguous(), y.contiguous())


def _simulate(
    problem: Problem, seed: int, missing: list[tuple[int, int]], jobs: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield chunks as they are ready: the first ones from this process, the rest from others if that saves time."""
    started = time.monotonic()
    for done, (number, size) in enumerate(missing):
        seconds_left = (time.monotonic() - started) / max(1, done) * (len(missing) - done)
        if done and jobs > 1 and seconds_left > WORTH_PROCESSES:
            yield from _in_processes(problem, seed, missing[done:], min(jobs, len(missing) - done))
            return
        yield number, _chunk(problem, seed, number, size)


def _in_processes(
    problem: Problem, seed: int, missing: list[tuple[int, int]], jobs: int
) -> Iterator[tuple[int, np.ndarray]]:
    others = set(active_children())
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _start_worker, (problem.source,))
    try:
        futures = [(number, pool.submit(_chunk_in_worker, seed, number, size)) for number, size in missing]
        for number, future in futures:
            yield number, future.result()
    except BrokenProcessPool as error:
        raise ProblemError(
            "The processes that simulate {name} ended without an answer: use --jobs 1 if memory is short, and let a "
            "script of yours work under if __name__ == '__main__'.",
            name=problem.name,
        ) from error
    except BaseException:  # nobody waits for what runs: a chunk may take minutes
        for worker in set(active_children()) - others:
            worker.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


_worker_problem: Problem | None = None


def _start_worker(source: str) -> None:
    global _worker_problem
    torch.set_num_threads(1)
    _worker_problem = load_problem(source)


def _chunk_in_worker(seed: int, number: int, size: int) -> np.ndarray:
    assert _worker_problem is not None
    return _chunk(_worker_problem, seed, number, size)


def _chunk(problem: Problem, seed: int, number: int, size: int) -> np.ndarray:
    with seeded([seed, number]) as generator:
        return torch.cat(problem.draw(size, generator), dim=1).numpy()


def _file(folder: Path, number: int, size: int) -> Path:
    return folder / f"{number:06}-{size}.npy"


def _read(folder: Path | None, number: int, size: int, problem: Problem) -> np.ndarray | None:
    """Return a chunk that was kept, or None if there is none or it is damaged."""
    if folder is None:
        return None
    try:
        chunk = np.load(_file(folder, number, size), mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    shape = (size, len(problem.parameters) + len(problem.measurements))
    return chunk if chunk.shape == shape and chunk.dtype == np.float32 else None


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    sweep(folder)


def _write(folder: Path, number: int, chunk: np.ndarray) -> None:
    try:
        with atomic_write(_file(folder, number, len(chunk)), durable=False) as file:
            np.save(file, chunk)
    except OSError as error:
        raise _unwritable(folder, error) from error


def _unwritable(folder: Path, error: OSError) -> DataError:
    return DataError(
        "Simulations cannot be kept in {folder} ({reason}): make room, or choose another folder with --cache.",
        folder=folder,
        reason=error.strerror,
    )
