"""Back to factory settings: everything a box was given or made for itself is removed, its settings file is not.

The wish is written first, and nothing takes it back: from then on a box that is killed, at whatever step, ends as one
that was reset completely at its next start (S-15). The file that holds the wish is the new PIN, which whoever resets
the box is told before the old one is gone; the last step renames it to its place. Keys are overwritten before they
are removed; a memory card that spreads its writes may keep older copies all the same, and nobody is told otherwise.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lancert.kit.files import erase, sync_directory

MARKER = "reset.json"
PIN_FILE = "pin.json"
KEPT = ("box.toml", "lock")
"""What a person wrote, and what holds no fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The names in a folder: what a reset removes, folders with a slash at their end, and what it keeps."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]


def contents(folder: Path) -> Contents:
    """Say what a reset would do to a folder. Raises OSError."""
    names = sorted(f"{path.name}/" if _is_folder(path) else path.name for path in folder.iterdir())
    return Contents(
        removed=tuple(name for name in names if name not in (*KEPT, MARKER)),
        kept=tuple(name for name in names if name in KEPT and name != "lock"),
    )


def ask(folder: Path) -> str:
    """Have this box reset, within seconds or at its next start; gives the PIN it has from then on. Raises OSError."""
    from lancert.box.pin import new_pin  # finishing needs nothing but the disk

    return new_pin(folder / MARKER)


def asked(folder: Path) -> int:
    """Give a value that differs for each time a reset was asked for; 0 when none is waiting."""
    try:
        return (folder / MARKER).stat().st_mtime_ns
    except OSError:
        return 0


def finish(folder: Path) -> Sequence[str]:
    """Reset a folder of which this process holds the lock; gives the names of what could not be removed.

    With any of those the wish stays, to be carried out at the next start; a disk that fails keeps no box from starting.
    """
    left: list[str] = []
    try:
        for path in sorted(folder.iterdir()):
            if path.name not in (*KEPT, MARKER):
                left += _remove(path, path.name)
        if not left:
            (folder / MARKER).replace(folder / PIN_FILE)
            sync_directory(folder)
    except OSError:
        left.append(MARKER)
    return left


def _remove(path: Path, name: str) -> list[str]:
    """Remove a file, or a folder with what is in it; a link is removed and not followed."""
    left: list[str] = []
    try:
        if _is_folder(path):
            for inner in sorted(path.iterdir()):
                left += _remove(inner, f"{name}/{inner.name}")
            if not left:
                path.rmdir()
        else:
            erase(path)
    except OSError:
        left.append(name)
    return left


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()
