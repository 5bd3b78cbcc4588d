"""Do the files of this box belong to its agent, and to nobody else?

Two things go wrong in practice: a copy or a backup leaves keys open to other accounts, and a command run as
administrator leaves files the agent cannot read.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.settings import SETTINGS_FILE
from lancert.kit.files import is_open_to_others
from lancert.kit.language import N_

ID = "private-files"
_TITLE = N_("Files of this IoT system")
_MOST_LOOKED_AT = 500
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen: files that other accounts may read, files of another owner, and whether all could be looked at."""

    open: tuple[str, ...] = ()
    foreign: tuple[str, ...] = ()
    hidden: bool = False


def look(folder: Path) -> Seen:
    """Look at every file in the folder but the settings, which are no secret; none is opened."""
    is_open, foreign = [], []
    try:
        owner = folder.stat().st_uid
        for path in _files(folder):
            name = str(path.relative_to(folder))
            try:
                if is_open_to_others(path):
                    is_open.append(name)
                if path.stat().st_uid != owner:
                    foreign.append(name)
            except FileNotFoundError:
                continue  # replaced while it was looked at
    except OSError:
        return Seen(hidden=True)
    return Seen(open=tuple(is_open), foreign=tuple(foreign))


def _files(folder: Path) -> Iterable[Path]:
    looked_at = 0
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders.sort()
        for name in sorted(files):
            path = Path(place) / name
            if not path.is_symlink() and name != SETTINGS_FILE:
                looked_at += 1
                yield path
            if looked_at >= _MOST_LOOKED_AT:
                return


def _raise(error: OSError) -> None:
    raise error


def check(folder: Path, seen: Seen) -> Finding:
    """Say whether the files are those of the agent alone."""
    words = {"folder": str(folder)}
    if seen.hidden:
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("This account may not look into the folder {folder}."),
            facts=words,
            remedy=(N_("Run this with the account of the agent or as an administrator."),),
            because="no-right",
        )
    if seen.foreign:
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("These files belong to another account than their folder, and may be closed to it: {files}"),
            facts={**words, "files": _named(seen.foreign)},
            remedy=(N_("Give them to the account of the folder: sudo chown -R --reference={folder} {folder}"),),
            because="foreign",
        )
    if seen.open:
        return Finding(
            check=ID,
            title=_TITLE,
            verdict=Verdict.WRONG,
            sentence=N_("Other accounts of this machine can read these files: {files}"),
            facts={**words, "files": _named(seen.open)},
            remedy=(
                N_("Take that right away: chmod -R go-rwx {folder}"),
                N_("If a stranger may have read them, ask for a new certificate: it is made with a new key."),
            ),
            because="open-to-others",
        )
    sentence = N_("Keys and settings can be read by the account of the agent alone.")
    return Finding(check=ID, title=_TITLE, verdict=Verdict.FINE, sentence=sentence)


def _named(files: tuple[str, ...]) -> str:
    return ", ".join(files[:_MOST_NAMED]) + (" …" if len(files) > _MOST_NAMED else "")
