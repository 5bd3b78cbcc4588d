"""Which time a box goes by when its clock is wrong."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta, tzinfo
from ipaddress import ip_address
from pathlib import Path
from time import tzset
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.box.given import DAY, HOUR, MINUTE, NOW, SECOND, UNREACHABLE, a_box, failed, installed

from lancert.box import plan
from lancert.box.agent import Agent
from lancert.box.agent_settings import AgentSettings
from lancert.box.facts import LastTry, Outcome, Ports, Server
from lancert.box.folder import Folder
from lancert.box.maintenance import Maintenance, NotAMaintenanceWindow, parse_maintenance
from lancert.box.plan import Load, Wait, next_step
from lancert.box.store import CertificateStore
from lancert.box.time import OFF_BY, RELEASED, Timekeeper
from lancert.box.tries import after_failing, after_installing, failed_by_clock, moved
from lancert.kit.clock import SettableClock, SystemClock
from lancert.protocol import problems
from lancert.protocol.messages import Kind
from lancert.protocol.problems import Occurrence

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
BY_CLOCK = Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="clock", facts={"server": "https://a.example"})


def keeper(at: datetime, *known_past: datetime) -> tuple[SettableClock, Timekeeper]:
    """Give a clock and who keeps the time by it."""
    clock = SettableClock(at)
    return clock, Timekeeper(clock, known_past)


# The floor


def test_a_right_clock_is_gone_by() -> None:
    """Nothing is changed where nothing is wrong."""
    clock, time_of_box = keeper(NOW, NOW - DAY)
    clock.forward(HOUR)

    assert (time_of_box.now(), time_of_box.is_wrong) == (NOW + HOUR, False)


@pytest.mark.parametrize("known_past", [(), (NOW,), (NOW, NOW - DAY)])
def test_a_clock_below_the_floor_is_wrong_and_time_goes_on_from_there(known_past: tuple[datetime, ...]) -> None:
    """F-20: a box that starts in 1970 goes by the newest moment that is known to be past."""
    clock, time_of_box = keeper(LONG_AGO, *known_past)
    floor = NOW if known_past else RELEASED
    clock.forward(3 * HOUR)

    assert time_of_box.is_wrong
    assert time_of_box.now() == floor + 3 * HOUR


def test_the_certificate_just_installed_is_past() -> None:
    """A clock behind the beginning of the own certificate is wrong."""
    clock, time_of_box = keeper(NOW - 10 * DAY)
    time_of_box.certified(NOW)
    clock.forward(MINUTE)

    assert time_of_box.now() == NOW + MINUTE


def test_the_release_is_past() -> None:
    """The constant is a day that has been."""
    assert SystemClock().now() > RELEASED


# What the server says


@pytest.mark.parametrize("off", [-48 * HOUR, -6 * MINUTE, 6 * MINUTE, 20 * DAY])
def test_the_date_of_a_proven_server_corrects_the_clock(off: timedelta) -> None:
    """F-24: a box whose clock is hours or days off plans by the time of its server."""
    clock, time_of_box = keeper(NOW + off)
    time_of_box.told(NOW)
    clock.forward(DAY)

    assert (time_of_box.now(), time_of_box.is_off, time_of_box.is_wrong) == (NOW + DAY, True, False)


@pytest.mark.parametrize("off", [timedelta(0), 5 * MINUTE, -5 * MINUTE])
def test_a_clock_that_is_a_little_off_is_right(off: timedelta) -> None:
    """F-24: five minutes ahead is no mistake worth correcting."""
    _, time_of_box = keeper(NOW + off)
    time_of_box.told(NOW)

    assert (time_of_box.now(), time_of_box.is_off) == (NOW + off, False)


@pytest.mark.parametrize("date", [None, LONG_AGO, RELEASED - SECOND])
def test_an_impossible_date_is_not_believed(date: datetime | None) -> None:
    """A server in 1970 does not set the boxes back."""
    _, time_of_box = keeper(NOW)

    assert time_of_box.told(date) is None
    assert time_of_box.now() == NOW


def test_a_correction_ends_when_the_clock_is_set() -> None:
    """What was right for the old clock is wrong for the new one."""
    clock, time_of_box = keeper(NOW - 48 * HOUR)
    time_of_box.told(NOW)
    time_of_box.look()
    clock.forward(MINUTE)
    clock.step(NOW + MINUTE)

    assert time_of_box.now() == NOW + MINUTE
    assert time_of_box.look().jump == timedelta(0)
    assert not time_of_box.is_off


def test_a_floor_that_was_wrong_does_not_last() -> None:
    """A moment remembered from a server that was years ahead is given up when a server says so."""
    _, time_of_box = keeper(NOW, NOW + 7000 * DAY)
    assert time_of_box.is_wrong

    time_of_box.told(NOW + SECOND)

    assert (time_of_box.now(), time_of_box.is_wrong) == (NOW, False)


# Steps


@given(steps=st.lists(st.tuples(st.integers(1, 10_000), st.sampled_from([-(10**9), -3600, -4, 0, 3, 3600, 10**8]))))
def test_every_jump_is_told_once_and_time_that_passes_is_none(steps: list[tuple[int, int]]) -> None:
    """F-22: what the time did is what passed and what was told as a jump, to a few seconds for each look."""
    clock, time_of_box = keeper(NOW)
    began, jumps = time_of_box.look().now, timedelta(0)
    for passed, stepped in steps:
        clock.forward(passed * SECOND)
        clock.step(clock.now() + stepped * SECOND)
        jumps += time_of_box.look().jump

    passed_in_all = clock.monotonic() * SECOND
    assert abs(time_of_box.now() - began - passed_in_all - jumps) <= (OFF_BY + 5 * SECOND) * (len(steps) + 1)


def test_a_wait_is_as_long_as_the_monotonic_clock_says() -> None:
    """F-22: an hour forth and back each minute moves no try: the moments move with the clock."""
    clock, time_of_box = keeper(NOW)
    last: LastTry | None = failed(NOW, wait=30 * MINUTE)
    loads = []
    for minute in range(60):
        clock.forward(MINUTE)
        clock.step(clock.now() + (HOUR if minute % 2 == 0 else -HOUR))
        look = time_of_box.look()
        last = moved(last, look.jump)
        if isinstance(next_step(a_box(last_try=last), look.now), Load):
            loads.append(minute + 1)
            last = failed(look.now, wait=DAY)

    assert loads == [30]


@pytest.mark.parametrize("years", [20, -56, 9000])
def test_a_try_survives_every_jump(years: int) -> None:
    """F-21: decades forth and back leave the waits as they were, or none."""
    last = failed(NOW, wait=HOUR)
    there = moved(last, years * 365 * DAY)

    assert there is not None
    assert there.next_at is None or there.next_at - there.at == HOUR


def test_after_the_clock_was_set_a_try_that_failed_by_it_is_made_again_within_seconds() -> None:
    """F-20: NTP arrives, and the first certificate follows within 30 s, whatever the wait was."""
    clock, time_of_box = keeper(LONG_AGO)
    last = moved(failed(time_of_box.now(), problem=BY_CLOCK, wait=6 * HOUR), timedelta(0))
    clock.forward(12 * SECOND)
    before = next_step(a_box(last_try=last, clock_is_wrong=True), time_of_box.look().now)
    clock.step(NOW)
    look = time_of_box.look()
    last = moved(last, look.jump)
    after = next_step(a_box(last_try=last, clock_was_set=failed_by_clock(last)), look.now)

    assert isinstance(before, Wait)
    assert isinstance(after, Load)


def test_a_clock_that_was_ahead_and_is_back_leaves_nothing_to_ask_for() -> None:
    """F-21: twenty years ahead the server is not trusted; back again, the fresh certificate will do."""
    last = failed(NOW - HOUR, problem=BY_CLOCK, wait=6 * HOUR)
    facts = a_box(stored=installed(), last_try=last, clock_was_set=True)

    assert next_step(facts, NOW) == Wait(until=NOW + HOUR)


def test_a_certificate_that_is_due_the_moment_it_came_makes_no_hot_loop() -> None:
    """F-21: a clock years ahead of the service gets one certificate, and not one a minute."""
    last = after_installing(installed(), NOW + 7300 * DAY, lambda: 0.0)

    assert last.next_at == last.at + 6 * HOUR
    assert after_installing(installed(), NOW, lambda: 0.0).next_at == NOW + 5 * MINUTE


@pytest.mark.parametrize(
    ("header", "chance", "wait", "is_told"),
    [
        (None, 0.0, MINUTE, False),
        ("600", 0.0, 10 * MINUTE, True),
        ("600", 1.0, 12 * MINUTE, True),
        ("Fri, 20 Nov 2026 10:30:00 GMT", 0.0, HOUR, True),
        ("soon", 0.0, MINUTE, False),
        ("31536000", 1.0, DAY, True),
    ],
)
def test_what_the_server_says_comes_before_the_growing_waits(
    header: str | None, chance: float, wait: timedelta, is_told: bool
) -> None:
    """F-30: seconds and dates are honoured, spread and capped at a day; nonsense is not."""
    last = after_failing(None, UNREACHABLE, header, NOW, lambda: chance)

    assert (last.outcome, last.failures, last.next_at, last.is_told) == (Outcome.FAILED, 1, NOW + wait, is_told)


# The agent


def test_an_agent_that_starts_in_1970_knows_better(tmp_path: Path) -> None:
    """F-20: what a server proved once is remembered; the page names the clock, and a clock that is set is believed."""
    folder = Folder(tmp_path / "box")
    folder.connect(Server(url="https://service.localhost"), [])
    folder.proved(NOW)
    clock = SettableClock(LONG_AGO)
    settings = AgentSettings(
        name="Shop", kind=Kind.BOX, ports=Ports(http=80, https=443), addresses=(ip_address("127.0.0.1"),), clock=clock
    )
    agent = Agent(folder, CertificateStore(folder.certificates), settings)
    wrong = plan.problems_of(agent.facts(), agent.now())
    clock.step(NOW + HOUR)

    assert [one.cause_id for one in wrong] == ["clock", "both"]
    assert not agent.facts().clock_is_wrong
    assert agent.now() == NOW + HOUR


@pytest.mark.parametrize(
    ("later", "kept"),
    [(HOUR, NOW), (23 * HOUR, NOW), (DAY, NOW + DAY), (-HOUR, NOW - HOUR)],
)
def test_a_proven_moment_is_written_once_a_day(tmp_path: Path, later: timedelta, kept: datetime) -> None:
    """F-13: hourly reports do not wear the flash; one that shows the known moment to be wrong replaces it."""
    folder = Folder(tmp_path / "box")
    folder.proved(NOW)
    folder.proved(NOW + later)

    assert folder.proven_moment() == kept


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"proven": 7}', '{"proven": "soon"}'])
def test_a_moment_that_cannot_be_read_is_no_moment(tmp_path: Path, content: str) -> None:
    """A damaged file costs the floor it held and nothing else."""
    folder = Folder(tmp_path / "box")
    (folder.path / "time.json").write_text(content)

    assert folder.proven_moment() is None


# Maintenance

NIGHT = (time(2), time(5))


@pytest.mark.parametrize(
    ("zone", "moment", "begin", "end"),
    [
        (UTC, "2026-11-20T09:30", "2026-11-21T02:00", "2026-11-21T05:00"),
        (UTC, "2026-11-21T04:59", "2026-11-21T02:00", "2026-11-21T05:00"),
        (UTC, "2026-11-21T05:00", "2026-11-22T02:00", "2026-11-22T05:00"),
        (ZoneInfo("Pacific/Kiritimati"), "2026-11-20T09:30", "2026-11-20T12:00", "2026-11-20T15:00"),
        (ZoneInfo("America/New_York"), "2026-11-20T09:30", "2026-11-20T07:00", "2026-11-20T10:00"),
        # Clocks go forward at 02:00 to 03:00, and back at 02:00 to 01:00.
        (ZoneInfo("America/New_York"), "2027-03-14T06:00", "2027-03-14T07:00", "2027-03-14T09:00"),
        (ZoneInfo("America/New_York"), "2026-11-01T05:30", "2026-11-01T07:00", "2026-11-01T10:00"),
    ],
)
def test_the_time_of_maintenance_is_local(zone: tzinfo, moment: str, begin: str, end: str) -> None:
    """F-23: the shop's night is meant, summer time included."""
    maintenance = Maintenance(begin=NIGHT[0], end=NIGHT[1], zone=zone)
    opening = maintenance.opening(_utc(moment))

    assert (opening.begin, opening.end) == (_utc(begin), _utc(end))


