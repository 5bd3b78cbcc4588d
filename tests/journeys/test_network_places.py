"""An IoT system in its network, with the real service: new addresses, several interfaces, a firewall that swallows."""

import json
import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from tests.journeys.moves import endless_moves, issuances, moved, prepare
from tests.journeys.site import BoxThere, ServiceThere, a_service, until
from tests.peers.netns import SERVICE, Site, three_hosts


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Box, router and service, each on its own host, in a network of version 4."""
    with three_hosts(families=(4,)) as made:
        prepare(made)
        yield made


@pytest.fixture(scope="module")
def service(site: Site, tmp_path_factory: pytest.TempPathFactory) -> ServiceThere:
    """The service for the stories of this file."""
    return a_service(site, tmp_path_factory.mktemp("service") / "service")


@pytest.fixture(scope="module")
def token(service: ServiceThere) -> str:
    """A shop's connection token."""
    return service.token()


@pytest.fixture
def box(site: Site, token: str, tmp_path: Path) -> Iterator[BoxThere]:
    """An IoT system that is connected and has its certificate."""
    site.box.sh(
        "ip link set eth0 up; ip -4 addr flush dev eth0; ip -4 addr flush dev eth1\n"
        "ip addr add 192.168.1.5/24 dev eth0; ip route replace default via 192.168.1.1 dev eth0"
    )
    made = BoxThere(site.box, tmp_path / "box")
    made.lancert("box", "connect", "--folder", str(made.folder), token)
    made.start().until_state("secure")
    yield made
    made.stop()


@pytest.mark.promise("M6", "M10")
def test_a_new_address_is_a_new_url_within_seconds_and_no_new_certificate(
    site: Site, service: ServiceThere, box: BoxThere
) -> None:
    """F-34, M6: leases, self-assigned, none, cable out and in, second card, VPN: published in 10 s, nothing signed."""
    signed = issuances(service)

    found = [moved(site, box, service, move) for move in islice(endless_moves(), 9)]

    assert [one.move.what for one in found if not one.is_secure] == []
    assert max(one.seconds for one in found) < 10
    assert issuances(service) == signed
    assert box.tries() == 1


def test_the_service_hears_of_a_new_address_soon(site: Site, service: ServiceThere, box: BoxThere) -> None:
    """F-34: the link for bookmarks leads to the new address, as the zone's own DNS says."""
    label = str(box.status()["stable_url"]).split("//")[1].strip("/")
    ask = ("dig", "+short", "+time=1", "+tries=1", f"@{SERVICE[0]}", label)
    until(lambda: site.router.run(*ask, check=False).stdout.split() == ["192.168.1.5"], "the first report")
    site.router.sh("ip addr replace 10.250.0.1/24 dev lan")
    site.box.sh(
        "ip -4 addr flush dev eth0; ip addr add 10.250.0.7/24 dev eth0\n"
        "ip route replace default via 10.250.0.1 dev eth0"
    )

    until(lambda: site.router.run(*ask, check=False).stdout.split() == ["10.250.0.7"], "the new address", 20)


@pytest.mark.promise("M10")
def test_several_interfaces_are_told_with_their_urls_and_their_health(site: Site, box: BoxThere) -> None:
    """Each address with its interface; one whose cable is out comes last and says so, here and on the page."""
    site.box.sh("ip addr add 172.16.0.9/24 dev eth1")
    until(lambda: len(box.status()["urls"]) == 2, "the second card")
    until(lambda: all(way["https_answers"] for way in box.status()["urls"]), "HTTPS at both addresses")
    both = box.status()
    assert [(way["interface"], way["address"], way["has_link"]) for way in both["urls"]] == [
        ("eth0", "192.168.1.5", True),
        ("eth1", "172.16.0.9", True),
    ]
    assert both["interfaces"] == [
        {"name": "eth0", "kind": "wired", "has_link": True, "has_default_route": True},
        {"name": "eth1", "kind": "wired", "has_link": True, "has_default_route": False},
    ]
    assert "eth1, wired" in box.get("/")[1]

    site.router.sh("ip link set lan2 down")
    until(lambda: [way["has_link"] for way in box.status()["urls"]] == [True, False], "the loss of the link")
    assert "Not connected now" in box.get("/")[1]
    site.router.sh("ip link set lan2 up")


@pytest.mark.promise("M9", "M10")
def test_a_try_that_is_swallowed_is_short_and_the_homepage_stays_quick(
    site: Site, service: ServiceThere, token: str, tmp_path: Path
) -> None:
    """F-25: a firewall drops everything to the service: the try ends within 15 s, the page answers all the while."""
    box = BoxThere(site.box, tmp_path / "box")
    site.box.sh(
        "ip -4 addr flush dev eth0; ip addr add 192.168.1.5/24 dev eth0\n"
        "ip route replace default via 192.168.1.1 dev eth0"
    )
    box.lancert("box", "connect", "--folder", str(box.folder), token)
    site.router.firewall(
        f"chain f {{ type filter hook forward priority 0; ip daddr {SERVICE[0]} tcp dport 443 drop; }}"
    )
    try:
        box.start()
        waits = _visits_while_loading(box)
        events = {event["event"]: event for event in box.log()}
        problem = box.status()["problems"][0]
    finally:
        site.router.firewall("")
        box.stop()

    assert problem["cause"]["id"] in ("port-blocked", "timeout"), json.dumps(problem)
    assert "firewall" in problem["cause"]["meaning"]
    assert _seconds(events["loading a certificate"], events["the server could not be reached"]) <= 15
    assert len(waits) >= 20
    assert sorted(waits)[int(len(waits) * 0.99) - 1] <= 0.2


def _visits_while_loading(box: BoxThere) -> list[float]:
    """Open the page again and again until the try is over, and give how long each took."""
    waits: list[float] = []
    pause = threading.Event()
    end = time.monotonic() + 30
    while time.monotonic() < end and not box.status()["problems"]:
        began = time.monotonic()
        assert box.get("/")[0] == 200
        waits.append(time.monotonic() - began)
        pause.wait(0.1)
    return waits


def _seconds(first: dict[str, str], then: dict[str, str]) -> float:
    from datetime import datetime

    return (datetime.fromisoformat(then["time"]) - datetime.fromisoformat(first["time"])).total_seconds()
