"""Which addresses a box tells, in which order, and the URLs made of them."""

from dataclasses import replace
from ipaddress import ip_address
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.box.given import ENROLMENT, LABEL, a_box, installed

from lancert.box import network
from lancert.box.facts import Ports
from lancert.box.interfaces import Interface, InterfaceKind, belongs_to_the_shop
from lancert.box.network import sort_addresses
from lancert.box.urls import http_url, https_url, https_urls, stable_url, ways
from lancert.protocol.messages import ZoneOption
from lancert.protocol.names import Address, Zone, address_ranges, parse_box_name


def _sorted(found: str, routes: str = "") -> str:
    return " ".join(
        str(address) for address in sort_addresses(map(ip_address, found.split()), map(ip_address, routes.split()))
    )


@pytest.mark.parametrize(
    ("found", "routes", "expected"),
    [
        ("10.0.0.9 192.168.1.5", "192.168.1.5", "192.168.1.5 10.0.0.9"),
        ("10.0.0.9 192.168.1.5", "", "10.0.0.9 192.168.1.5"),
        ("10.0.0.9 192.168.1.5", "203.0.113.7", "10.0.0.9 192.168.1.5"),
        ("fd12::1 192.168.1.5", "", "192.168.1.5 fd12::1"),
        ("fd12::1 192.168.1.5", "fd12::1", "fd12::1 192.168.1.5"),
        ("fd12::1 192.168.1.5", "fd12::1 192.168.1.5", "192.168.1.5 fd12::1"),
        ("169.254.7.7 fe80::1 fd12::1 10.0.0.9", "", "10.0.0.9 fd12::1 169.254.7.7 fe80::1"),
        ("169.254.7.7", "", "169.254.7.7"),
        ("", "192.168.1.5", ""),
    ],
)
def test_the_address_of_the_default_route_comes_first(found: str, routes: str, expected: str) -> None:
    """F-34: default routes, then version 4, then version 6, self-assigned ones last."""
    assert _sorted(found, routes) == expected


@given(st.lists(st.ip_addresses(), unique=True, max_size=8), st.lists(st.ip_addresses(), max_size=2), st.randoms())
def test_the_order_does_not_depend_on_the_system(found: list[Address], routes: list[Address], chance: Random) -> None:
    """The URL does not change because the system lists its interfaces in another order."""
    ordered = sort_addresses(found, routes)
    chance.shuffle(found)

    assert sort_addresses(found, routes) == ordered
    assert set(ordered) == set(found)


def test_only_private_addresses_of_this_machine_are_told() -> None:
    """F-40: never a public one and never loopback, whatever interfaces there are."""
    ranges = address_ranges(shared=True, link_local=True)

    assert [address for address in network.addresses() if not ranges.allow(address)] == []


PUBLIC_ZONE = Zone("iot.example.com")


@pytest.mark.promise("M6")
def test_the_url_is_that_of_the_first_address() -> None:
    """M6: the homepage address becomes an HTTPS URL under the service's zone."""
    facts = a_box(addresses=(ip_address("192.168.1.5"), ip_address("fd12::1")))

    assert https_url(facts) == f"https://192-168-1-5.{LABEL}.lancert.localhost/"
    assert list(https_urls(facts).values()) == [
        f"https://192-168-1-5.{LABEL}.lancert.localhost/",
        f"https://fd12-0-0-0-0-0-0-1.{LABEL}.lancert.localhost/",
    ]
    assert stable_url(facts) == f"https://{LABEL}.lancert.localhost/"


@pytest.mark.promise("M6")
def test_a_new_address_means_a_new_url_at_once() -> None:
    """F-34: the URL follows the lease, and the certificate stays."""
    before = a_box(addresses=(ip_address("192.168.1.5"),))
    after = a_box(addresses=(ip_address("10.0.0.7"),))

    assert https_url(before) != https_url(after)
    assert stable_url(before) == stable_url(after)


def test_there_is_no_url_before_the_first_enrolment_or_without_an_address() -> None:
    """A box without a name has only its IP address."""
    assert https_url(a_box(enrolment=None)) is None
    assert stable_url(a_box(enrolment=None)) is None
    assert https_url(a_box(addresses=())) is None


def test_an_address_the_zone_does_not_answer_gets_no_url() -> None:
    """Loopback has a name in the demo zone only, a public address never."""
    addresses = (ip_address("127.0.0.1"), ip_address("8.8.8.8"), ip_address("192.168.1.5"))
    enrolment = type(ENROLMENT)(box="b", label=LABEL, zone=PUBLIC_ZONE)

    assert list(https_urls(a_box(addresses=addresses, enrolment=enrolment))) == [ip_address("192.168.1.5")]
    assert list(https_urls(a_box(addresses=addresses))) == [ip_address("127.0.0.1"), ip_address("192.168.1.5")]


