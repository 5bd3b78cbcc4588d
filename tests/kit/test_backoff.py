"""When a box tries again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.kit.backoff import LONGEST, retry_after, wait_after

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(0, 1), (1, 1), (2, 2), (3, 5), (4, 10), (5, 30), (6, 60), (7, 120), (8, 360), (9, 360), (10_000, 360)],
)
def test_waits_grow_to_six_hours(failures: int, minutes: int) -> None:
    """1, 2, 5, 10, 30 minutes, then 1, 2 and 6 hours, and six hours for ever after."""
    assert wait_after(failures, lambda: 0.0) == timedelta(minutes=minutes)


def test_waits_are_spread_by_up_to_a_fifth() -> None:
    """A fleet that failed together does not come back together."""
    waits = [wait_after(5, repeat(chance).__next__) for chance in (0.0, 0.25, 0.5, 1.0)]

    assert waits == [timedelta(minutes=minutes) for minutes in (30, 31.5, 33, 36)]


def test_no_spread_makes_a_later_wait_shorter_than_an_earlier_one() -> None:
    """More failures never mean less patience."""
    assert all(
        wait_after(earlier, lambda: 1.0) <= wait_after(later, lambda: 0.0) for earlier, later in pairwise(range(1, 9))
    )


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        (format_datetime(NOW + timedelta(minutes=5), usegmt=True), timedelta(minutes=5)),
        ("Fri, 20 Nov 2026 10:30:00 +0100", None),
        ("Fri, 20 Nov 2026 10:31:00 +0100", timedelta(minutes=1)),
        ("Fri, 20 Nov 2026 09:31:00 -0000", timedelta(minutes=1)),
        (str(365 * 86_400), LONGEST),
        ("9" * 400, LONGEST),
        (format_datetime(NOW + 365 * DAY, usegmt=True), LONGEST),
        (format_datetime(NOW - DAY, usegmt=True), None),
        (None, None),
        ("", None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("soon", None),
        ("٣", None),
        ("Mon, 01 Jan 2024 00:00:00 +999999999999999999", None),
        ("Mon, 99999999999999999999 Jan 2024 00:00:00 GMT", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_date_and_capped(header: str | None, wait: timedelta | None) -> None:
    """F-30: seconds and dates are honoured, nonsense is ignored, a year becomes a day."""
    assert retry_after(header, NOW) == wait


@given(st.text() | st.integers().map(str) | st.datetimes().map(format_datetime))
def test_no_header_silences_a_box_for_more_than_a_day(header: str) -> None:
    """F-30: whatever stands there, the wait is absent or between nothing and a day."""
    wait = retry_after(header, NOW)

    assert wait is None or timedelta(0) < wait <= LONGEST
