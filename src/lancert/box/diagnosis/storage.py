"""Can the folder of this box be written, and is there room for the next certificate?

Looked at like this, nothing is written; when somebody asks for a diagnosis a file of a few kilobytes is tried as well,
which finds what a look does not (a quota, a worn memory card).
"""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.kit.language import N_
from lancert.kit.platform import system

ID = "storage"
_TITLE = N_("Disk")
ROOM = 4 * 1024 * 1024
"""Bytes below which there is not enough room: some certificates, and a log that goes on."""

_TRIED = 16_384
_FREE_IT = N_("Delete files on the disk that are not needed, or use a larger one.")
_CARD = N_("Restart the IoT system. If it comes back, replace the disk or the memory card.")
_ACCOUNT = N_("Give the folder back to the account of the agent, and run this with that account.")
_WORDS = {
    "missing": (N_("The folder {folder} is not there."), (N_("Start the agent: lancert box run."),)),
    "read-only": (N_("The disk with the folder {folder} cannot be written: it is read-only."), (_CARD,)),
    "no-right": (N_("The folder {folder} cannot be written by this account."), (_ACCOUNT,)),
    "full": (N_("The disk with the folder {folder} is full."), (_FREE_IT,)),
    "failing": (N_("The disk with the folder {folder} failed when it was written to."), (_CARD,)),
    "little-room": (N_("Only {free} are left on the disk with the folder {folder}."), (_FREE_IT,)),
}
_BY_ERROR = {
    errno.ENOSPC: "full",
    errno.EDQUOT: "full",
    errno.EROFS: "read-only",
    errno.EACCES: "no-right",
    errno.EPERM: "no-right",
    errno.ENOENT: "missing",
    errno.ENOTDIR: "missing",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What was seen of a folder: why it cannot be written, if so, and how many bytes are left."""

    wrong: str | None
    free: int


def look(folder: Path, *, writes: bool) -> Room:
    """Look at the folder; with ``writes`` a file without a name is written and forgotten."""
    try:
        free = system.room(folder).bytes
        if not os.access(folder, os.W_OK | os.X_OK):
            # The system says more exactly why when it is tried, which writes nothing where it is not allowed.
            writes = True
        if writes:
            import tempfile  # half a megabyte that a look does not need

            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(_TRIED))
                file.flush()
                os.fsync(file.fileno())
    except OSError as error:
        return Room(wrong=_BY_ERROR.get(error.errno or 0, "failing"), free=0)
    return Room(wrong="full" if free == 0 else None, free=free)


def check(folder: Path, room: Room) -> Finding:
    """Say whether the folder can be used."""
    words = {"folder": str(folder), "free": _size(room.free)}
    wrong = room.wrong or ("little-room" if room.free < ROOM else None)
    if wrong is None:
        sentence = N_("The folder can be written, and {free} are left.")
        return Finding(
            check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence, facts={"free": _size(room.free)}
        )
    sentence, remedy = _WORDS[wrong]
    return Finding(
        check=ID, title=_TITLE, verdict=Verdict.WRONG, sentence=sentence, facts=words, remedy=remedy, because=wrong
    )


def _size(size: int) -> str:
    for unit, step in (("GiB", 2**30), ("MiB", 2**20)):
        if size >= step:
            return f"{size // step} {unit}"
    return f"{size // 2**10} KiB"
