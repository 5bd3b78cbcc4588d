"""A disk of a program's own, small or read-only, in a mount namespace that ends with the program whatever happens.

Root makes one at once; any other account makes itself root of a user namespace first. From outside, a small disk is
seen through ``/proc``, to be filled and emptied; a read-only one is the same folder, which everybody else may write.
"""

import contextlib
import os
import subprocess
from pathlib import Path

_SMALL = 'mount -t tmpfs -o "$1" lancert-test "$2" && shift 2 && exec "$@"'
_READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,bind,ro "$1" && shift && exec "$@"'


def on_a_small_disk(unshare: str, where: Path, options: str) -> list[str]:
    """Give what comes before a command that has a disk of its own at ``where``; ``options`` such as ``size=1m``."""
    where.mkdir(parents=True, exist_ok=True)
    return [*_namespace(unshare), "sh", "-c", _SMALL, "sh", options, str(where)]


def on_a_read_only_disk(unshare: str, where: Path) -> list[str]:
    """Give what comes before a command that can only read what lies at ``where``."""
    return [*_namespace(unshare), "sh", "-c", _READ_ONLY, "sh", str(where)]


def let_it_write(nsenter: str, pid: int, where: Path) -> None:
    """Give a program that was started on a read-only disk the right to write there."""
    enter = [nsenter, f"--target={pid}", "--mount", *([] if os.geteuid() == 0 else ["--user"])]
    subprocess.run([*enter, "mount", "-o", "remount,bind,rw", str(where)], check=True, timeout=30)


def _namespace(unshare: str) -> list[str]:
    as_root = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return [unshare, *as_root, "--mount", "--propagation", "private"]


class SmallDisk:
    """The disk of a running program."""

    def __init__(self, pid: int, where: Path) -> None:
        self.path = Path(f"/proc/{pid}/root{where}")
        """Where it is seen from outside."""

    def fill(self) -> None:
        """Leave not one free byte."""
        with (self.path / "filler").open("ab", buffering=0) as file:
            for size in (4096, 1):
                with contextlib.suppress(OSError):
                    while file.write(bytes(size)):
                        pass

    def free(self) -> None:
        """Take away what filled it."""
        (self.path / "filler").unlink()
