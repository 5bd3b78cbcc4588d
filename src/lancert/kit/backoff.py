"""When to try again: growing waits, spread so that a fleet does not knock at the same second.

``Retry-After`` (RFC 9110, 10.2.3) is honoured as seconds and as a date; nonsense is ignored and everything is
capped at a day, so that one bad header cannot silence a box for a year.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

_WAITS = tuple(timedelta(minutes=m) for m in (1, 2, 5, 10, 30, 60, 120, 360))
_SPREAD = 0.2
LONGEST = timedelta(hours=24)


def wait_after(failures: int, chance: Callable[[], float]) -> timedelta:
    """Give the wait after so many failures in a row (1 or more): 1, 2, 5, 10, 30 min ... 6 h, plus up to a fifth.

    ``chance`` gives a number from 0 to 1.
    """
    base = _WAITS[min(max(failures, 1), len(_WAITS)) - 1]
    return spread(base, chance)


def spread(wait: timedelta, chance: Callable[[], float]) -> timedelta:
    """Make a wait that many were told at the same moment up to a fifth longer, never longer than a day."""
    return max(wait, min(wait * (1 + _SPREAD * chance()), LONGEST))


def retry_after(header: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header; None when it is absent, nonsense or not in the future."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        wait = timedelta(seconds=min(int(text[:9]), int(LONGEST.total_seconds())))
    else:
        try:
            moment = parsedate_to_datetime(text)
        except (ValueError, TypeError, OverflowError):
            return None
        wait = moment.replace(tzinfo=moment.tzinfo or UTC) - now
    return min(wait, LONGEST) if wait > timedelta(0) else None
