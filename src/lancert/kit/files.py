"""Files that are either the old ones or the new ones, and that only their owner can read.

Everything private is written here: beside its name with mode 0600 from the first byte, synced, renamed over, and
the directory synced, so that a power cut at any point leaves one complete version.
"""

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

_PRIVATE_FILE = 0o600
_PRIVATE_DIRECTORY = 0o700


class FileTooLarge(OSError):
    """A file is larger than anything it could rightly hold."""


class AlreadyLocked(OSError):
    """Another process holds the lock of this directory."""


def private_directory(path: Path) -> Path:
    """Make a directory for its owner alone, with its parents, and take other people's rights away if it was there.

    A directory that is made is on the disk when this returns, so that no power cut takes a synced file away with it.
    """
    missing = [one for one in (path, *path.parents) if not one.exists()]
    # Parents are for everybody to pass through, and under any umask for nobody else to write in.
    for parent in reversed([one for one in missing if one != path]):
        parent.mkdir(mode=0o755, exist_ok=True)
    path.mkdir(mode=_PRIVATE_DIRECTORY, exist_ok=True)
    for one in missing:
        with contextlib.suppress(PermissionError):  # a parent that may be entered and not read
            sync_directory(one.parent)
    if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) != _PRIVATE_DIRECTORY:
        path.chmod(_PRIVATE_DIRECTORY)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file completely or not at all; it is on the disk when this returns. Raises OSError."""
    _replace(path, content, _PRIVATE_FILE)


def write_public(path: Path, content: bytes) -> None:
    """Like ``write_private`` for what everybody may read, such as a root certificate. Raises OSError."""
    _replace(path, content, 0o644)


def _replace(path: Path, content: bytes, mode: int) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
        with os.fdopen(descriptor, "wb") as file:
            # The umask may only have taken rights away; a file for everybody gets them back here.
            if os.name == "posix":
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_directory(path.parent)


def open_to_append(path: Path) -> BinaryIO:
    """Open a private file at its end, for the output of a program; it is made when it is not there. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
    return os.fdopen(os.open(path, flags, _PRIVATE_FILE), "ab")


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable; Windows does so by itself and offers no such call."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes. Raises FileTooLarge, FileNotFoundError or another OSError."""
    with path.open("rb") as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise FileTooLarge(f"{path.name} is larger than {limit} bytes")
    return content


def is_open_to_others(path: Path) -> bool:
    """Say whether anybody but the owner has any right on the file. Raises OSError."""
    return os.name == "posix" and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def close_to_others(path: Path) -> None:
    """Take every right on the file away from all but its owner. Raises OSError."""
    if os.name == "posix":
        path.chmod(_PRIVATE_FILE)


@contextlib.contextmanager
def lock(directory: Path, name: str = "lock") -> Iterator[None]:
    """Hold the one lock of a directory; the operating system frees it even after kill -9. Raises AlreadyLocked."""
    descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), _PRIVATE_FILE)
    with os.fdopen(descriptor, "r+b") as file:
        _take_lock(file, directory)
        yield


def _take_lock(file: IO[bytes], directory: Path) -> None:
    try:
        if os.name == "posix":
            import fcntl  # exists on POSIX alone

            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        else:
            import msvcrt  # exists on Windows alone

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError as error:
        raise AlreadyLocked(f"another process uses {directory.name}") from error
