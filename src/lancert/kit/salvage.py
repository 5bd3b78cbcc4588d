"""Reads what can be read of a TOML file that somebody broke, and says which lines those are that cannot.

For files of settings: ``name = value`` first, tables after them. A file that is whole is read by ``tomllib`` alone. Of
a broken one each statement is read by itself, so that one missing quotation mark costs one setting and not all of
them. Nothing is guessed: a statement counts as it stands or not at all, and of two with one name the first does.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

_BOM = b"\xef\xbb\xbf"
_BEGINS = re.compile(r"""[ \t]*(?P<quote>["']?)(?P<name>[A-Za-z0-9_-]+)(?P=quote)[ \t]*(?:\.[^=]*)?=""")
_TABLE = re.compile(r"""[ \t]*\[+[ \t]*["']?(?P<name>[A-Za-z0-9_-]+)""")
_AT_LINE = re.compile(r"\(at line (\d+)")
_LONGEST = 20  # lines of one statement
_MOST_BROKEN = 100


class Fault(StrEnum):
    """Why a line does not count."""

    SYNTAX = "syntax"
    NOT_TEXT = "not-text"
    TWICE = "twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A statement that does not count; lines are counted from 1, ``name`` is what it would have set."""

    line: int
    fault: Fault
    name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Salvaged:
    """What could be read, the line each name stands on, and what could not."""

    values: Mapping[str, object] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()


def salvage(content: bytes) -> Salvaged:
    """Read a file of settings, whole or broken; never raises for what is in it."""
    raw = [line.rstrip(b"\r") for line in content.removeprefix(_BOM).split(b"\n")]
    lines = [_text(line) for line in raw]
    if None not in lines:
        whole = [line for line in lines if line is not None]
        if (values := _parsed(whole)) is not None:
            return Salvaged(values=values, lines=_lines_of(values, whole))
    return _Reading(lines).read()


class _Reading:
    """One pass over a broken file."""

    def __init__(self, lines: Sequence[str | None]) -> None:
        self._lines = lines
        self._values: dict[str, object] = {}
        self._places: dict[str, int] = {}
        self._broken: list[Broken] = []

    def read(self) -> Salvaged:
        """Read statement by statement, and table by table."""
        at = 0
        while at < len(self._lines) and len(self._broken) < _MOST_BROKEN:
            line = self._lines[at]
            if line is None:
                self._broken.append(Broken(line=at + 1, fault=Fault.NOT_TEXT))
                at += 1
            elif not line.strip(" \t") or line.lstrip(" \t").startswith("#"):
                at += 1
            elif _TABLE.match(line):
                at = self._table(at)
            else:
                at = self._statement(at)
        return Salvaged(values=self._values, lines=self._places, broken=tuple(self._broken))

    def _statement(self, at: int) -> int:
        for end in range(at + 1, min(at + _LONGEST, len(self._lines)) + 1):
            values = _parsed(self._lines[at:end])
            if values is not None:
                self._take(values, at)
                return end
            if end < len(self._lines) and self._begins(end):
                break
        self._broken.append(Broken(line=at + 1, fault=Fault.SYNTAX, name=_name(self._lines[at], _BEGINS)))
        at += 1
        # What follows up to the next beginning belongs to what could not be read.
        while at < len(self._lines) and self._lines[at] and not self._begins(at):
            at += 1
        return at

    def _table(self, at: int) -> int:
        end = at + 1
        while end < len(self._lines) and not _TABLE.match(self._lines[end] or ""):
            end += 1
        values = _parsed(self._lines[at:end])
        if values is not None:
            self._take(values, at)
        else:
            line = at + _broken_line(self._lines[at:end])
            self._broken.append(Broken(line=line, fault=Fault.SYNTAX, name=_name(self._lines[at], _TABLE)))
        return end

    def _take(self, values: Mapping[str, object], at: int) -> None:
        for name, value in values.items():
            known = self._values.get(name)
            if isinstance(known, list) and isinstance(value, list) and _TABLE.match(self._lines[at] or ""):
                known += value
            elif name in self._values:
                self._broken.append(Broken(line=at + 1, fault=Fault.TWICE, name=name))
            else:
                self._values[name] = value
                self._places[name] = at + 1

    def _begins(self, at: int) -> bool:
        line = self._lines[at] or ""
        return bool(_BEGINS.match(line) or _TABLE.match(line))


def _text(line: bytes) -> str | None:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _parsed(lines: Sequence[str | None]) -> dict[str, object] | None:
    if None in lines:
        return None
    try:
        return tomllib.loads("\n".join(line or "" for line in lines))
    except (ValueError, RecursionError):
        return None


def _broken_line(lines: Sequence[str | None]) -> int:
    """Say which of these lines is the first that cannot be read, counted from 1."""
    if None in lines:
        return lines.index(None) + 1
    try:
        tomllib.loads("\n".join(line or "" for line in lines))
    except ValueError as error:
        found = _AT_LINE.search(str(error))
        return int(found[1]) if found else 1
    except RecursionError:
        pass
    return 1


def _name(line: str | None, form: re.Pattern[str]) -> str | None:
    found = form.match(line or "")
    return found["name"] if found else None


def _lines_of(values: Mapping[str, object], lines: Sequence[str]) -> dict[str, int]:
    places: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        name = _name(line, _BEGINS) or _name(line, _TABLE)
        if name in values and name is not None:
            places.setdefault(name, number)
    return places
