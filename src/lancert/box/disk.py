"""What a disk refuses, as a cause people can act on, and when it takes writes again.

``cause_of`` is pure. Whether there is room is asked of the file system and never tried by writing: a full or dying card
is not worn further by asking (F-13).
"""

import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from lancert.box.notices import Notice
from lancert.kit.logs import Log
from lancert.kit.platform import system
from lancert.protocol.problems import LOAD_REQUEST_EXCEPTION

FULL: Final = "disk-full"
READ_ONLY: Final = "disk-read-only"
NO_RIGHT: Final = "disk-no-right"
FAILING: Final = "disk-failing"

_CAUSES: Final[Mapping[int, str]] = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EROFS: READ_ONLY,
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EIO: FAILING,
    errno.ENXIO: FAILING,
    errno.ENODEV: FAILING,
    errno.ESTALE: FAILING,
    **dict.fromkeys(system.DISK_IS_DAMAGED, FAILING),
}

_ROOM: Final = 32 * 1024
"""Bytes that an installation needs at most, with what is written beside."""

_FILES: Final = 3
"""Files that are made before any is removed."""

log = Log("box.disk")


def cause_of(error: OSError) -> str | None:
    """Give the cause of ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION that an error of the disk is; None for another error."""
    return None if error.errno is None else _CAUSES.get(error.errno)


def trouble(folder: Path) -> str | None:
    """Say why nothing can be written into a folder now, as far as the file system tells."""
    try:
        room = system.room(folder)
    except OSError as error:
        return cause_of(error)
    if room.is_read_only:
        return READ_ONLY
    return FULL if room.bytes < _ROOM or (room.files is not None and room.files < _FILES) else None


class DiskWatch:
    """Knows whether the folder of a box can be written to, and notices when that changes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.trouble = trouble(folder)

    def look(self) -> bool:
        """Look again; say whether what was refused may be written now."""
        before, self.trouble = self.trouble, trouble(self._folder)
        if self.trouble != before:
            log.warning("what the disk takes has changed", trouble=self.trouble or "none", before=before or "none")
        return before is not None and self.trouble is None

    def notices(self, shown: str | None) -> tuple[Notice, ...]:
        """Warn before a certificate has to be stored; ``shown`` is the cause of a problem that says so already."""
        if self.trouble is None or self.trouble == shown:
            return ()
        cause = LOAD_REQUEST_EXCEPTION.cause(self.trouble)
        return (Notice(id=cause.id, title=cause.title or "", meaning=cause.meaning, remedy=cause.remedy),)
