"""Setting files aside: what cannot be read is renamed, never deleted, so that somebody may still rescue it.

The newest is ``set-aside-NAME``, those before it end in ``.1`` and ``.2``; more are not kept, because a disk that
damages a file at each start must not be filled by them.
"""

import contextlib
import stat
from pathlib import Path

from lancert.kit.files import close_to_others

_OLDER_KEPT = 2


def aside(path: Path) -> Path:
    """Give the place a file is set aside at."""
    return path.with_name(f"set-aside-{path.name}")


def set_aside(path: Path) -> Path:
    """Rename a file, or whatever stands in its place, closed to others; gives where it is now. Raises OSError."""
    newest = aside(path)
    places = [newest, *(newest.with_name(f"{newest.name}.{number}") for number in range(1, _OLDER_KEPT + 1))]
    if _is_there(newest):
        _remove(places[-1])
        for older, place in zip(reversed(places[:-1]), reversed(places[1:]), strict=True):
            with contextlib.suppress(FileNotFoundError):
                older.rename(place)
    path.rename(newest)
    if newest.is_file() and not newest.is_symlink():
        with contextlib.suppress(OSError):
            close_to_others(newest)
    return newest


def plain_file(path: Path) -> Path:
    """Give the path of something that can be read to its end, unlike a pipe. Raises OSError or ValueError."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError(f"{path.name} is not a file")
    return path


def _is_there(path: Path) -> bool:
    return path.exists() or path.is_symlink()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        import shutil  # hardly ever needed, and large

        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
