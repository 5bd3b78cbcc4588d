"""The renewal window, what counts as young, the counter, and the buckets: pure rules of time and number."""

from datetime import UTC, datetime, timedelta

import pytest

from lancert.protocol.messages import Counter
from lancert.service.counter import CounterVerdict, LastAccepted, accepted, check_counter
from lancert.service.limits import Buckets, Rate
from lancert.service.policy import is_young, renewal_window

START = datetime(2026, 11, 20, tzinfo=UTC)
END = START + timedelta(days=45)


def test_the_renewal_window_lies_in_the_last_third_and_leaves_a_sixth() -> None:
    """A box has a window to spread in, and a week of a 45-day life is left after it."""
    window = renewal_window(START, END)

    assert window.start == START + timedelta(days=30)
    assert window.end == START + timedelta(days=37.5)


@pytest.mark.parametrize(
    ("days", "young"), [(-0.001, False), (0, True), (29.999, True), (30, False), (44, False), (46, False)]
)
def test_a_certificate_is_young_until_its_window_begins(days: float, young: bool) -> None:
    """Young is valid, and not yet to be renewed."""
    assert is_young(START, END, START + timedelta(days=days)) is young


@pytest.mark.parametrize(
    ("boot", "count", "body", "verdict"),
    [
        (7, 4, "b", CounterVerdict.NEW),
        (8, 0, "b", CounterVerdict.NEW),
        (7, 3, "a", CounterVerdict.REPEATED),
        (7, 2, "b", CounterVerdict.REPEATED),
        (6, 9, "b", CounterVerdict.REPEATED),
        (7, 3, "b", CounterVerdict.FORKED),
        (5, 8, "b", CounterVerdict.REPEATED),
        (5, 9, "b", CounterVerdict.FORKED),
        (4, 9, "b", CounterVerdict.REPEATED),
    ],
)
def test_only_a_greater_counter_is_new(boot: int, count: int, body: str, verdict: CounterVerdict) -> None:
    """A repetition is refused (F-59); the same counter with another body can only come from a second box (F-60)."""
    last = LastAccepted(Counter(boot=7, count=3), "a", former=Counter(boot=5, count=8))

    assert check_counter(Counter(boot=boot, count=count), body, last) is verdict


@pytest.mark.parametrize(("signs", "after"), [(0, 0), (1, 0), (2, 2), (3, 3)])
def test_a_restart_forgets_a_single_sign_and_no_conflict(signs: int, after: int) -> None:
    """A request that a restart overtook looks like a second box once, and never twice."""
    last = LastAccepted(Counter(boot=7, count=3), "a", former=Counter(boot=5, count=8), signs=signs)

    assert accepted(Counter(boot=7, count=4), "b", last) == (Counter(boot=7, count=4), "b", last.former, signs)
    assert accepted(Counter(boot=9, count=1), "b", last) == (Counter(boot=9, count=1), "b", last.counter, after)


def test_a_bucket_gives_its_burst_and_then_one_at_a_time() -> None:
    """Three at once, then one every ten seconds, and the wait is named (S-42)."""
    buckets = Buckets(Rate(burst=3, seconds=10))
    for _ in range(3):
        assert buckets.wait("a", 100.0) == 0
        buckets.take("a", 100.0)

    assert buckets.wait("a", 100.0) == 10
    assert buckets.wait("a", 109.5) == 1
    assert buckets.wait("a", 110.0) == 0
    assert buckets.wait("b", 100.0) == 0


def test_a_bucket_is_full_again_after_a_while() -> None:
    """Who was quiet long enough has the whole burst again, and no more than that."""
    buckets = Buckets(Rate(burst=2, seconds=10))
    for _ in range(2):
        buckets.take("a", 0.0)
    for _ in range(2):
        assert buckets.wait("a", 1000.0) == 0
        buckets.take("a", 1000.0)

    assert buckets.wait("a", 1000.0) == 10


def test_buckets_are_bounded_and_forget_the_one_not_seen_for_longest() -> None:
    """A million sources cannot fill the memory."""
    buckets = Buckets(Rate(burst=1, seconds=10), most_keys=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, 0.0)

    assert buckets.wait("a", 0.0) > 0
    assert buckets.wait("b", 0.0) == 0
