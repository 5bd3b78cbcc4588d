"""Time is handed in, and written in one way."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.kit.clock import SettableClock, SystemClock, from_text, to_text

START = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@given(st.datetimes(timezones=st.just(UTC)).filter(lambda moment: moment.year >= 1000))
def test_a_moment_comes_back_to_the_second(moment: datetime) -> None:
    """What is written is read again, without the fraction."""
    assert from_text(to_text(moment)) == moment.replace(microsecond=0)


def test_a_moment_is_written_in_utc() -> None:
    """F-23: the time zone of the machine does not matter."""
    assert to_text(START.astimezone(timezone(timedelta(hours=14)))) == "2026-11-20T09:30:00Z"


@pytest.mark.parametrize(
    "text", ["", "2026-11-20", "2026-11-20T09:30:00+00:00", "2026-11-20 09:30:00Z", "2026-13-20T09:30:00Z", "now"]
)
def test_another_spelling_of_a_moment_is_refused(text: str) -> None:
    """One spelling, nothing is guessed."""
    with pytest.raises(ValueError, match=r"is not a moment|must be in"):
        from_text(text)


def test_a_step_of_the_wall_clock_does_not_move_the_monotonic_one() -> None:
    """Spacing is measured with a clock that no step can move."""
    clock = SettableClock(START)
    clock.forward(timedelta(seconds=90))
    clock.step(START - timedelta(days=365))

    assert clock.monotonic() == 90
    assert clock.now() == START - timedelta(days=365)


def test_the_system_clock_is_aware_and_grows() -> None:
    """Wall time is aware and in UTC."""
    clock = SystemClock()
    first = clock.monotonic()

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() >= first
