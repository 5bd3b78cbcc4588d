"""Judges where files are to be put, before anything is written there.

The agent may run as root, so a folder that another account can change is refused: whoever may write in it could send
the key elsewhere, or have us write over what is not ours. Nothing is ever written through a link.
"""

import os
import stat
from pathlib import Path

from lancert.box.deploy.targets import Target


class NotAPlace(Exception):
    """Files cannot be put there; the text says why and is for the person who wrote the path."""


def judge_place(target: Target, own_folder: Path) -> None:
    """Refuse a place that others can change, or that is the agent's own. Raises NotAPlace or OSError.

    The folder of the files may be missing, the one above it may not.
    """
    folder = target.folder
    if own_folder.resolve() in (folder.resolve(), *folder.resolve().parents):
        raise NotAPlace(f"{folder} belongs to the agent itself, choose another folder")
    judge_folder(folder if folder.exists() else folder.parent)
    for _, path in target.files:
        _judge_file(path, target)
    if target.request is not None:
        _judge_file(target.request, target)


def judge_folder(folder: Path) -> None:
    """Refuse a folder that an account other than root and ours could change, or one above it. Raises NotAPlace."""
    trusted = {0, os.geteuid()}
    for one in (*reversed(folder.parents), folder):
        try:
            found = one.lstat()
        except OSError as error:
            raise NotAPlace(f"{one} cannot be entered: {error.strerror}") from error
        if stat.S_ISLNK(found.st_mode):
            if found.st_uid not in trusted:
                raise NotAPlace(f"{one} is a link that belongs to another account")
            judge_folder(one.resolve())
            continue
        if not stat.S_ISDIR(found.st_mode):
            raise NotAPlace(f"{one} is not a folder")
        if found.st_uid not in trusted:
            raise NotAPlace(f"{one} belongs to another account")
        is_shared_room = bool(found.st_mode & stat.S_ISVTX) and one != folder
        if stat.S_IMODE(found.st_mode) & 0o022 and not is_shared_room:
            raise NotAPlace(f"other accounts may write in {one}: chmod go-w {one}")


def _judge_file(path: Path, target: Target) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if stat.S_ISLNK(found.st_mode):
        to = path.readlink()
        if to.parts[:1] != (target.home.name,):
            raise NotAPlace(f"{path} is a link to {to}: remove it first")
    elif not stat.S_ISREG(found.st_mode):
        raise NotAPlace(f"{path} is not a file")
