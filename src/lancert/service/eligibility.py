"""Who may have a certificate: a pure verdict over facts, with every criterion that is not met (M4, M5).

Seats are the quantities of the IoT box lines of the subscriptions in progress. They go to the boxes of the contract
in order of enrolment, suspended and removed ones aside: a box beyond the quantity is refused, the earlier ones stay.
While no subscription is in progress, the lines of those there are say whether the other criteria would be met, so
that a reader learns everything that has to be mended at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from lancert.protocol.problems import Criterion, Reason
from lancert.service.model import IOT_BOX_PRODUCT, Environment, Line, Subscription, SubscriptionStatus


class EligibilityFacts(NamedTuple):
    """What the verdict over one box depends on.

    ``seat`` is the position of the box among those of its contract that take a seat, counted from 1; a suspended
    box has none.
    """

    environment: Environment
    is_duplicated: bool
    subscriptions: tuple[Subscription, ...]
    seat: int | None
    is_suspended: bool
    has_conflict: bool


@dataclass(frozen=True, slots=True)
class Eligible:
    """Every criterion is met."""


@dataclass(frozen=True, slots=True)
class Ineligible:
    """At least one criterion is not met; the reasons are all of them, in the order of the catalogue."""

    reasons: tuple[Reason, ...]


Verdict = Eligible | Ineligible

NOT_RECOGNISED = Ineligible((Reason(criterion=Criterion.CREDENTIAL_NOT_RECOGNISED),))
"""The one answer to a contract and database that are not known together, whichever half is wrong (S-39, S-41)."""


def judge(facts: EligibilityFacts) -> Verdict:
    """Give the verdict over a box that is enrolled."""
    reasons = (
        *_database(facts),
        *_subscription(facts),
        *_box(facts),
    )
    return Ineligible(reasons) if reasons else Eligible()


def _database(facts: EligibilityFacts) -> Iterable[Reason]:
    if facts.environment is not Environment.PRODUCTION:
        yield Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts={"environment": facts.environment.value})
    if facts.is_duplicated:
        yield Reason(criterion=Criterion.DATABASE_DUPLICATED)


def _subscription(facts: EligibilityFacts) -> Iterable[Reason]:
    running = [one for one in facts.subscriptions if one.status is SubscriptionStatus.IN_PROGRESS]
    if not running:
        yield Reason(criterion=Criterion.SUBSCRIPTION_NOT_IN_PROGRESS, facts={"status": status_of(facts.subscriptions)})
    lines = _iot_box_lines(running or facts.subscriptions)
    quantity = sum(line.quantity for line in lines)
    if not lines:
        yield Reason(criterion=Criterion.NO_IOT_BOX_LINE)
    elif facts.seat is not None and facts.seat > quantity:
        used = {"used": str(facts.seat - 1), "quantity": str(quantity)}
        yield Reason(criterion=Criterion.NO_SEAT_LEFT, facts=used)


def _box(facts: EligibilityFacts) -> Iterable[Reason]:
    if facts.is_suspended:
        yield Reason(criterion=Criterion.IOT_SYSTEM_SUSPENDED)
    if facts.has_conflict:
        yield Reason(criterion=Criterion.IDENTITY_CONFLICT)


def _iot_box_lines(subscriptions: Iterable[Subscription]) -> list[Line]:
    return [line for one in subscriptions for line in one.lines if line.product == IOT_BOX_PRODUCT]


_NEAREST = (
    SubscriptionStatus.IN_PROGRESS,
    SubscriptionStatus.PAUSED,
    SubscriptionStatus.DRAFT,
    SubscriptionStatus.CLOSED,
)


def status_of(subscriptions: Iterable[Subscription]) -> str:
    """Give the status nearest to being in progress among the subscriptions of a contract; ``none`` without any."""
    there = {one.status for one in subscriptions}
    return next((status.value for status in _NEAREST if status in there), "none")
