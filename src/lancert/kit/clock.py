"""Time as something that is handed in.

Decisions take the time as an argument; agents and services hold a ``Clock``. Wall time is always an aware UTC
``datetime``; waiting and spacing are measured with the monotonic clock, which no clock step can move.
"""

import re
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


class Clock(Protocol):
    """Where a part takes its time from."""

    def now(self) -> datetime:
        """Give the wall time, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Give seconds that only ever grow, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Give the wall time, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Give the seconds of the monotonic clock."""
        return time.monotonic()


class SystemZone(tzinfo):
    """The local time of the machine, with its rules for summer time; UTC for a year it cannot reckon with."""

    def utcoffset(self, moment: datetime | None) -> timedelta:
        """Give how far local time is ahead of UTC."""
        if moment is None:
            return timedelta(0)
        try:
            return moment.replace(tzinfo=None).astimezone().utcoffset() or timedelta(0)
        except (OverflowError, OSError, ValueError):
            return timedelta(0)

    def dst(self, moment: datetime | None) -> None:
        """Say nothing about summer time: the offset holds it already."""

    def tzname(self, moment: datetime | None) -> str:
        """Give a name for the zone."""
        return "local time"

    def fromutc(self, moment: datetime) -> datetime:
        """Give the local time of a moment that is given in UTC."""
        try:
            local = moment.replace(tzinfo=UTC).astimezone()
        except (OverflowError, OSError, ValueError):
            return moment
        return local.replace(tzinfo=self)


class SettableClock:
    """A clock that moves only when told to: for tests and simulations."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._monotonic = 0.0

    def now(self) -> datetime:
        """Give the time it was set to."""
        return self._now

    def monotonic(self) -> float:
        """Give the seconds it was moved forward."""
        return self._monotonic

    def forward(self, by: timedelta) -> None:
        """Let time pass, on both clocks."""
        self._now += by
        self._monotonic += by.total_seconds()

    def step(self, to: datetime) -> None:
        """Set the wall clock, as NTP or a person does; the monotonic clock does not notice."""
        self._now = to


def to_text(moment: datetime) -> str:
    """Write a moment as RFC 3339 in UTC with whole seconds: ``2026-11-20T09:30:00Z``."""
    # Three times as fast as strftime, on the path of every certificate.
    return f"{moment.astimezone(UTC).isoformat(timespec='seconds')[:19]}Z"


def to_words(moment: datetime) -> str:
    """Write a moment for an engineer at a terminal: ``20 November 2026, 09:30 UTC``."""
    at = moment.astimezone(UTC)
    return f"{at.day} {at:%B %Y, %H:%M} UTC"


def from_text(text: str) -> datetime:
    """Read what ``to_text`` wrote. Raises ValueError for any other spelling."""
    if not _MOMENT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a moment such as 2026-11-20T09:30:00Z")
    return datetime.fromisoformat(text)