def test_an_address_the_zone_answers_by_option_has_a_url_where_the_box_was_told() -> None:
    """Carrier-grade and self-assigned addresses: a name is shown where it is answered, and nowhere else."""
    addresses = (ip_address("100.64.0.9"), ip_address("169.254.7.7"))
    enrolment = replace(ENROLMENT, zone=PUBLIC_ZONE)

    def shown(*options: ZoneOption) -> list[str]:
        facts = a_box(addresses=addresses, enrolment=replace(enrolment, also_answered=options))
        return [str(address) for address in https_urls(facts)]

    assert shown() == []
    assert shown(ZoneOption.SHARED) == ["100.64.0.9"]
    assert shown(ZoneOption.LINK_LOCAL) == ["169.254.7.7"]
    assert shown(ZoneOption.SHARED, ZoneOption.LINK_LOCAL) == ["100.64.0.9", "169.254.7.7"]


def test_the_options_of_one_zone_say_nothing_about_another() -> None:
    """After a change of server the old certificate is served on, under names of the zone before."""
    facts = a_box(
        addresses=(ip_address("100.64.0.9"),),
        enrolment=replace(ENROLMENT, zone=PUBLIC_ZONE, also_answered=(ZoneOption.SHARED,)),
        stored=installed(),
    )

    assert https_urls(facts) == {}


def test_an_interface_without_a_link_comes_last_and_has_no_url_of_its_own() -> None:
    """M10: every address the box has is listed with its interface, those that nobody can reach now at the end."""
    wired = Interface(
        name="eth0",
        kind=InterfaceKind.WIRED,
        has_link=False,
        has_default_route=False,
        addresses=(ip_address("192.168.1.5"),),
    )
    wireless = replace(
        wired, name="wlan0", kind=InterfaceKind.WIRELESS, has_link=True, addresses=(ip_address("192.168.1.6"),)
    )
    facts = a_box(
        addresses=(ip_address("192.168.1.6"),),
        interfaces=(wireless, wired),
        answers={ip_address("192.168.1.6"): True},
    )

    found = [(way.interface, way.has_link, way.answers, way.https is None) for way in ways(facts)]

    assert found == [(wireless, True, True, False), (wired, False, None, True)]


@pytest.mark.parametrize(
    ("name", "description", "is_left_out"),
    [
        ("eth0", "", False),
        ("wlan0", "", False),
        ("enp3s0", "", False),
        ("tailscale0", "", True),
        ("docker0", "", True),
        ("{4E3A-77}", "Intel(R) Wi-Fi 6 AX201 160MHz", False),
        ("{4E3A-77}", "Realtek PCIe GbE Family Controller", False),
        ("{4E3A-77}", "Hyper-V Virtual Ethernet Adapter", True),
        ("{4E3A-77}", "VirtualBox Host-Only Ethernet Adapter", True),
        ("{4E3A-77}", "WireGuard Tunnel", True),
    ],
)
def test_what_is_no_part_of_the_shop_is_left_out_by_name_or_description(
    name: str, description: str, is_left_out: bool
) -> None:
    """Linux names what drives an interface, Windows describes it."""
    assert belongs_to_the_shop(name, description) is not is_left_out


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("address", "port", "url"),
    [
        ("192.168.1.5", 80, "http://192.168.1.5/"),
        ("192.168.1.5", 8069, "http://192.168.1.5:8069/"),
        ("fd12::1", 80, "http://[fd12::1]/"),
        ("fd12::1", 8069, "http://[fd12::1]:8069/"),
    ],
)
def test_the_homepage_has_an_address_without_any_name(address: str, port: int, url: str) -> None:
    """M10: by IP address, with the port where it is not the usual one."""
    assert http_url(ip_address(address), a_box(ports=Ports(http=port, https=443))) == url


@given(st.ip_addresses())
def test_every_name_in_a_url_leads_back_to_its_address(address: Address) -> None:
    """What the box shows is what the zone answers."""
    facts = a_box(addresses=(address,), ports=Ports(http=80, https=8443))
    for shown, url in https_urls(facts).items():
        name = url.removeprefix("https://").removesuffix(":8443/")
        parsed = parse_box_name(name, ENROLMENT.zone)
        assert parsed is not None
        assert getattr(parsed, "address", None) == shown
