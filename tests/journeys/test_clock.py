"""An IoT system whose clock is wrong, with the real agent: it serves what it has, says so, and recovers by itself."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.journeys.world import Box, Service, Shop, lancert, start_service, strict_connection, until
from tests.peers.false_clock import FalseClock

PREFIX = "ERR_IOT_HTTPS_"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
RIGHT = timedelta(0)

MakeClock = Callable[..., FalseClock]
NewBox = Callable[..., Box]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[Service]:
    """A service that was set up three days ago: a clock that is behind by less does not doubt its certificates."""
    place = tmp_path_factory.mktemp("service")
    earlier = FalseClock(tool("faketime"), place / "service.clock", -72 * HOUR)
    started = start_service(place / "service", env=earlier.environment)
    started.stop()
    started.start_again()
    yield started
    started.stop()


@pytest.fixture(scope="module")
def shop(service: Service) -> Shop:
    """A shop with room for the IoT systems of all stories."""
    return service.shop(quantity=20)


@pytest.fixture
def false_clock(tmp_path: Path, tool: Callable[[str], str]) -> MakeClock:
    """Make clocks that can be set while a program goes by them."""

    def make(name: str, off_by: timedelta) -> FalseClock:
        return FalseClock(tool("faketime"), tmp_path / f"{name}.clock", off_by)

    return make


def since_1970() -> timedelta:
    """Give how far a clock is off that begins with 1970 now."""
    return datetime(1970, 1, 1, tzinfo=UTC) - datetime.now(UTC)


def serial(box: Box, service: Service) -> str:
    """Give the serial number of what a strict client with a right clock is shown."""
    with strict_connection(box, urlsplit(box.status()["url"]).hostname or "", service.root) as tls:
        return str((tls.getpeercert() or {})["serialNumber"])


def has_reported(box: Box, service: Service) -> bool:
    """Say whether the service has a report of the box with its certificate in it."""
    label = (urlsplit(box.status()["stable_url"]).hostname or "").partition(".")[0]
    return service.admin("box", "show", label)["certificate_serial"] is not None


@pytest.mark.promise("M2", "M15")
def test_a_first_certificate_waits_for_the_clock_and_comes_within_seconds_of_it(
    service: Service, shop: Shop, new_box: NewBox, false_clock: MakeClock
) -> None:
    """F-20, S-09: in 1970 the server cannot be verified, so nothing is taken from it; the cause is the clock."""
    clock = false_clock("box", since_1970())
    box = new_box(clock.environment).connect(shop).start()
    problem = box.until_problem(PREFIX + "LOAD_REQUEST_EXCEPTION", "clock")
    before = box.status()

    clock.set(RIGHT)
    began = time.monotonic()
    box.until_state("secure")
    took = time.monotonic() - began

    assert "NTP" in " ".join(problem["remedy"])
    assert [one["code"] for one in before["problems"]] == [PREFIX + "LOAD_REQUEST_EXCEPTION"]
    assert before["certificate"] is None
    assert serial(box, service)
    assert took <= 30


@pytest.mark.promise("M2", "M10")
def test_a_stored_certificate_is_served_in_1970(
    service: Service, shop: Shop, new_box: NewBox, false_clock: MakeClock
) -> None:
    """F-20, I-2: a box without a battery has its lock back at once; a right clock changes nothing about it."""
    clock = false_clock("box", RIGHT)
    box = new_box(clock.environment).connect(shop).start()
    box.until_state("secure")
    before = serial(box, service)
    box.stop()
    clock.set(since_1970())
    box.start()

    box.until_problem(PREFIX + "LOAD_REQUEST_EXCEPTION", "clock")
    assert serial(box, service) == before
    assert box.get("/")[0] == 200

    clock.set(RIGHT)
    assert box.until_state("secure")["problems"] == []
    assert serial(box, service) == before


def test_a_clock_that_jumps_years_ahead_and_back_orders_nothing(
    service: Service, shop: Shop, new_box: NewBox, false_clock: MakeClock
) -> None:
    """F-21: the pair is kept and served, and back again all is as it was."""
    clock = false_clock("box", RIGHT)
    box = new_box(clock.environment).connect(shop).start()
    box.until_state("secure")
    # A step while an answer of the server is under way would be put right by that answer, and not be seen.
    until(lambda: has_reported(box, service), "the first report")
    before, tries = serial(box, service), box.tries()

    for times, off_by in ((1, 20 * 365 * DAY), (2, RIGHT)):
        clock.set(off_by)
        until(partial(_was_set, box, times), "the step to be noticed")
        assert serial(box, service) == before

    assert box.until_state("secure")["problems"] == []
    assert box.tries() - tries <= 1


def test_a_clock_that_is_set_again_and_again_makes_no_loop(
    service: Service, shop: Shop, new_box: NewBox, false_clock: MakeClock
) -> None:
    """F-22: an hour forth and back, each time the server has put it right; the same certificate, and no more orders."""
    clock = false_clock("box", RIGHT)
    box = new_box(clock.environment).connect(shop).start()
    box.until_state("secure")
    until(lambda: has_reported(box, service), "the first report")
    before, tries = serial(box, service), box.tries()

    for step in range(4):
        clock.set(HOUR if step % 2 == 0 else 2 * HOUR)
        until(partial(_was_set, box, step + 1), "the step to be noticed")
        until(partial(_was_put_right, box, step + 1), "the report that follows")

    assert serial(box, service) == before
    assert box.tries() == tries
    assert box.status()["problems"] == []


def _was_set(box: Box, times: int) -> bool:
    return _count(box, "the clock was set") >= times


def _was_put_right(box: Box, times: int) -> bool:
    return _count(box, "the clock of this machine is") >= times


def _count(box: Box, beginning: str) -> int:
    return len([event for event in box.log() if event["event"].startswith(beginning)])


ZONES = ("UTC", "Pacific/Kiritimati", "America/St_Johns", "Europe/Madrid")
# The clocks of Madrid go forward at this moment.
NIGHT = datetime(2027, 3, 28, 1, 0, 30, tzinfo=UTC)


def test_the_zone_of_the_machine_decides_nothing(shop: Shop, new_box: NewBox, false_clock: MakeClock) -> None:
    """F-23: wherever the shop is and whatever night it is, the same moments come out, to the second."""
    box = new_box().connect(shop).start()
    box.until_state("secure")
    box.stop()
    clock = false_clock("night", NIGHT - datetime.now(UTC))
    told: list[dict[str, Any]] = []
    for zone in ZONES:
        shown = lancert(
            *("box", "status", "--folder", str(box.folder), "--json", "--address", "192.168.1.5"),
            check=False,
            env={**clock.environment, "TZ": zone},
        )
        document = json.loads(shown.stdout)
        for name in ("now", "next_try"):  # the certificate has ended, so the next one is asked for now
            assert document.pop(name)[:15] == f"{NIGHT:%Y-%m-%dT%H:%M}"[:15]
        told.append(document)

    assert not told[0]["certificate"]["is_valid"]
    assert told == [told[0]] * len(ZONES)


@pytest.mark.promise("M1", "M3")
@pytest.mark.parametrize("off_by", [-48 * HOUR, timedelta(minutes=5)])
def test_a_box_whose_clock_is_off_gets_a_certificate_that_devices_accept(
    service: Service, shop: Shop, new_box: NewBox, false_clock: MakeClock, off_by: timedelta
) -> None:
    """F-24: requests carry no time, and what the service sends is judged by the service's time."""
    box = new_box(false_clock("box", off_by).environment).connect(shop).start()
    box.until_state("secure")

    assert serial(box, service)
    assert box.tries() == 1
