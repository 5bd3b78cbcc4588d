"""The settings of a box: what ``box.toml`` and the environment say, as far as it can be used, and what cannot.

A shop loses its lock when an agent does not start, so nothing that stands in a file or in the environment stops one: a
setting that cannot be used counts as not set and is named in a notice, with its line and what to write instead. The
environment comes before the file. What is typed at the command line is not read here and ends the command when it is
wrong, because somebody is there to read why.
"""

import errno
import socket
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from lancert.box import notices
from lancert.box.notices import Notice
from lancert.box.setting_table import SETTINGS as SETTINGS
from lancert.box.setting_table import NotUsable
from lancert.kit.files import FileTooLarge, read_limited
from lancert.kit.language import N_
from lancert.kit.logs import Log
from lancert.kit.salvage import Broken, Fault, Salvaged, salvage
from lancert.kit.settings import settings_of_environment, variable_of

SETTINGS_FILE: Final = "box.toml"

_LIMIT = 65_536
_MOST_SHOWN = 5
_FOLDER = N_("The folder cannot be named in a file that lies in it; it is named at the command line.")
_LISTS = ("listen", "address", "public_resolver")
_IN_ENVIRONMENT = {name: one.example.partition(" = ")[2].strip('[]"') for name, one in SETTINGS.items()}

log = Log("box.settings")


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """What was read: the usable values by name, and what to tell about the others."""

    values: Mapping[str, object] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()


def read_settings(folder: Path, known: Iterable[str]) -> Readings:
    """Read ``box.toml`` in a folder and the environment; a known setting without a reader here is passed on as it is.

    ``known`` are the names in lower case.
    """
    names = sorted({*known} - {"folder"})
    from_file = _from_file(folder / SETTINGS_FILE, names)
    from_environment = _from_environment(names)
    return Readings(
        values={**from_file.values, **from_environment.values},
        notices=(*from_file.notices, *from_environment.notices),
    )


class SettingsWatch:
    """Says what is wrong with the settings, and notices when they are mended or changed while the agent runs."""

    def __init__(
        self,
        folder: Path,
        known: Iterable[str],
        *,
        read: Readings,
        in_use: Mapping[str, object],
        until_restart: tuple[Notice, ...] = (),
    ) -> None:
        """Begin with what was read at the start.

        ``in_use`` is the value of each setting that counts now, None where its default does; a setting that was
        given at the command line is not among them. ``until_restart`` is to be told as long as the agent runs.
        """
        self.notices = (*read.notices, *until_restart)
        self._until_restart = until_restart
        self._folder = folder
        self._known = tuple(known)
        self._in_use = dict(in_use)
        self._stamp = _stamp(folder / SETTINGS_FILE)

    def look(self) -> None:
        """Read the file again if it was changed."""
        stamp = _stamp(self._folder / SETTINGS_FILE)
        if stamp == self._stamp:
            return
        self._stamp, before = stamp, self.notices
        read = read_settings(self._folder, self._known)
        self.notices = (*read.notices, *self._until_restart, *self._restart(read))
        if self.notices != before:
            self.tell()
            if not self.notices:
                log.info("the settings are in order again", file=SETTINGS_FILE)

    def _restart(self, read: Readings) -> tuple[Notice, ...]:
        """Say whether a start would use other settings now: what cannot be read would stay as it is."""
        for name, in_use in self._in_use.items():
            would_be = read.values.get(name)
            if would_be != in_use and not (would_be is None and read.notices):
                return (notices.restart_needed(SETTINGS_FILE),)
        return ()

    def tell(self) -> None:
        """Put what is wrong into the log."""
        for notice in self.notices:
            log.warning("a setting needs attention", notice=notice.id, **notice.facts)


def own_addresses(listen: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[Notice, ...]]:
    """Leave out the addresses to listen on that this machine does not have now; with none left it listens on all.

    A box whose address changed would not start otherwise, and nobody could read why.
    """
    absent = [address for address in listen if not _is_here(address)]
    told = tuple(notices.not_here({"file": SETTINGS_FILE, "setting": "listen", "address": one}) for one in absent)
    return tuple(one for one in listen if one not in absent), told


