"""Files that are either the old ones or the new ones, and that only their owner can read.

Everything private is written here: beside its name with mode 0600 from the first byte, synced, renamed over, and
the directory synced, so that a power cut at any point leaves one complete version.
"""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from lancert.kit.platform import system

_PRIVATE_FILE = 0o600
_PIECE = 65_536


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
    system.make_private_folder(path)
    for one in missing:
        with contextlib.suppress(PermissionError):  # a parent that may be entered and not read
            sync_directory(one.parent)
    system.close_folder(path)
    return path


def write_private(path: Path, content: bytes) -> None:
    """Replace a file completely or not at all; it is on the disk when this returns. Raises OSError."""
    _replace(path, content, _PRIVATE_FILE)


def write_public(path: Path, content: bytes) -> None:
    """Like ``write_private`` for what everybody may read, such as a root certificate. Raises OSError."""
    _replace(path, content, 0o644)


def _replace(path: Path, content: bytes, mode: int, user: int = -1, group: int = -1) -> None:
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    first_mode = mode if (user, group) == (-1, -1) else _PRIVATE_FILE
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | system.OPEN_FLAGS, first_mode)
        with os.fdopen(descriptor, "wb") as file:
            if (user, group) != (-1, -1):
                system.set_owner(file.fileno(), user, group)
            # The umask may only have taken rights away; a file for everybody gets them back here.
            system.set_mode(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        system.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_directory(path.parent)


def write_for(path: Path, content: bytes, mode: int, user: int = -1, group: int = -1) -> None:
    """Like ``write_private`` for another program, whose account or group may read it; -1 leaves either. Raises OSError.

    Nobody can read it before it belongs to whom it is for.
    """
    _replace(path, content, mode, user, group)


def link_to(path: Path, to: str) -> None:
    """Have a symbolic link lead elsewhere by one rename; it is on the disk when this returns. Raises OSError."""
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.new")
    try:
        beside.symlink_to(to)
        system.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise
    sync_directory(path.parent)


def open_to_append(path: Path) -> BinaryIO:
    """Open a private file at its end, for the output of a program; it is made when it is not there. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | system.OPEN_FLAGS
    return os.fdopen(os.open(path, flags, _PRIVATE_FILE), "ab")


def sync_directory(path: Path) -> None:
    """Make renames in a directory durable, where the system does not do so by itself. Raises OSError."""
    system.sync_folder(path)


def erase(path: Path) -> None:
    """Overwrite a file and remove it, so that its content is gone as far as the file system allows. Raises OSError.

    A file system that copies on write, and flash memory below any other, may keep what stood there before.
    """
    with contextlib.suppress(OSError):  # what cannot be overwritten is removed all the same
        if stat.S_ISREG(path.lstat().st_mode):
            _overwrite(path)
    path.unlink(missing_ok=True)


def _overwrite(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | system.OPEN_NO_LINK | system.OPEN_FLAGS)
    with os.fdopen(descriptor, "wb") as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(secrets.token_bytes(min(left, _PIECE)))
        file.flush()
        os.fsync(file.fileno())


def read_limited(path: Path, limit: int) -> bytes:
    """Read a file of at most ``limit`` bytes. Raises FileTooLarge, FileNotFoundError or another OSError."""
    with system.open_to_read(path) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        raise FileTooLarge(f"{path.name} is larger than {limit} bytes")
    return content


def is_open_to_others(path: Path) -> bool:
    """Say whether anybody who should not has any right on the file. Raises OSError."""
    return system.is_open_to_others(path)


def close_to_others(path: Path) -> None:
    """Take every right on the file away from all who should have none. Raises OSError."""
    system.close_to_others(path)


@contextlib.contextmanager
def lock(directory: Path, name: str = "lock") -> Iterator[None]:
    """Hold the one lock of a directory; the operating system frees it even after kill -9. Raises AlreadyLocked."""
    try:
        descriptor = os.open(directory / name, os.O_RDWR | os.O_CREAT | system.OPEN_FLAGS, _PRIVATE_FILE)
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        # A lock needs no right to write; what lies on a disk that can only be read is to be used all the same.
        descriptor = os.open(directory / name, os.O_RDONLY | system.OPEN_FLAGS)
    with os.fdopen(descriptor, "rb") as file:
        _take_lock(file, directory)
        yield


def _take_lock(file: IO[bytes], directory: Path) -> None:
    try:
        system.take_lock(file.fileno())
    except OSError as error:
        raise AlreadyLocked(f"another process uses {directory.name}") from error
