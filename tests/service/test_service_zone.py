"""What happens to a box is what the name server answers: soon after, and without a database in between."""

import time
from collections.abc import Callable
from ipaddress import ip_address

import dns.message
import dns.query
import dns.rcode
import pytest
from tests.service.harness import RunningService, SmallBox, by

from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import DEMO_ZONE, Label, ranges_for_zone
from lancert.service.directory.boxes import withdraw_box
from lancert.service.model import BoxId
from lancert.service.store.zone import ZoneChanges
from lancert.service.zone import next_facts

A, B = Label("a" * 16), Label("b" * 16)


def ask(service: RunningService, name: str, kind: str = "A") -> tuple[str, list[str]]:
    """Ask the name server: the rcode, and the addresses."""
    assert service.ready.dns_port is not None
    query = dns.message.make_query(f"{name}.{service.ready.zone}", kind)
    answer = dns.query.udp(query, "127.0.0.1", port=service.ready.dns_port, timeout=10)
    found = [str(record) for records in answer.answer for record in records]
    return dns.rcode.to_text(answer.rcode()), found


def wait_for(service: RunningService, name: str, expected: tuple[str, list[str]], kind: str = "A") -> None:
    """Wait until the name server answers this; a command beside the service is noticed within a second."""
    until = time.monotonic() + 20
    while (found := ask(service, name, kind)) != expected:
        assert time.monotonic() < until, f"{name} answers {found}, not {expected}"


def test_a_label_exists_as_soon_as_the_box_is_enrolled(shared: RunningService) -> None:
    """The URL of a box works for every address it may have, without any report."""
    box = shared.enrolled()

    wait_for(shared, f"192-168-1-5.{box.label}", ("NOERROR", ["192.168.1.5"]))
    assert ask(shared, f"8-8-8-8.{box.label}") == ("NXDOMAIN", [])
    assert ask(shared, f"192-168-1-5.{'z' * 16}") == ("NXDOMAIN", [])


def test_the_stable_name_follows_the_reports(shared: RunningService) -> None:
    """The link for bookmarks answers what was reported last."""
    box = shared.enrolled()
    box.report("192.168.1.5", "fd12::7")
    wait_for(shared, box.label, ("NOERROR", ["192.168.1.5"]))
    wait_for(shared, box.label, ("NOERROR", ["fd12::7"]), "AAAA")

    box.report("10.0.0.9")

    wait_for(shared, box.label, ("NOERROR", ["10.0.0.9"]))


def test_a_box_that_a_command_removes_is_gone_from_the_zone(shared: RunningService) -> None:
    """Another process changes the database; the running name server notices."""
    box = shared.enrolled()
    wait_for(shared, f"10-0-0-1.{box.label}", ("NOERROR", ["10.0.0.1"]))

    shared.change(lambda connection: withdraw_box(connection, BoxId(box.id), by()))

    wait_for(shared, f"10-0-0-1.{box.label}", ("NXDOMAIN", []))


def test_the_service_has_a_name_in_its_zone(shared: RunningService) -> None:
    """Boxes find the service by the name that stands in its certificate."""
    assert ask(shared, "service") == ("NOERROR", ["127.0.0.1"])
    assert ask(shared, "ns1") == ("NOERROR", ["127.0.0.1"])


def test_the_zone_is_complete_after_a_restart(start_service: Callable[..., RunningService]) -> None:
    """Labels and addresses are answered from the first question on, and the serial never goes back."""
    before = start_service("one")
    box = before.enrolled()
    box.report("192.168.1.5")
    wait_for(before, box.label, ("NOERROR", ["192.168.1.5"]))
    serial = soa_serial(before)
    before.stop()

    after = start_service("one")

    assert ask(after, box.label) == ("NOERROR", ["192.168.1.5"])
    assert soa_serial(after) >= serial
    again = SmallBox(client=after.client, authority=after.client.base_url.netloc.decode())
    assert again.enrol(after.customer()).status_code == 200


def soa_serial(service: RunningService) -> int:
    """The serial of the zone."""
    assert service.ready.dns_port is not None
    query = dns.message.make_query(service.ready.zone, "SOA")
    answer = dns.query.udp(query, "127.0.0.1", port=service.ready.dns_port, timeout=10)
    serial = answer.answer[0][0].serial
    assert isinstance(serial, int)
    return serial


@pytest.fixture
def facts() -> ZoneFacts:
    """A zone with one box."""
    return ZoneFacts(
        zone=DEMO_ZONE,
        ranges=ranges_for_zone(DEMO_ZONE),
        serial=7,
        name_servers=("ns.example.com",),
        boxes={A: (ip_address("10.0.0.1"),)},
    )


def test_a_new_generation_leaves_the_old_one_as_it_was(facts: ZoneFacts) -> None:
    """Changes, additions and removals make a new mapping; whoever answers from the old one is not disturbed."""
    changes = ZoneChanges(generation=9, changed={A: None, B: (ip_address("10.0.0.2"),)})

    made = next_facts(facts, changes)

    assert (made.serial, dict(made.boxes)) == (9, {B: (ip_address("10.0.0.2"),)})
    assert (facts.serial, dict(facts.boxes)) == (7, {A: (ip_address("10.0.0.1"),)})


def test_a_generation_fits_the_serial_of_dns(facts: ZoneFacts) -> None:
    """After four thousand million changes the serial starts again, as RFC 1982 has it."""
    assert next_facts(facts, ZoneChanges(generation=2**32 + 3, changed={})).serial == 3
