"""The log level that was chosen, and its way back to the normal one by itself after a day.

Two measures are kept, and whichever is used up first ends it: a moment by the time the box goes by, and how long the
box may still run at this level. The first can be wrong when a clock is; the second is taken off ahead in portions,
so that neither a clock that is set nor any number of restarts makes it more than a day.
"""

import contextlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from lancert.box.time import Timekeeper
from lancert.kit.logs import LEVELS, NORMAL, Log, set_level

LONGEST = timedelta(days=1)
"""How long another level than the normal one is kept."""

PORTION = timedelta(minutes=15)
"""What a start, and every quarter of an hour, takes off ahead: 96 small files in that day, none on others (F-13)."""

log = Log("box.log_level")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenLevel:
    """Another level than the normal one, until a moment, and for so much more running time beyond this portion."""

    level: str
    until: datetime
    left: timedelta = LONGEST


class Kept(Protocol):
    """Where the choice outlives a restart."""

    def log_level(self) -> ChosenLevel | None:
        """Read the choice; None is the normal level."""
        ...

    def choose_log_level(self, choice: ChosenLevel | None) -> None:
        """Remember the choice. Raises OSError."""
        ...


class LogLevel:
    """The level this box records at."""

    def __init__(self, kept: Kept, time: Timekeeper) -> None:
        self._kept = kept
        self._time = time
        self._choice = kept.log_level()
        self._portion_ends = time.monotonic()
        self.look()

    @property
    def level(self) -> str:
        """Give the level that is recorded now."""
        return NORMAL if self._choice is None else self._choice.level

    @property
    def until(self) -> datetime | None:
        """Say when the level goes back to normal if the box goes on running; None when it is normal."""
        if self._choice is None:
            return None
        portion = timedelta(seconds=max(0.0, self._portion_ends - self._time.monotonic()))
        return min(self._choice.until, self._time.now() + portion + self._choice.left)

    def choose(self, level: str) -> None:
        """Record at this level for a day. Raises ValueError for an unknown one; OSError, and nothing was changed."""
        if level not in LEVELS:
            raise ValueError(level)
        choice = None if level == NORMAL else ChosenLevel(level=level, until=self._time.now() + LONGEST)
        self._kept.choose_log_level(choice)
        self._choice, self._portion_ends = choice, self._time.monotonic()
        self.look()
        set_level(level)
        log.info("the log level was changed", level=level)

    def look(self) -> None:
        """Go back to the normal level when it is time; cheap, to be called every few seconds."""
        if self._choice is None:
            return
        ran_on = timedelta(seconds=self._time.monotonic() - self._portion_ends)
        left = self._choice.left - max(ran_on, timedelta(0))
        is_spent = ran_on >= timedelta(0)
        if self._choice.until <= self._time.now() or (is_spent and left <= timedelta(0)):
            self._keep(None)
            set_level(NORMAL)
            log.info("the log level is back to normal")
        elif is_spent:
            portion = min(PORTION, left)
            self._portion_ends = self._time.monotonic() + portion.total_seconds()
            self._keep(replace(self._choice, left=left - portion))

    def _keep(self, choice: ChosenLevel | None) -> None:
        self._choice = choice
        with contextlib.suppress(OSError):  # a disk that cannot be written to is reported elsewhere
            self._kept.choose_log_level(choice)
