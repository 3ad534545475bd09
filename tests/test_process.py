"""What a process may use, in containers and outside, and how it ends."""

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cinn_app.process import usable_cpus, usable_memory, worker_count

GIGABYTE = 10**9


@pytest.fixture(autouse=True)
def sixty_four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 250 * 10**6}.__getitem__)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content + "\n")
    return folder


def membership(folder: Path, content: str) -> Path:
    (folder / "membership").write_text(content + "\n")
    return folder / "membership"


def test_version_2_the_tightest_group_counts(tmp_path: Path) -> None:
    own = membership(tmp_path, "0::/pod/container")
    write(tmp_path / "pod", cpu__max="600000 100000", memory__max=str(12 * GIGABYTE))
    write(tmp_path / "pod" / "container", cpu__max="max 100000", memory__max="max")
    assert usable_cpus(tmp_path, own) == 6 and usable_memory(tmp_path, own) == 12 * GIGABYTE
    write(tmp_path / "pod" / "container", cpu__max="150000 100000")
    assert usable_cpus(tmp_path, own) == 2
    write(tmp_path / "pod" / "container", cpu__max="250000 100000")
    assert usable_cpus(tmp_path, own) == 3
    write(tmp_path / "pod" / "container", cpu__max="20000 100000")
    assert usable_cpus(tmp_path, own) == 1
    assert worker_count(2 * GIGABYTE, tmp_path, own) == 1


def test_version_2_in_a_container_whose_own_group_is_the_root(tmp_path: Path) -> None:
    write(tmp_path, cpu__max="300000 100000", memory__max=str(4 * GIGABYTE))
    for line in ("0::/", "0::/docker/4f1c", "0::/../../outside"):
        own = membership(tmp_path, line)
        assert usable_cpus(tmp_path, own) == 3 and usable_memory(tmp_path, own) == 4 * GIGABYTE


def test_version_1_has_a_folder_per_controller(tmp_path: Path) -> None:
    own = membership(tmp_path, "11:memory:/job\n4:cpu,cpuacct:/job\n1:name=systemd:/job")
    write(tmp_path / "cpu" / "job", cpu__cfs_quota_us="400000", cpu__cfs_period_us="100000")
    write(tmp_path / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")
    write(tmp_path / "memory" / "job", memory__limit_in_bytes=str(20 * GIGABYTE))
    write(tmp_path / "memory", memory__limit_in_bytes=str(2**63 - 4096))
    assert usable_cpus(tmp_path, own) == 4 and usable_memory(tmp_path, own) == 20 * GIGABYTE
    assert worker_count(8 * GIGABYTE, tmp_path, own) == 2
    (tmp_path / "cpu").rename(tmp_path / "cpu,cpuacct")  # as it is mounted where there is no link
    assert usable_cpus(tmp_path, own) == 4


@pytest.mark.parametrize("quota", ["", "max", "0 0", "many few", "100000", "-1 100000"])
def test_files_that_say_nothing_limit_nothing(tmp_path: Path, quota: str) -> None:
    own = membership(tmp_path, "0::/")
    write(tmp_path, cpu__max=quota, memory__max="max")
    assert usable_cpus(tmp_path, own) == 64 and usable_memory(tmp_path, own) == 1024 * GIGABYTE


def test_outside_of_linux_affinity_or_the_number_of_cpus_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = (tmp_path / "missing", tmp_path / "missing")
    assert usable_cpus(*nowhere) == 64
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.delattr(os, "sysconf")
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    assert usable_cpus(*nowhere) == 128 and usable_memory(*nowhere) is None
    assert worker_count(2 * GIGABYTE, *nowhere) == 61  # Windows waits for no more


ENDING = """
import signal, sys
from cinn_app.process import end_when_asked
first, second, ignored = map(int, sys.argv[1:])
if ignored:
    signal.signal(ignored, signal.SIG_IGN)  # as nohup does
put_back = end_when_asked()
try:
    signal.raise_signal(first)
    print("still there")
except KeyboardInterrupt:
    for number in (second, first, second):
        signal.raise_signal(number)
    print("tidied up")
put_back()
print(signal.getsignal(first) in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler))
end_when_asked()
class AtTheVeryEnd:
    def __del__(self, raise_signal=signal.raise_signal, second=second):
        raise_signal(second)  # Python has put its own answers away by now
sys.kept = AtTheVeryEnd()
"""


def _answer_as_usual() -> None:
    """Undo what a suite that runs in the background, or under nohup, hands down."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
@pytest.mark.parametrize("sent", [*itertools.permutations([signal.SIGTERM, signal.SIGHUP, signal.SIGINT], 2)], ids=str)
def test_a_request_to_end_is_answered_once_whatever_follows_it(sent: tuple[int, int]) -> None:
    command = [sys.executable, "-c", ENDING, *(str(int(number)) for number in sent)]
    for ignored, said in ((0, "tidied up\nTrue\n"), (int(sent[0]), "still there\nTrue\n")):
        ended = subprocess.run([*command, str(ignored)], capture_output=True, text=True, preexec_fn=_answer_as_usual)
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, said, "")