def _is_here(address: str) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family) as probe:
            probe.bind((address, 0))
    except OSError as error:
        return error.errno != errno.EADDRNOTAVAIL
    return True


def _from_file(file: Path, known: list[str]) -> Readings:
    try:
        if not stat.S_ISREG(file.stat().st_mode):
            return Readings(notices=(notices.unusable_file("settings-no-file", file.name),))
        content = read_limited(file, _LIMIT)
    except FileNotFoundError:
        return Readings()
    except PermissionError:
        return Readings(notices=(notices.unusable_file("settings-no-right", file.name),))
    except FileTooLarge:
        return Readings(notices=(notices.unusable_file("settings-too-large", file.name),))
    except OSError:
        return Readings(notices=(notices.unusable_file("settings-disk", file.name),))
    return _understood(salvage(content), file.name, known)


def _understood(found: Salvaged, file: str, known: list[str]) -> Readings:
    values: dict[str, object] = {}
    wrong = [(one.line, _of_broken(one, file)) for one in found.broken]
    for name, value in found.values.items():
        line = found.lines.get(name, 1)
        facts = {"file": file, "line": str(line), "setting": name, "example": _example(name)}
        try:
            if name not in known:
                wrong.append((line, _of_unknown(name, value, facts, known)))
            else:
                values[name] = SETTINGS[name].read(value) if name in SETTINGS else value
        except NotUsable:
            wrong.append((line, notices.unusable_setting(SETTINGS[name].how, facts)))
    return Readings(values=values, notices=_bounded([notice for _, notice in sorted(wrong, key=_by_line)], file))


def _by_line(one: tuple[int, Notice]) -> int:
    return one[0]


def _bounded(found: list[Notice], file: str) -> tuple[Notice, ...]:
    if len(found) <= _MOST_SHOWN:
        return tuple(found)
    rest = {"file": file, "count": str(len(found) - _MOST_SHOWN)}
    return (*found[:_MOST_SHOWN], notices.more_lines(rest))


def _of_broken(broken: Broken, file: str) -> Notice:
    facts = {"file": file, "line": str(broken.line)}
    match broken.fault:
        case Fault.NOT_TEXT:
            return notices.no_text(facts)
        case Fault.TWICE:
            return notices.named_twice({**facts, "setting": broken.name or ""})
        case Fault.SYNTAX:
            setting = {"setting": broken.name} if broken.name in SETTINGS and broken.name else {}
            return notices.broken_line({**facts, **setting, "example": _example(broken.name or "")})


def _of_unknown(name: str, value: object, facts: dict[str, str], known: list[str]) -> Notice:
    if name == "folder":
        return notices.unusable_setting(_FOLDER, {**facts, "example": "lancert box run --folder FOLDER"})
    if isinstance(value, dict):
        return notices.needless_section(facts)
    return notices.unknown_setting({**facts, **_nearest(name, known)})


def _nearest(name: str, known: list[str]) -> dict[str, str]:
    import difflib  # for a mistake only

    near = difflib.get_close_matches(name, known, 1)
    return {"near": near[0], "example": _example(near[0])} if near else {"known": ", ".join(known)}


def _example(name: str) -> str:
    return SETTINGS[name].example if name in SETTINGS else SETTINGS["http_port"].example


def _from_environment(known: list[str]) -> Readings:
    values: dict[str, object] = {}
    wrong = []
    for name, text in settings_of_environment("box").items():
        variable = variable_of("box", name)
        if name == "folder":
            continue
        if name not in known:
            near = {
                fact: variable_of("box", one) if fact == "near" else one for fact, one in _nearest(name, known).items()
            }
            wrong.append(notices.unknown_variable({"setting": variable, **near}))
            continue
        value: object = text.split(",") if name in _LISTS else text
        try:
            values[name] = SETTINGS[name].read(value) if name in SETTINGS else value
        except NotUsable:
            example = f"{variable}={_IN_ENVIRONMENT[name]}"
            wrong.append(notices.unusable_variable(SETTINGS[name].how, {"setting": variable, "example": example}))
    return Readings(values=values, notices=tuple(wrong))


def _stamp(file: Path) -> tuple[int, ...]:
    """Give a value that changes with the file."""
    try:
        found = file.stat()
    except OSError:
        return ()
    return (found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)
