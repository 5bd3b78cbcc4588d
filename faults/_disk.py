"""Small file systems that can be mounted, filled, and photographed as the power cut would leave them."""

import contextlib
import filecmp
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from faults._table import NotPossibleHere

SIZE = 16 * 1024 * 1024


def run(*command: str) -> str:
    """Run a system command and give what it said. Raises NotPossibleHere when it is missing or fails."""
    if os.geteuid() != 0:
        raise NotPossibleHere("mounting needs root")
    if shutil.which(command[0]) is None:
        raise NotPossibleHere(f"{command[0]} is missing")
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise NotPossibleHere(f"{' '.join(command[:2])} failed: {done.stderr.strip()}")
    return done.stdout


def tool(program: str) -> str:
    """Find a program. Raises NotPossibleHere."""
    found = shutil.which(program)
    if found is None:
        raise NotPossibleHere(f"{program} is missing")
    return found


def new_ext4(image: Path) -> None:
    """Make an ext4 file system in a file, with a journal."""
    with image.open("wb") as file:
        file.truncate(SIZE)
    run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(image))


@contextlib.contextmanager
def mounted(what: Path | str, where: Path, options: str, kind: str = "ext4") -> Iterator[Path]:
    """Mount a file system for as long as the block lasts."""
    where.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", kind, "-o", options, str(what), str(where))
    try:
        yield where
    finally:
        _unmount(where)


def _unmount(where: Path) -> None:
    """Unmount; a process that is just being started from another thread may hold a file for a moment."""
    for _ in range(100):
        with contextlib.suppress(NotPossibleHere):
            run("umount", str(where))
            return
        time.sleep(0.05)
    run("umount", str(where))


def photograph(image: Path, copy: Path) -> None:
    """Copy what has reached the disk by now, at one moment: until two copies in a row are the same."""
    second = copy.with_suffix(".second")
    for _ in range(50):
        shutil.copyfile(image, copy)
        shutil.copyfile(image, second)
        if filecmp.cmp(copy, second, shallow=False):
            second.unlink()
            return
    raise RuntimeError("the disk never rested for the length of a copy")
