"""The log level goes back to normal by itself: after a day at most, whatever clocks and restarts do."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.box.given import DAY, HOUR, MINUTE, NOW, SECOND

from lancert.box.folder import Folder
from lancert.box.log_level import PORTION, ChosenLevel, LogLevel
from lancert.box.time import Timekeeper
from lancert.kit.clock import SettableClock
from lancert.kit.logs import LEVELS, write_logs


class Kept:
    """A folder in memory."""

    def __init__(self) -> None:
        self.choice: ChosenLevel | None = None
        self.written = 0

    def log_level(self) -> ChosenLevel | None:
        """Give what was kept."""
        return self.choice

    def choose_log_level(self, choice: ChosenLevel | None) -> None:
        """Keep it."""
        self.choice = choice
        self.written += 1


@pytest.fixture(autouse=True)
def _no_logs() -> Iterator[None]:
    """Leave the level of the process as it was."""
    write_logs()
    yield
    write_logs()


def _started(kept: Kept, clock: SettableClock) -> LogLevel:
    return LogLevel(kept, Timekeeper(clock))


@pytest.mark.promise("M18")
@pytest.mark.parametrize("level", [level for level in LEVELS if level != "info"])
def test_another_level_is_kept_for_a_day(level: str) -> None:
    """M18: what somebody chose for an hour of looking is not still there after a year."""
    clock = SettableClock(NOW)
    chosen = _started(Kept(), clock)
    chosen.choose(level)
    assert (chosen.level, chosen.until) == (level, NOW + DAY)
    assert logging.getLogger("lancert").level == getattr(logging, level.upper())

    for _ in range(48):
        clock.forward(30 * MINUTE - SECOND)
        chosen.look()
        assert chosen.level == level
    clock.forward(MINUTE)
    chosen.look()

    assert (chosen.level, chosen.until) == ("info", None)
    assert logging.getLogger("lancert").level == logging.INFO


def test_the_normal_level_needs_no_end() -> None:
    """Choosing info ends another level at once, and nothing is kept."""
    clock, kept = SettableClock(NOW), Kept()
    chosen = _started(kept, clock)
    chosen.choose("debug")
    chosen.choose("info")

    assert (chosen.level, chosen.until, kept.choice) == ("info", None, None)


def test_the_end_survives_a_restart() -> None:
    """The moment was written down: a restart does not begin the day anew."""
    clock, kept = SettableClock(NOW), Kept()
    _started(kept, clock).choose("debug")
    clock.forward(20 * HOUR)
    again = _started(kept, clock)

    assert (again.level, again.until) == ("debug", NOW + DAY)
    clock.forward(4 * HOUR)
    again.look()
    assert again.level == "info"
    assert _started(kept, clock).level == "info"


def test_a_day_that_passed_while_it_was_switched_off_counts() -> None:
    """A box that comes back after a week records as usual."""
    clock, kept = SettableClock(NOW), Kept()
    _started(kept, clock).choose("debug")
    clock.forward(7 * DAY)

    assert _started(kept, clock).level == "info"
    assert kept.choice is None


@pytest.mark.parametrize("step", [timedelta(days=-3000), timedelta(days=-1), timedelta(hours=-3)])
def test_a_clock_that_is_set_back_does_not_make_it_longer(step: timedelta) -> None:
    """Running time is counted beside the moment: after a day of it, the level is normal."""
    clock = SettableClock(NOW)
    chosen = _started(Kept(), clock)
    chosen.choose("debug")
    clock.step(clock.now() + step)
    for _ in range(2 * 24):
        clock.forward(30 * MINUTE)
        chosen.look()

    assert chosen.level == "info"


def test_the_moment_shown_is_one_the_box_can_keep() -> None:
    """After the clock was set back by three days, nobody is told "in four days"."""
    clock = SettableClock(NOW)
    chosen = _started(Kept(), clock)
    chosen.choose("debug")
    clock.step(NOW - 3 * DAY)

    assert chosen.until == NOW - 3 * DAY + DAY


def test_a_restart_every_few_minutes_does_not_make_it_longer() -> None:
    """A box in 1970 that is switched on and off again: each start takes its portion, and at last there is none."""
    kept = Kept()
    _started(kept, SettableClock(NOW)).choose("debug")
    starts = 0
    while _started(kept, SettableClock(NOW)).level == "debug":
        starts += 1

    assert starts == DAY / PORTION - 1


def test_a_normal_day_writes_nothing_and_a_raised_one_little() -> None:
    """F-13: a small file for each quarter of an hour of the day that was asked for, and none afterwards."""
    clock, kept = SettableClock(NOW), Kept()
    chosen = _started(kept, clock)
    for _ in range(100):
        clock.forward(HOUR)
        chosen.look()
    assert kept.written == 0

    chosen.choose("debug")
    for _ in range(3 * 24 * 60):
        clock.forward(MINUTE)
        chosen.look()
    assert kept.written <= 100


def test_a_disk_that_cannot_be_written_to_does_not_keep_it(tmp_path: Path) -> None:
    """The end comes all the same; only a restart would not know of it."""
    folder, clock = Folder(tmp_path / "box"), SettableClock(NOW)
    chosen = LogLevel(folder, Timekeeper(clock))
    chosen.choose("debug")
    (folder.path / "log-level.json").unlink()
    (folder.path / "log-level.json").mkdir()
    for _ in range(49):
        clock.forward(30 * MINUTE)
        chosen.look()

    assert chosen.level == "info"


def test_an_unknown_level_changes_nothing() -> None:
    """What is not a level is refused."""
    kept = Kept()
    with pytest.raises(ValueError, match="loud"):
        _started(kept, SettableClock(NOW)).choose("loud")

    assert kept.written == 0


_EVENTS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 5 * 3600)),
        st.tuples(st.just("set the clock"), st.integers(-(10**8), 10**8)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    min_size=20,
    max_size=60,
)


@settings(max_examples=200)
@given(events=_EVENTS)
def test_never_more_than_a_day_of_running_time(events: list[tuple[str, int]]) -> None:
    """Whatever is done to the clock and however often it is started: at most a day, looked at every two seconds."""
    clock, kept = SettableClock(NOW), Kept()
    chosen = _started(kept, clock)
    chosen.choose("debug")
    ran = timedelta(0)
    for what, seconds in events:
        if what == "run":
            # Between two looks nothing changes but the time, so a run is one step to each portion's end.
            left = timedelta(seconds=seconds)
            while left > timedelta(0):
                step = min(left, 5 * MINUTE)
                clock.forward(step)
                left -= step
                ran += step if chosen.level == "debug" else timedelta(0)
                chosen.look()
        elif what == "set the clock":
            clock.step(NOW + timedelta(seconds=seconds))
            chosen.look()
        else:
            chosen = _started(kept, clock)

    assert ran <= DAY + 5 * MINUTE
