"""Writing files atomically and never over what is read, locks, and what systems say differently about files."""

import codecs
import contextlib
import errno
import os
import re
import secrets
import stat
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cinn_app.errors import CinnError, DiskFullError
from cinn_app.messages import Message

try:
    import fcntl
except ImportError:  # on Windows, where an open file cannot be removed
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "DISK_FULL",
    "LONGEST_NAME",
    "NO_TEXT",
    "atomic_write",
    "check_names",
    "check_output",
    "in_use",
    "is_elsewhere",
    "is_junk",
    "is_junk_folder",
    "is_pattern",
    "keep_inputs",
    "locked",
    "name_key",
    "read_text",
    "remove_unless_in_use",
    "shortened",
    "sweep",
    "try_output",
    "unwritable",
    "writing",
]

WINDOWS = os.name == "nt"
#: Why a text cannot be read that :func:`read_text` refuses.
NO_TEXT = "it is no text in UTF-8"

# Folders for what was deleted, found again or is kept beside, of Windows, macOS, Linux and storage servers (Synology,
# QNAP), and of archives from macOS; and files that systems add to folders. Nothing in them is put there by a person.
JUNK_FOLDERS = re.compile(
    r"\..*|\$recycle\.bin|recycler|found\.\d{3}|system volume information|network trash folder|temporary items"
    r"|thevolumesettingsfolder|__macosx|lost\+found|@eadir|[@#]recycle|#snapshot|@recently-snapshot|@tmp",
    re.IGNORECASE | re.DOTALL,
)
JUNK = re.compile(r"\._.*|\.ds_store|icon\r|desktop\.ini|(eh)?thumbs(_vista)?\.db", re.IGNORECASE | re.DOTALL)
# What Windows takes for a device or a part of a file, or does not write as it is.
RESERVED = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3]) *(\..*)?", re.IGNORECASE)
UNSAYABLE = re.compile(r'[<>:"|?*\x00-\x1f]|[. ]$')
#: Bytes of a name that file systems allow.
LONGEST_NAME = 255
# Characters of a path, beyond which most programs on Windows find no file.
LONGEST_PATH = 259
# The last is a limit on the size of files, which a quota may set.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Windows' numbers of errors: another program has the file open, or a part of it.
ELSEWHERE = (32, 33)
# Seconds between trials to replace a file that another program has open: virus scanners do so for a moment.
PAUSES = (0.05, 0.1, 0.2, 0.4)

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}\.part")


def keep_inputs(output: Path, *inputs: str | Path) -> None:
    """Check that an output would not replace what is read, also by a link or under another spelling.

    Args:
        output: path of the file that will be written.
        inputs: paths of files or folders; what does not exist is passed over.

    Raises:
        CinnError: if the output is one of them.
    """
    for given in inputs:
        with contextlib.suppress(OSError, ValueError):  # values of an observation are no possible path
            if output.samefile(given):
                raise CinnError("{path} is read, and would be overwritten: name another output.", path=output)


def check_output(path: Path, *inputs: str | Path, new_folders: bool = False) -> None:
    """Check, before long work, that its result can be written to a file and replaces nothing that is read.

    Args:
        path: of the file that will be written.
        inputs: as for :func:`keep_inputs`.
        new_folders: whether folders that do not exist will be made.

    Raises:
        CinnError: one sentence that says why not, and what helps.
    """
    keep_inputs(path, *inputs)
    try:
        try_output(path, new_folders)
    except OSError as error:
        raise unwritable(path, error) from error


