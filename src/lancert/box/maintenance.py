"""When a shop wants its certificates changed: a time of day on the clock of the wall, such as ``02:00-05:00``.

Pure. An opening has a beginning and an end in UTC. On the night the clocks change it may be an hour longer or shorter,
but there is one every day: a time that does not exist that night counts as the moment the clocks jumped.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo

from lancert.kit.clock import SystemZone

_WRITTEN = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = timedelta(days=1)


class NotAMaintenanceWindow(ValueError):
    """A text is not a time of day for maintenance; the text says how one is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One opening, in UTC; the end does not belong to it."""

    begin: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Maintenance:
    """A time of day, over midnight when it ends before it begins, in the local time of this zone."""

    begin: time
    end: time
    zone: tzinfo = field(default_factory=SystemZone)

    def opening(self, moment: datetime) -> Opening:
        """Give the opening this moment is in, or else the next one."""
        day = moment.astimezone(self.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0) - _DAY
        while True:
            opening = self._opening_of(day)
            if moment < opening.end:
                return opening
            day += _DAY

    def _opening_of(self, day: datetime) -> Opening:
        begins = datetime.combine(day, self.begin)
        ends = datetime.combine(day, self.end)
        if ends <= begins:
            ends += _DAY
        begin, end = (local.replace(tzinfo=self.zone).astimezone(UTC) for local in (begins, ends))
        # The hour that is skipped in spring may hold the whole opening, and then nothing would be left of it.
        return Opening(begin=begin, end=end if end > begin else begin + (ends - begins))


def parse_maintenance(text: str) -> Maintenance:
    """Read a time of day as people write it. Raises NotAMaintenanceWindow."""
    found = _WRITTEN.fullmatch(text.strip())
    if found is None:
        raise NotAMaintenanceWindow("A time for maintenance is written 02:00-05:00, in the local time of this machine.")
    hours = [int(part) for part in found.groups()]
    begin, end = time(hours[0], hours[1]), time(hours[2], hours[3])
    if begin == end:
        raise NotAMaintenanceWindow("A time for maintenance begins and ends at different times, such as 02:00-05:00.")
    return Maintenance(begin=begin, end=end)
