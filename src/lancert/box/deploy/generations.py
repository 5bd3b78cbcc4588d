"""The files of a target on the disk: whole generations, and one link that is turned from one to the next.

    key.pem        -> .app.lancert/current/key.pem            made once, never changed again
    full-chain.pem -> .app.lancert/current/full-chain.pem
    .app.lancert/current -> 000012                            the one rename that changes all of them at once
    .app.lancert/000010, 000011, 000012                       the last three generations, each complete and synced

Between two renames of two files a reader would see a key and a certificate that do not belong together, and a power
cut there would leave them so. One rename has no between. What it cannot help is a reader that opens one file before
it and the other after it. Such a reader is safe when it resolves one link first and takes both files from there;
nginx, which cannot, is given a file that names both files of one generation; HAProxy reads all from one file.

Files that were there before lancert are taken in as the first generation, byte by byte, before any of them becomes a
link, so that they can be put back.
"""

import os
import re
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lancert.box.deploy.material import BESIDE_NGINX, GENERATION, Material, is_usable
from lancert.box.deploy.places import NotAPlace, judge_place
from lancert.box.deploy.targets import Part, Target
from lancert.kit.files import link_to, lock, read_limited, sync_directory, write_for

_GENERATION = re.compile(r"[0-9]{6,9}")
_LIMIT = 131_072
_OLDER_KEPT = 2  # one to go back to, and one for a reader that is slower than two renewals
_CERTIFIED = (Part.FULL_CHAIN, Part.COMBINED, Part.CERTIFICATE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A file as it is to be: what it holds, who may read it, whom it belongs to (-1: whoever writes it)."""

    content: bytes
    mode: int
    user: int = -1
    group: int = -1


class Generations:
    """The generations of one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._home = target.home
        self._current = target.home / "current"

    @contextmanager
    def opened(self, own_folder: Path) -> Iterator[None]:
        """Judge the place, make the home and hold its lock. Raises NotAPlace, AlreadyLocked or OSError."""
        judge_place(self._target, own_folder)
        for folder in (self._target.folder, self._home):
            if not folder.exists():
                folder.mkdir()
                folder.chmod(0o755)  # whoever reads the files has to pass, under any umask
                sync_directory(folder.parent)
        with lock(self._home):
            yield

    def are_right(self, material: Material) -> bool:
        """Say whether the target has these files already, with the rights and links they should have."""
        try:
            wanted = self._wanted(material)
            return all(self._is_ours(path) for _, path in self._target.files) and all(
                self._is_right(self._current / name, file) for name, file in wanted.items()
            )
        except (OSError, NotAPlace):
            return False

    def older_is_valid(self, now: datetime, *, are_right: bool) -> bool:
        """Say whether there is something to go back to that clients still accept.

        That is what lies there now, unless those are the new files already.
        """
        previous = self._previous() if are_right else None
        if are_right and previous is None:
            return False
        files = dict(self._target.files)
        certified = [(previous or self._target.folder) / files[part].name for part in _CERTIFIED if part in files]
        if Part.NGINX in files:
            certified.append((previous or self._current) / BESIDE_NGINX[Part.FULL_CHAIN])
        found = next((path for path in certified if path.is_file()), None)
        if found is None:
            return not certified and all(path.is_file() for path in files.values())
        try:
            return is_usable(read_limited(found, _LIMIT), now)
        except OSError:
            return False

    def place(self, material: Material) -> None:
        """Write the files and turn all links to them at once. Raises NotAPlace or OSError: nothing is changed then."""
        wanted = self._wanted(material)
        self._clear_away()
        if any(path.is_file() and not self._is_ours(path) for _, path in self._target.files):
            self._take_in()
        before = self._current.readlink() if self._current.is_symlink() else None
        link_to(self._current, self._write(wanted))
        try:
            for _, path in self._target.files:
                if not self._is_ours(path):
                    link_to(path, self._link(path))
        except OSError:
            if before is not None:
                link_to(self._current, str(before))
            raise

    def go_back(self) -> None:
        """Turn all links to the generation before. Raises OSError."""
        previous = self._previous()
        if previous is None:
            raise FileNotFoundError("there is no generation before")
        link_to(self._current, previous.name)
        self._clear_away()

    def settle(self) -> None:
        """Forget what is older than the two generations before."""
        older = sorted((number, path) for number, path in self._all() if number < self._current_number())
        for _, path in older[:-_OLDER_KEPT]:
            shutil.rmtree(path, ignore_errors=True)

    def _wanted(self, material: Material) -> dict[str, _File]:
        user, group = _accounts(self._target)
        named = [(part, path.name) for part, path in self._target.files]
        if Part.NGINX in dict(named):
            named += BESIDE_NGINX.items()
        return {
            name: _File(
                content=material.content(part),
                mode=self._target.mode if part.holds_key else 0o644,
                user=user,
                group=group,
            )
            for part, name in named
        }

    def _is_right(self, path: Path, wanted: _File) -> bool:
        in_place = wanted.content.replace(GENERATION, bytes(self._current.resolve()))
        if read_limited(path, _LIMIT) != in_place:
            return False
        found = path.stat()
        belongs = wanted.user in (-1, found.st_uid) and wanted.group in (-1, found.st_gid)
        return belongs and stat.S_IMODE(found.st_mode) == wanted.mode

    def _is_ours(self, path: Path) -> bool:
        return path.is_symlink() and str(path.readlink()) == self._link(path)

    def _link(self, path: Path) -> str:
        return f"{self._home.name}/{self._current.name}/{path.name}"

    def _take_in(self) -> None:
        """Make what readers see now the current generation, and only then links of the files: each shows the same."""
        seen: dict[str, _File] = {}
        for _, path in self._target.files:
            if path.is_file():
                found = path.stat()
                seen[path.name] = _File(
                    content=read_limited(path, _LIMIT),
                    mode=stat.S_IMODE(found.st_mode),
                    user=found.st_uid if found.st_uid != os.geteuid() else -1,
                    group=found.st_gid if found.st_gid != os.getegid() else -1,
                )
        link_to(self._current, self._write(seen))
        for _, path in self._target.files:
            if path.name in seen and not self._is_ours(path):
                link_to(path, self._link(path))

    def _write(self, files: Mapping[str, _File]) -> str:
        """Write a generation completely before it has its name; gives the name."""
        name = f"{max([0, *(number for number, _ in self._all())]) + 1:06}"
        beside = self._home / f".{name}.new"
        beside.mkdir()
        beside.chmod(0o755)
        for file_name, file in files.items():
            content = file.content.replace(GENERATION, bytes(self._home.resolve() / name))
            try:
                write_for(beside / file_name, content, file.mode, file.user, file.group)
            except PermissionError as error:
                if (file.user, file.group) == (-1, -1):
                    raise
                whom = " and ".join(name for name in (self._target.owner, self._target.group) if name)
                raise NotAPlace(f"the agent has no right to give files to {whom or 'their owner of before'}") from error
        beside.rename(self._home / name)
        sync_directory(self._home)
        return name

    def _clear_away(self) -> None:
        """Remove what an interruption left, and generations that are not in use although they are newer."""
        for rest in [*self._home.glob(".*.new"), *self._target.folder.glob(".*.new")]:
            is_ours = rest.parent == self._home or rest.name.split(".")[1:-2] in self._names()
            if rest.is_dir() and not rest.is_symlink() and is_ours:
                shutil.rmtree(rest, ignore_errors=True)
            elif is_ours:
                with suppress(OSError):
                    rest.unlink()
        for number, path in self._all():
            if number > self._current_number():
                shutil.rmtree(path, ignore_errors=True)

    def _names(self) -> list[list[str]]:
        return [path.name.split(".") for _, path in self._target.files]

    def _current_number(self) -> int:
        try:
            name = str(self._current.readlink())
        except OSError:
            return 0
        return int(name) if _GENERATION.fullmatch(name) else 0

    def _previous(self) -> Path | None:
        older = [(number, path) for number, path in self._all() if number < self._current_number()]
        return max(older)[1] if older else None

    def _all(self) -> list[tuple[int, Path]]:
        if not self._home.is_dir():
            return []
        return [(int(path.name), path) for path in self._home.iterdir() if _GENERATION.fullmatch(path.name)]


def _accounts(target: Target) -> tuple[int, int]:
    """Look up owner and group as numbers, -1 for none. Raises NotAPlace when they are not on this machine."""
    import grp  # these two exist on POSIX alone
    import pwd

    user = group = -1
    if target.owner is not None:
        try:
            user = int(target.owner) if target.owner.isdigit() else pwd.getpwnam(target.owner).pw_uid
        except KeyError as error:
            raise NotAPlace(f"there is no account {target.owner} on this machine") from error
    if target.group is not None:
        try:
            group = int(target.group) if target.group.isdigit() else grp.getgrnam(target.group).gr_gid
        except KeyError as error:
            raise NotAPlace(f"there is no group {target.group} on this machine") from error
    return user, group
