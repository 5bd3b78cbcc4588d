"""Decides about a hand-over: what is to be done, what follows a failure, when it is tried again. Pure.

Three rules. What is right already is left alone: a start reloads nothing without need. The old files come back only if
they worked a moment ago and are valid still: a program that was not running loses nothing by the new ones, and a
certificate that has expired helps nobody. Every failure schedules the next try, with growing waits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from lancert.box.deploy.material import Material
from lancert.box.deploy.outcome import Failure, HandedOver, Outcome, Why
from lancert.box.deploy.targets import Target
from lancert.kit.backoff import wait_after


class Shown(Enum):
    """What a target serves before anything is done."""

    NEW = "the certificate of the box"
    OTHER = "another certificate"
    NOTHING = "nothing answers"
    NOT_ASKED = "there is nowhere to ask"


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """What there is before a hand-over.

    ``files_are_right``: content, rights and links are what they should be. ``older_is_valid``: there are older files to
    go back to, and their certificate is valid still. ``was_done``: this hand-over has succeeded before. ``is_asked``:
    a person wants it done now.
    """

    files_are_right: bool
    older_is_valid: bool
    shown: Shown
    was_done: bool = False
    is_asked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What is to be done now; whatever is reloaded is verified afterwards."""

    place: bool
    reload: bool


def todo(before: Before) -> Todo:
    """Say what a hand-over consists of this time."""
    if not before.files_are_right:
        return Todo(place=True, reload=True)
    match before.shown:
        case Shown.NEW:
            return Todo(place=False, reload=False)
        case Shown.OTHER:
            return Todo(place=False, reload=True)
        case Shown.NOTHING | Shown.NOT_ASKED:
            # A program that does not run now reads the files when it starts; its absence is not ours to mend.
            return Todo(place=False, reload=before.is_asked or not before.was_done)


def goes_back(before: Before, failure: Failure) -> bool:
    """Say whether the old files are put back after a failure."""
    if failure.why is Why.INTERRUPTED or before.was_done:
        return False
    return before.older_is_valid and before.shown is not Shown.NOTHING


def is_due(target: Target, fingerprint: str, last: HandedOver | None, now: datetime) -> bool:
    """Say whether it is time to hand this certificate to the target."""
    if last is None or last.of != (target.mark, fingerprint):
        return True
    return not last.is_fine and last.next_at is not None and last.next_at <= now


def record(
    target: Target,
    material: Material,
    ended: tuple[Outcome, Failure | None],
    last: HandedOver | None,
    now: datetime,
    chance: Callable[[], float],
) -> HandedOver:
    """Note how a hand-over ended, and when the next one is due if it failed."""
    outcome, failure = ended
    is_same = last is not None and last.of == (target.mark, material.fingerprint)
    failures = 0 if failure is None else 1 + (last.failures if last is not None and is_same else 0)
    return HandedOver(
        target=target.name,
        outcome=outcome,
        mark=target.mark,
        fingerprint=material.fingerprint,
        at=now,
        failure=failure,
        failures=failures,
        next_at=now + wait_after(failures, chance) if failure is not None else None,
        address=target.verify.address if target.verify else None,
        server_name=(target.verify.server_name or material.server_name) if target.verify else None,
    )
