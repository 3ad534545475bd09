"""Atomic writes: the whole file or the old one, and never anything beside it."""

import os
import stat
import sys
from pathlib import Path

import pytest

from cinn_app.files import atomic_write, sweep


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_writes_a_new_file(tmp_path):
    with atomic_write(tmp_path / "new.bin") as file:
        file.write(b"content")
    assert (tmp_path / "new.bin").read_bytes() == b"content"
    assert names_in(tmp_path) == ["new.bin"]


def test_nothing_is_at_the_path_before_the_end(tmp_path):
    with atomic_write(tmp_path / "new.bin") as file:
        file.write(b"content")
        (temporary,) = names_in(tmp_path)
        assert temporary.startswith(".")
        assert temporary.endswith(".part")


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_failing_writer_leaves_the_old_file_and_nothing_else(tmp_path, error):
    (tmp_path / "old.bin").write_bytes(b"old")
    with pytest.raises(error), atomic_write(tmp_path / "old.bin") as file:
        file.write(b"half of the new")
        raise error
    assert (tmp_path / "old.bin").read_bytes() == b"old"
    assert names_in(tmp_path) == ["old.bin"]


def test_a_failing_rename_leaves_nothing_else(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError), atomic_write(tmp_path / "folder") as file:
        file.write(b"content")
    assert names_in(tmp_path) == ["folder"]


def test_a_missing_folder_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "no" / "new.bin"):
        pass


def test_a_long_name_fits(tmp_path):
    name = "ä" * 125 + ".bin"  # 254 bytes of the 255 that file systems take
    with atomic_write(tmp_path / name) as file:
        file.write(b"content")
    assert names_in(tmp_path) == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_follow_the_users_mask(tmp_path):
    mask = os.umask(0o027)
    try:
        with atomic_write(tmp_path / "new.bin") as file:
            file.write(b"content")
    finally:
        os.umask(mask)
    assert stat.S_IMODE((tmp_path / "new.bin").stat().st_mode) == 0o640


@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_stays_a_link(tmp_path):
    (tmp_path / "target.bin").write_bytes(b"old")
    (tmp_path / "link.bin").symlink_to(tmp_path / "target.bin")
    with atomic_write(tmp_path / "link.bin") as file:
        file.write(b"new")
    assert (tmp_path / "link.bin").is_symlink()
    assert (tmp_path / "target.bin").read_bytes() == b"new"


def test_what_killed_writers_left_is_swept_and_nothing_else(tmp_path):
    left = tmp_path / ".old.png.0123abcd.part"
    left.write_bytes(b"half")
    others = {"old.png", ".old.png.part", "part", ".x.0123abcz.part", ".hidden"}
    for name in others:
        (tmp_path / name).write_bytes(b"mine")
    with atomic_write(tmp_path / "new.png") as file:
        file.write(b"content")
        sweep(tmp_path)  # while another one writes
        sweep(tmp_path / "no such folder")
    assert set(names_in(tmp_path)) == others | {"new.png"}
    assert (tmp_path / "new.png").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["é" * 125 + ".png", "a" + "日" * 82 + ".png"])
def test_a_long_name_is_cut_between_letters_for_the_temporary_file(tmp_path: Path, name: str) -> None:
    """macOS refuses names that are no UTF-8."""
    with atomic_write(tmp_path / name) as file:
        (temporary,) = tmp_path.iterdir()
        assert temporary.name.encode("utf-8").startswith(f".{name[:60]}".encode())
        file.write(b"whole")
    assert [path.name for path in tmp_path.iterdir()] == [name]
