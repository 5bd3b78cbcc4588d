"""Which time a box goes by, when its own clock may say 1970: a floor, and what a proven server said.

Many boxes have no battery and start in 1970 or where they were switched off. A moment that is known to be past (this
release, the last proven answer of the server, the beginning of the own certificate) is the floor; a clock below it is
wrong, and time then goes on from the floor. The Date of a server that proved itself by TLS corrects a clock that is
off by minutes to days, until the clock is set. TLS itself goes by the clock of the machine: nothing here ever makes a
certificate acceptable that is not.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from lancert.kit.clock import Clock

RELEASED = datetime(2026, 11, 1, tzinfo=UTC)
"""This release did not exist before; raised with each release."""

OFF_BY = timedelta(minutes=5)
"""A clock that differs by less counts as right: requests carry no time, and certificates are dated back."""

_STEP = timedelta(seconds=5)
"""What the clock of the wall and the monotonic one may differ between two looks without having been set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The time, and by how much it jumped since the last look beside the time that passed."""

    now: datetime
    jump: timedelta


class Timekeeper:
    """Tells the time to everything on a box that plans; waits are measured by the monotonic clock alone."""

    def __init__(self, clock: Clock, known_past: Iterable[datetime] = ()) -> None:
        self._clock = clock
        self._floor = max((RELEASED, *known_past))
        self._offset: timedelta | None = None
        self._began = clock.monotonic()
        self._monotonic = self._began
        self._anchor = self._distance(clock.now(), self._began)
        self._last = self.now()

    def now(self) -> datetime:
        """Give the time to plan with, aware, in UTC."""
        return self._time(self._clock.now(), self._clock.monotonic())

    def monotonic(self) -> float:
        """Give the seconds of the monotonic clock."""
        return self._clock.monotonic()

    @property
    def is_wrong(self) -> bool:
        """Say whether the clock is below the floor and nobody has told the right time."""
        return self._offset is None and self._clock.now() < self._floor - OFF_BY

    @property
    def is_off(self) -> bool:
        """Say whether the clock of the machine is known to differ from the right time."""
        return self._offset is not None or self.is_wrong

    def look(self) -> Look:
        """Look at both clocks and notice when one was set; a correction does not outlive that."""
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        if self._was_set(wall, monotonic):
            self._offset = None
        now = self._time(wall, monotonic)
        jump = now - self._last - timedelta(seconds=monotonic - self._monotonic)
        self._anchor, self._monotonic, self._last = self._distance(wall, monotonic), monotonic, now
        return Look(now=now, jump=jump if abs(jump) > _STEP else timedelta(0))

    def told(self, server_time: datetime | None) -> datetime | None:
        """Take the Date of an answer of a proven server; give it back when it is worth remembering.

        A Date before this release is an error of the server and not taken. One below the floor shows that the floor
        was wrong: a mistake must not last for ever.
        """
        if server_time is None or server_time < RELEASED:
            return None
        wall, monotonic = self._clock.now(), self._clock.monotonic()
        self._anchor = self._distance(wall, monotonic)
        offset = server_time - wall
        self._offset = offset if abs(offset) > OFF_BY else None
        self._floor = server_time if server_time < self._floor - OFF_BY else max(self._floor, server_time)
        self._began = monotonic
        return server_time

    def certified(self, not_before: datetime) -> None:
        """Take the beginning of a certificate that was just installed: it is past."""
        known = self._floor + timedelta(seconds=self._clock.monotonic() - self._began)
        if not_before > known:
            self._floor, self._began = not_before, self._clock.monotonic()

    def _time(self, wall: datetime, monotonic: float) -> datetime:
        if self._offset is not None and not self._was_set(wall, monotonic):
            return wall + self._offset
        if wall < self._floor - OFF_BY:
            return self._floor + timedelta(seconds=monotonic - self._began)
        return wall

    def _was_set(self, wall: datetime, monotonic: float) -> bool:
        return abs(self._distance(wall, monotonic) - self._anchor) > _STEP

    @staticmethod
    def _distance(wall: datetime, monotonic: float) -> timedelta:
        """Give what stays the same between the two clocks while nobody sets one."""
        return wall - datetime.fromtimestamp(0, UTC) - timedelta(seconds=monotonic)