def try_output(path: Path, new_folders: bool = False) -> None:
    """Make a temporary file where another one will be made, and remove it: the only check that asks all that matters.

    Args:
        path, new_folders: as for :func:`check_output`.

    Raises:
        OSError: as :func:`atomic_write` would.
    """
    check_names(path)
    with contextlib.suppress(FileNotFoundError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is no ordinary file")
    folders = path.resolve().parents
    folder = next(filter(os.path.exists, folders), folders[-1]) if new_folders else folders[0]
    temporary, file = _open_temporary(path, folder)
    file.close()
    temporary.unlink()


def unwritable(path: Path, error: OSError, kind: type[CinnError] = CinnError) -> CinnError:
    """Say why a file cannot be written, and what helps.

    Args:
        path: of the file.
        error: from the operating system or :func:`atomic_write`.
        kind: of the error to return; where the disk is full a :class:`~cinn_app.errors.DiskFullError` if that is one.
    """
    match error.errno:
        case number if number in DISK_FULL:
            said = Message("{name} cannot be saved, since the disk is full: free some space or choose another folder.")
            kind = DiskFullError if issubclass(DiskFullError, kind) else kind
        case number if number == errno.EBUSY or is_elsewhere(error):
            said = Message(
                "{name} cannot be saved, since it is open in another program, or write-protected: close it there, or "
                "choose another name."
            )
        case errno.EACCES | errno.EPERM | errno.EROFS:
            said = Message("{name} cannot be saved for lack of permission: choose another folder.")
        case errno.ENOENT | errno.ENOTDIR if not os.path.isdir(path.parent):  # noqa: PTH112, raises nothing
            said = Message("{name} cannot be saved, since there is no folder {folder}: create it first.")
        case errno.ENOENT:
            said = Message("{name} cannot be saved, since {folder} takes no new files: choose another folder.")
        case errno.EISDIR:
            said = Message("{name} is a folder: name a file inside it.")
        case errno.EINVAL:
            said = Message("{name} cannot be saved ({reason}): choose another name.")
        case errno.ENAMETOOLONG:
            said = Message("{name} cannot be saved ({reason}): choose a shorter name.")
        case _:
            said = Message("{name} cannot be saved ({reason}): choose another name or folder.")
    reason = error.strerror or str(error)
    return kind(said.template, name=str(path), folder=str(path.parent), reason=reason)


@contextlib.contextmanager
def writing(
    path: str | os.PathLike[str], kind: type[CinnError] = CinnError, durable: bool = True
) -> Iterator[BinaryIO]:
    """Yield a binary file as :func:`atomic_write` does, and say in a sentence why it cannot be written.

    Raises:
        CinnError: of the kind asked for, see :func:`unwritable`.
    """
    try:
        with atomic_write(path, durable) as file:
            yield file
    except OSError as error:
        raise unwritable(Path(path), error, kind) from error


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str], durable: bool = True) -> Iterator[BinaryIO]:
    """Yield a binary file that replaces `path` when the block ends without an error.

    The bytes go to a hidden file `.NAME.XXXXXXXX.part` in the same folder (a rename is atomic only within a file
    system), reach the disk, and are renamed to `path`. If the block raises, the temporary file is removed and `path`
    is unchanged. A symbolic link is followed: its target is replaced, not the link.

    Args:
        path: of the file.
        durable: wait until bytes and name have reached the disk, so that they survive a power cut.

    Raises:
        OSError: from the operating system (no such folder, no permission, no space left). On Windows ``strerror`` says
            if a name is reserved, the path too long, or the file open in another program.
    """
    check_names(Path(path))
    target = Path(path).resolve()
    temporary, file = _open_temporary(target, target.parent)
    with file:
        try:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
            if fcntl is None:
                file.close()  # Windows does not move an open file
            _replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                file.close()
            temporary.unlink(missing_ok=True)
            raise
    if durable:
        _sync_folder(target.parent)


def check_names(path: Path) -> None:
    """Refuse a path with a name that Windows would write under another one, or to a device; nothing elsewhere.

    Raises:
        OSError: which names it.
    """
    for name in path.parts if WINDOWS else ():
        reserved = RESERVED.fullmatch(name) or UNSAYABLE.search(name)
        if reserved and name not in (path.anchor, "..", "."):
            raise OSError(errno.EINVAL, f"Windows reserves the name {name}")


def _replace(temporary: Path, target: Path) -> None:
    """Rename a finished file; on Windows, wait a moment for a program that has the old one open."""
    for pause in PAUSES if WINDOWS else ():
        with contextlib.suppress(PermissionError):
            temporary.replace(target)
            return
        time.sleep(pause)
    try:
        temporary.replace(target)
    except PermissionError as error:
        if WINDOWS:  # the folder can be written: the temporary file is in it
            raise OSError(errno.EBUSY, "it is open in another program, or write-protected") from error
        raise