@given(
    moment=st.timedeltas(-50 * 365 * DAY, 60 * 365 * DAY).map(lambda away: NOW + away),
    zone=st.sampled_from(["UTC", "Pacific/Kiritimati", "America/New_York", "Australia/Lord_Howe", "Europe/Rome"]),
    begin=st.times(),
    end=st.times(),
)
def test_there_is_an_opening_every_day(moment: datetime, zone: str, begin: time, end: time) -> None:
    """Wherever the shop is and whatever it chose, renewals do not wait longer than a day and the change of clocks."""
    opening = Maintenance(begin=begin, end=end, zone=ZoneInfo(zone)).opening(moment)

    assert moment < opening.end
    assert opening.begin < opening.end
    assert opening.begin - moment <= 25 * HOUR


@pytest.mark.parametrize(
    "text", ["", "2-5", "02:00", "24:00-25:00", "02:00-02:00", "2:00-5:00", "02:00 - 05:00", "٠2:00-05:00"]
)
def test_another_spelling_of_a_time_is_refused_with_how_it_is_written(text: str) -> None:
    """The person who wrote it reads the right form."""
    with pytest.raises(NotAMaintenanceWindow, match="02:00-05:00"):
        parse_maintenance(text)


def test_a_time_of_maintenance_is_read_as_it_is_written() -> None:
    """Over midnight too."""
    read = parse_maintenance(" 22:30-01:15 ")

    assert (read.begin, read.end) == (time(22, 30), time(1, 15))
    assert read.opening(NOW).begin < read.opening(NOW).end


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/New_York", "UTC"])
def test_the_zone_of_the_machine_changes_no_decision(zone: str, change_zone: Callable[[str], None]) -> None:
    """F-23: expiry and renewal are decided in UTC, to the second."""
    certificate = installed()
    change_zone(zone)
    moments = (NOW, certificate.renewal_start - SECOND, certificate.renewal_start, certificate.facts.not_after)

    assert [type(next_step(a_box(stored=certificate), one)) for one in moments] == [Wait, Wait, Load, Load]


@pytest.fixture
def change_zone() -> Iterator[Callable[[str], None]]:
    """Set the zone of this process, as the machine's would be."""
    with pytest.MonkeyPatch.context() as environment:

        def change(zone: str) -> None:
            environment.setenv("TZ", zone)
            tzset()

        yield change
    tzset()


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
