"""What the operating system allows this process, and how it asks it to end."""

import atexit
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["end_when_asked", "usable_cpus", "usable_memory", "worker_count"]

#: Where Linux shows the limits of containers and services.
CGROUPS = Path("/sys/fs/cgroup")
MEMBERSHIP = Path("/proc/self/cgroup")
#: Some systems lack some of them.
REQUESTS_TO_END = ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
USUAL_ANSWERS = (signal.SIG_DFL, signal.default_int_handler)
# Windows cannot wait for more processes at once.
MOST_WORKERS = 61


def usable_cpus(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return how many CPUs this process may use: the least of their number, its affinity, and a container's quota.

    Args:
        cgroups: where the control groups of version 1 or 2 are mounted.
        membership: the file that names the groups of this process.
    """
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quotas = [_quota(folder) for folder in _groups(cgroups, membership, "cpu")]
    return max(1, min([count, *(int(quota + 0.5) for quota in quotas if quota is not None)]))


def usable_memory(cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int | None:
    """Return how many bytes of memory this process may use at most; None where the system does not say.

    Args:
        cgroups, membership: as for :func:`usable_cpus`.
    """
    limits = [
        _number(folder / name)
        for folder in _groups(cgroups, membership, "memory")
        for name in ("memory.max", "memory.limit_in_bytes")
    ]
    if hasattr(os, "sysconf"):  # not on Windows
        limits.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min((limit for limit in limits if limit is not None), default=None)


def worker_count(memory_each: int = 2_000_000_000, cgroups: Path = CGROUPS, membership: Path = MEMBERSHIP) -> int:
    """Return how many processes may work side by side; at least one.

    Args:
        memory_each: bytes that a process needs.
        cgroups, membership: as for :func:`usable_cpus`.
    """
    memory = usable_memory(cgroups, membership)
    fit = MOST_WORKERS if memory is None else memory // memory_each
    return max(1, min(usable_cpus(cgroups, membership), fit, MOST_WORKERS))


def end_when_asked() -> Callable[[], None]:
    """Answer every request to end with one ``KeyboardInterrupt``, and ignore those that follow it.

    Requests are Ctrl-C, SIGTERM and, of a terminal that is closed, SIGHUP; on Windows Ctrl-Break, too. Terminals and
    services send two of them, of one kind or of two, and the second one must not end what tidies up. What is ignored,
    as nohup does, or handled already, stays so. Only the main thread can listen for signals; in others nothing happens.

    Returns:
        What puts the former answers back, for a process that goes on.
    """
    former: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        numbers = [getattr(signal, name) for name in REQUESTS_TO_END if hasattr(signal, name)]
        former = {number: answer for number in numbers if (answer := signal.getsignal(number)) in USUAL_ANSWERS}
    is_ending = False

    def end(number: int, frame: FrameType | None) -> None:
        nonlocal is_ending
        if not is_ending:
            is_ending = True
            raise KeyboardInterrupt

    def ignore() -> None:
        for number in former:
            signal.signal(number, signal.SIG_IGN)

    def put_back() -> None:
        atexit.unregister(ignore)
        for number, answer in former.items():
            signal.signal(number, answer)

    for number in former:
        signal.signal(number, end)
    atexit.register(ignore)  # Python forgets its own answers before the process has ended
    return put_back


def _groups(cgroups: Path, membership: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of the groups that limit this process, with those above them, in both versions."""
    try:
        lines = membership.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):  # not Linux
        return
    for line in lines:
        _, controllers, place = [*line.split(":", 2), "", ""][:3]
        if controllers and controller not in controllers.split(","):
            continue
        # Version 1 mounts controllers apart, or several together, with or without a link of each one's name.
        mounts = [cgroups / name for name in dict.fromkeys([controller, controllers])] if controllers else [cgroups]
        root = next((mount for mount in mounts if mount.is_dir()), mounts[0])
        below = Path(*(part for part in Path(place).parts if part not in ("/", "..")))
        # In a container the path may be that outside, which does not exist here: its own group is the root then.
        yield from (root / folder for folder in (below, *below.parents) if (root / folder).is_dir())


def _quota(folder: Path) -> float | None:
    """Return the CPUs that a group may use in its period; None without a limit."""
    try:
        if (folder / "cpu.max").is_file():  # version 2
            quota, period = (folder / "cpu.max").read_text("utf-8").split()
        else:
            quota = (folder / "cpu.cfs_quota_us").read_text("utf-8")
            period = (folder / "cpu.cfs_period_us").read_text("utf-8")
        cpus = int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):  # "max"
        return None
    return cpus if cpus > 0 else None  # -1 is no limit


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text("utf-8"))
    except (OSError, ValueError):
        return None
