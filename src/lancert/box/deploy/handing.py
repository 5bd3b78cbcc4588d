"""One hand-over, from looking at what is there to the record of how it ended. Never raises.

The order: look, write the files beside, turn the links, reload, verify; on failure turn them back, reload, verify. What
is to be done, and whether to go back, is decided in ``plan``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lancert.box.deploy import plan
from lancert.box.deploy.generations import Generations
from lancert.box.deploy.material import Material
from lancert.box.deploy.outcome import Failure, Outcome, Why
from lancert.box.deploy.places import NotAPlace
from lancert.box.deploy.reloading import IsOver, refused_request, reload_target
from lancert.box.deploy.targets import Target
from lancert.box.deploy.verifying import judge, shown_at, wait_until_served
from lancert.kit.files import AlreadyLocked
from lancert.kit.logs import Log

Tell = Callable[[str], None]
"""Is told each step, in a word or two for a person at a terminal."""

_PATIENCE = 5.0  # seconds for a program that was not running before, and need not run now

log = Log("box.deploy")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandOver:
    """What one hand-over needs besides target and material."""

    own_folder: Path
    now: datetime
    was_done: bool = False
    is_asked: bool = False
    is_over: IsOver = lambda: False
    tell: Tell = lambda step: None


def look(target: Target, material: Material, way: HandOver) -> plan.Before:
    """Say what there is before anything is done. Reads files, connects, and changes nothing."""
    return _judged(target, material, way, _shown(target, material))


def hand_over(target: Target, material: Material, way: HandOver) -> tuple[Outcome, Failure | None]:
    """Give the target what it should have, and say how that ended. Raises AlreadyLocked alone."""
    try:
        with Generations(target).opened(way.own_folder):
            return _hand_over(target, material, way)
    except AlreadyLocked:
        raise
    except (NotAPlace, OSError) as error:
        return Outcome.UNTOUCHED, _not_placed(target, error)
    except Exception:
        reference = log.exception("a hand-over failed unexpectedly", target=target.name)
        return Outcome.KEPT, Failure(why=Why.UNEXPECTED, facts={"reference": reference})


def _hand_over(target: Target, material: Material, way: HandOver) -> tuple[Outcome, Failure | None]:
    generations, shown = Generations(target), _shown(target, material)
    before = _judged(target, material, way, shown)
    todo = plan.todo(before)
    if todo.place:
        generations.place(material)
        way.tell("the files are written")
    patience = min(target.timeout, _PATIENCE) if before.shown is plan.Shown.NOTHING else target.timeout
    failure = _take_effect(target, material, way, patience) if todo.reload else None
    if failure is None:
        generations.settle()
        return Outcome.DONE, None
    log.warning("a hand-over failed", target=target.name, why=failure.why.value, said=failure.said, **failure.facts)
    if not plan.goes_back(before, failure):
        return Outcome.KEPT, failure
    return _go_back(target, material, way, shown), failure


def _judged(target: Target, material: Material, way: HandOver, shown: tuple[bytes, ...] | None) -> plan.Before:
    generations = Generations(target)
    are_right = generations.are_right(material)
    if target.verify is None:
        seen = plan.Shown.NOT_ASKED
    elif shown is None:
        seen = plan.Shown.NOTHING
    else:
        seen = plan.Shown.OTHER if judge(shown, material.shown) else plan.Shown.NEW
    return plan.Before(
        files_are_right=are_right,
        older_is_valid=generations.older_is_valid(way.now, are_right=are_right),
        shown=seen,
        was_done=way.was_done,
        is_asked=way.is_asked,
    )


def _shown(target: Target, material: Material) -> tuple[bytes, ...] | None:
    if target.verify is None:
        return None
    try:
        return shown_at(target.verify, material.server_name)
    except (OSError, ValueError):
        return None


def _take_effect(target: Target, material: Material, way: HandOver, patience: float) -> Failure | None:
    """Have the files read, and see that the certificate is served then."""
    failure = reload_target(target, way.is_over)
    if failure is not None:
        return failure
    if target.reload is not None:
        way.tell("it was told to read them")
    if target.verify is None:
        return None
    failure = wait_until_served(
        target.verify, material.server_name, material.shown, patience, way.is_over, lambda: refused_request(target)
    )
    if failure is None:
        way.tell(f"{target.verify.address} was seen to serve them")
    return failure


def _go_back(target: Target, material: Material, way: HandOver, shown: tuple[bytes, ...] | None) -> Outcome:
    """Put the old files back and see that they are served, which they may be even when the reload fails again."""
    try:
        Generations(target).go_back()
    except OSError as error:
        log.error("the old files could not be put back", target=target.name, detail=str(error))
        return Outcome.STUCK
    way.tell("the old files are back")
    failure = reload_target(target, way.is_over)
    if target.verify is not None and shown is not None:
        failure = wait_until_served(target.verify, material.server_name, shown, target.timeout, way.is_over)
    if failure is not None:
        log.error("the old files are not served", target=target.name, why=failure.why.value, **failure.facts)
    return Outcome.STUCK if failure else Outcome.ROLLED_BACK


def _not_placed(target: Target, error: Exception) -> Failure:
    log.warning("nothing could be handed over", target=target.name, detail=str(error))
    if isinstance(error, OSError):
        name = f"{error.filename}: " if error.filename else ""
        return Failure(why=Why.PLACE, facts={"detail": f"{name}{error.strerror or error}"})
    return Failure(why=Why.PLACE, facts={"detail": str(error)})
