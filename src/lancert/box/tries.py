"""What a try leaves behind: when the next one is due, and what becomes of that when the clock is set.

Pure: the agent and the simulation of years keep their books by these functions alone. Moments of a try move with the
clock, so that every wait is as long as the monotonic clock says, whatever the one on the wall does meanwhile (F-22).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from lancert.box.facts import InstalledCertificate, LastTry, Outcome
from lancert.box.plan import renewal_begins
from lancert.kit.backoff import retry_after, spread, wait_after
from lancert.protocol import problems
from lancert.protocol.problems import Occurrence

_SIX_HOURS = 8  # failures in a row after which a wait is six hours
_FIVE_MINUTES = 3


def after_installing(installed: InstalledCertificate, now: datetime, chance: Callable[[], float]) -> LastTry:
    """Note that a certificate was installed.

    One that is due the moment it is there was made by a clock that says something else than ours; asking again at
    once would give another one of the same kind.
    """
    wait = wait_after(_SIX_HOURS if renewal_begins(installed) <= now else _FIVE_MINUTES, chance)
    return LastTry(at=now, outcome=Outcome.INSTALLED, next_at=now + wait)


def after_failing(
    before: LastTry | None, problem: Occurrence, header: str | None, now: datetime, chance: Callable[[], float]
) -> LastTry:
    """Note that a try failed, with the Retry-After of its answer if there was one."""
    failures = 1 + (before.failures if before else 0)
    told = retry_after(header, now)
    refused = problem.problem is problems.LOAD_REQUEST_NO_RESULT and problem.cause_id == "refused"
    return LastTry(
        at=now,
        outcome=Outcome.REFUSED if refused else Outcome.FAILED,
        problem=problem,
        failures=failures,
        next_at=now + (spread(told, chance) if told else wait_after(failures, chance)),
        is_told=told is not None,
    )


def moved(last: LastTry | None, jump: timedelta) -> LastTry | None:
    """Give the try as it stands on a clock that jumped."""
    if last is None or not jump:
        return last
    try:
        return replace(last, at=last.at + jump, next_at=last.next_at + jump if last.next_at else None)
    except OverflowError:
        return replace(last, next_at=None)


def disk_cause(last: LastTry | None) -> str | None:
    """Give the cause of the last failure when it was the disk that refused to store what came."""
    cause = last.problem.cause_id if last is not None and last.problem is not None else None
    return cause if cause is not None and cause.startswith("disk-") else None


def failed_by_clock(last: LastTry | None) -> bool:
    """Say whether a wrong clock was why the last try failed."""
    return last is not None and last.problem is not None and last.problem.cause_id == "clock"