def _open_temporary(target: Path, folder: Path) -> tuple[Path, BinaryIO]:
    """Open a new file for the bytes of another one, locked until it is closed, so that nobody sweeps it away."""
    stem = shortened(target.name, LONGEST_NAME - len("..12345678.part"))
    while True:
        path = folder / f".{stem}.{secrets.token_hex(4)}.part"
        try:
            # "x": two writers never share a file. Not tempfile.mkstemp, whose files only their owner may read.
            file = path.open("xb")
        except FileNotFoundError:
            if WINDOWS and len(str(target)) + len(".12345678.part") > LONGEST_PATH:
                raise OSError(errno.ENAMETOOLONG, "its path is too long for Windows") from None
            raise
        _lock(file)
        if fcntl is None or os.fstat(file.fileno()).st_nlink:
            return path, file
        file.close()  # it was swept away before it was locked


def sweep(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files that killed writers left in a folder; those of living writers stay."""
    with contextlib.suppress(OSError):
        for path in Path(folder).iterdir():
            if TEMPORARY.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    remove_unless_in_use(path)


@contextlib.contextmanager
def in_use(path: Path) -> Iterator[None]:
    """Keep an empty file while the block runs, by which other processes see that it runs."""
    with path.open("wb") as file:
        _lock(file)
        yield
    path.unlink(missing_ok=True)


def remove_unless_in_use(path: Path) -> bool:
    """Remove a file, and return true, unless a living process writes it or keeps it by :func:`in_use`.

    Raises:
        OSError: from the operating system; on Windows also if the file is in use.
    """
    if fcntl is None:  # Windows refuses to remove an open file
        path.unlink()
        return True
    with path.open("rb") as file:
        if not _lock(file, wait=False):
            return False
        path.unlink()
        return True


def is_junk(name: str) -> bool:
    """Return whether an operating system, not a person, adds files of this name to folders."""
    return bool(JUNK.fullmatch(name))


def is_junk_folder(name: str) -> bool:
    """Return whether nothing in folders of this name is by a person; hidden ones are among them."""
    return bool(JUNK_FOLDERS.fullmatch(name))


def name_key(name: str) -> str:
    """Return the same text for names that some file systems take for one: of other case, or composed otherwise.

    >>> name_key("\u00c9t\u00e9.JPG") == name_key("e\u0301te\u0301.jpg")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def is_pattern(path: str | os.PathLike[str]) -> bool:
    """Return whether a path may have been meant as a pattern, which the shells of Windows leave to programs.

    >>> is_pattern("holiday/*.jpg"), is_pattern("holiday/1.jpg")
    (True, False)
    """
    return any(mark in os.fspath(path) for mark in "*?")


def shortened(name: str, most: int) -> str:
    """Cut the end of a name, between letters and not before their accents, so that it has at most so many bytes.

    >>> shortened("cafe\u0301", 5), shortened("\u5f69\u8272", 4), shortened("cafe", 4)
    ('caf', '彩', 'cafe')
    """
    kept = name
    while kept and (len(os.fsencode(kept)) > most or unicodedata.combining(name[len(kept) :][:1] or " ")):
        kept = kept[:-1]
    return kept


def is_elsewhere(error: OSError) -> bool:
    """Return whether a file cannot be used because another program has it open, which only Windows minds."""
    return getattr(error, "winerror", None) in ELSEWHERE


def read_text(path: str | os.PathLike[str]) -> str:
    """Read a text in UTF-8, or in UTF-16 if it begins with that mark, as editors and PowerShell on Windows write it.

    Raises:
        OSError: from the operating system.
        UnicodeDecodeError: if the file is no text, or one in UTF-16 without that mark.
    """
    content = Path(path).read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    encoding = "utf-16" if is_utf16 else "utf-8-sig"
    text = content.decode(encoding)
    if "\0" in text:
        place = content.index(0)
        raise UnicodeDecodeError(encoding, content, place, place + 1, NO_TEXT)
    return text.replace("\r\n", "\n")


@contextlib.contextmanager
def locked(file: BinaryIO) -> Iterator[None]:
    """Hold the lock of an open file, which other processes wait for; on systems without such locks do nothing."""
    held = _lock(file)
    try:
        yield
    finally:
        if held:
            fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: BinaryIO, wait: bool = True) -> bool:
    """Lock an open file until it is closed, and return whether that was possible."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:  # another process holds it, or the file system has no locks
        return False
    return True


def _sync_folder(folder: Path) -> None:
    """Make the rename survive a power cut, on systems that can sync a folder."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
