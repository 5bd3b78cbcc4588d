"""Who may have a certificate: every criterion alone, some together, and the order of seats."""

import pytest

from lancert.protocol.problems import Criterion, Reason
from lancert.service.eligibility import EligibilityFacts, Eligible, Ineligible, judge
from lancert.service.model import (
    IOT_BOX_PRODUCT,
    ContractCode,
    Environment,
    Line,
    Subscription,
    SubscriptionId,
    SubscriptionStatus,
)

RUNNING = SubscriptionStatus.IN_PROGRESS


def subscription(
    *quantities: int, status: SubscriptionStatus = RUNNING, product: str = IOT_BOX_PRODUCT
) -> Subscription:
    """A subscription with one line for each quantity."""
    lines = tuple(Line(product=product, quantity=quantity) for quantity in quantities)
    return Subscription(id=SubscriptionId("S-1"), contract=ContractCode("C-1"), status=status, lines=lines)


GOOD = EligibilityFacts(
    environment=Environment.PRODUCTION,
    is_duplicated=False,
    subscriptions=(subscription(2),),
    seat=1,
    is_suspended=False,
    has_conflict=False,
)


def criteria(facts: EligibilityFacts) -> list[Criterion]:
    """The unmet criteria, in order."""
    verdict = judge(facts)
    return [reason.criterion for reason in verdict.reasons] if isinstance(verdict, Ineligible) else []


@pytest.mark.promise("M3", "M4", "M5")
def test_a_production_database_with_a_running_subscription_and_a_free_seat_is_eligible() -> None:
    """With everything in order there is nothing to complain about."""
    assert judge(GOOD) == Eligible()


@pytest.mark.promise("M4")
@pytest.mark.parametrize("environment", [e for e in Environment if e is not Environment.PRODUCTION])
def test_only_a_production_database_is_eligible(environment: Environment) -> None:
    """A database that is not in production gets no certificate, and is told what it is marked as."""
    verdict = judge(GOOD._replace(environment=environment))

    facts = {"environment": environment.value}
    assert verdict == Ineligible((Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts=facts),))


@pytest.mark.promise("M4")
def test_a_database_used_in_two_places_is_refused() -> None:
    """A duplicate of a production database is not production, whatever it says about itself."""
    assert criteria(GOOD._replace(is_duplicated=True)) == [Criterion.DATABASE_DUPLICATED]


@pytest.mark.promise("M5")
@pytest.mark.parametrize("status", [s for s in SubscriptionStatus if s is not RUNNING])
def test_only_a_subscription_in_progress_counts(status: SubscriptionStatus) -> None:
    """A draft, paused or closed subscription gives no certificate, and its status is named."""
    verdict = judge(GOOD._replace(subscriptions=(subscription(2, status=status),)))

    facts = {"status": status.value}
    assert verdict == Ineligible((Reason(criterion=Criterion.SUBSCRIPTION_NOT_IN_PROGRESS, facts=facts),))


@pytest.mark.promise("M5")
def test_without_any_subscription_both_what_is_missing_and_its_line_are_named() -> None:
    """A contract without subscription is told everything that has to be added."""
    assert criteria(GOOD._replace(subscriptions=())) == [
        Criterion.SUBSCRIPTION_NOT_IN_PROGRESS,
        Criterion.NO_IOT_BOX_LINE,
    ]


@pytest.mark.promise("M5")
@pytest.mark.parametrize("lines", [subscription(), subscription(3, product="point-of-sale")])
def test_a_subscription_without_iot_box_line_is_refused(lines: Subscription) -> None:
    """Other products do not stand in for the IoT box subscription line."""
    assert criteria(GOOD._replace(subscriptions=(lines,))) == [Criterion.NO_IOT_BOX_LINE]


def test_a_line_of_another_subscription_that_does_not_run_does_not_help() -> None:
    """The IoT box line has to be in a subscription that is in progress."""
    both = (subscription(product="point-of-sale"), subscription(5, status=SubscriptionStatus.PAUSED))

    assert criteria(GOOD._replace(subscriptions=both)) == [Criterion.NO_IOT_BOX_LINE]


@pytest.mark.parametrize(
    ("subscriptions", "seat", "is_seated"),
    [
        ((subscription(2),), 2, True),
        ((subscription(2),), 3, False),
        ((subscription(1, 1),), 2, True),
        ((subscription(1), subscription(1)), 2, True),
        ((subscription(1), subscription(1)), 3, False),
        ((subscription(1), subscription(9, status=SubscriptionStatus.CLOSED)), 2, False),
        ((subscription(0),), 1, False),
    ],
)
def test_seats_are_the_lines_of_all_running_subscriptions(
    subscriptions: tuple[Subscription, ...], seat: int, is_seated: bool
) -> None:
    """The quantities add up, and only those of subscriptions in progress."""
    found = criteria(GOOD._replace(subscriptions=subscriptions, seat=seat))

    assert found == ([] if is_seated else [Criterion.NO_SEAT_LEFT])


def test_a_box_beyond_the_quantity_is_told_how_many_seats_are_used() -> None:
    """The sixth box on five seats reads: 5 of 5."""
    verdict = judge(GOOD._replace(subscriptions=(subscription(5),), seat=6))

    facts = {"used": "5", "quantity": "5"}
    assert verdict == Ineligible((Reason(criterion=Criterion.NO_SEAT_LEFT, facts=facts),))


def test_a_suspended_box_takes_no_seat_and_is_told_that_it_is_suspended() -> None:
    """A suspension is the only thing said to a box that is otherwise in order."""
    assert criteria(GOOD._replace(is_suspended=True, seat=None)) == [Criterion.IOT_SYSTEM_SUSPENDED]


def test_two_boxes_with_one_identity_are_refused() -> None:
    """A copied memory card is told to be one."""
    assert criteria(GOOD._replace(has_conflict=True)) == [Criterion.IDENTITY_CONFLICT]


def test_all_unmet_criteria_are_given_at_once() -> None:
    """Whoever mends one thing does not learn about the next only then."""
    facts = EligibilityFacts(
        environment=Environment.STAGING,
        is_duplicated=True,
        subscriptions=(subscription(1, status=SubscriptionStatus.PAUSED),),
        seat=2,
        is_suspended=True,
        has_conflict=True,
    )

    assert criteria(facts) == [
        Criterion.DATABASE_NOT_PRODUCTION,
        Criterion.DATABASE_DUPLICATED,
        Criterion.SUBSCRIPTION_NOT_IN_PROGRESS,
        Criterion.NO_SEAT_LEFT,
        Criterion.IOT_SYSTEM_SUSPENDED,
        Criterion.IDENTITY_CONFLICT,
    ]
