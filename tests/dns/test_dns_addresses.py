"""Which addresses the zone can be made to say, by a judge that shares nothing with the code it judges."""

import random
import struct
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lancert.dns.answer import answer
from lancert.dns.general import answer_generally
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import Label, Zone, address_label, address_ranges, parse_address_label

LABEL = "k3v7q2m4x5a6b7c2"
ZONE = "iot.example.com"
SUFFIX = b"\x10" + LABEL.encode() + b"\3iot\7example\3com\0"

FACTS = ZoneFacts(
    zone=Zone(ZONE),
    ranges=address_ranges(),
    serial=1,
    name_servers=("ns.example",),
    boxes={Label(LABEL): ()},
)

# First and last address of RFC 1918 and RFC 4193, as plain numbers.
ALLOWED4 = ((0x0A000000, 0x0AFFFFFF), (0xAC100000, 0xAC1FFFFF), (0xC0A80000, 0xC0A8FFFF))
ALLOWED6 = ((0xFC << 120, (0xFE << 120) - 1),)

NEVER = [
    *("0.0.0.0", "0.1.2.3", "8.8.8.8", "52.0.56.137", "100.64.0.1", "127.0.0.1", "127.255.255.255", "169.254.1.1"),
    *("172.15.255.255", "172.32.0.0", "192.0.2.1", "192.167.255.255", "192.169.0.0", "198.18.0.1", "203.0.113.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "9.255.255.255", "11.0.0.0"),
    *("::", "::1", "::ffff:192.168.1.5", "::192.168.1.5", "64:ff9b::c0a8:105", "64:ff9b:1::1", "2002:c0a8:105::1"),
    *("2001::1", "2001:db8::1", "2606:4700::1", "fe80::1", "fec0::1", "ff02::1", "fbff:ffff::", "fe00::"),
]


def is_allowed(number: int, version: int) -> bool:
    return any(first <= number <= last for first, last in (ALLOWED4 if version == 4 else ALLOWED6))


def query_for(written: bytes, rdtype: int) -> bytes:
    name = bytes((len(written),)) + written + SUFFIX
    return struct.pack(">6H", 7, 0, 1, 0, 0, 0) + name + struct.pack(">HH", rdtype, 1)


def outcome(query: bytes, response: bytes | None) -> tuple[int, bytes]:
    """Give the rcode and the address of the one answer, or no bytes."""
    assert response is not None
    rcode, answers = response[3] & 0xF, int.from_bytes(response[6:8], "big")
    assert answers in (0, 1)
    return rcode, response[len(query) + 12 :] if answers else b""


def expected(number: int, version: int, asked: int) -> tuple[int, bytes]:
    if not is_allowed(number, version):
        return 3, b""
    return 0, number.to_bytes(4 if version == 4 else 16, "big") if version == asked else b""


def test_only_private_addresses_are_ever_answered() -> None:
    """Of 100,000 random addresses exactly those of the allowlist are answered, with themselves (F-40, S-56, T-14)."""
    chance = random.Random(2)
    answered = 0
    for round_ in range(100_000):
        version = 4 if round_ % 2 else 6
        bits = 32 if version == 4 else 128
        number = chance.getrandbits(bits)
        if round_ % 4 > 1:  # half of them near an allowed range, inside and out
            start = chance.choice([end for pair in (ALLOWED4 if version == 4 else ALLOWED6) for end in pair])
            number = (start + chance.randint(-(1 << bits // 6), 1 << bits // 6)) % 2**bits
        written = address_label(ip_address(number.to_bytes(bits // 8, "big"))).encode()
        asked = chance.choice((4, 6))
        query = query_for(written, 1 if asked == 4 else 28)

        found = outcome(query, answer(query, FACTS, transport=Transport.UDP))

        assert found == expected(number, version, asked), written
        answered += bool(found[1])
    assert answered > 5_000


@pytest.mark.parametrize("text", NEVER)
def test_an_address_off_the_list_is_no_name(text: str) -> None:
    """Public, loopback, multicast, reserved, mapped and translated addresses do not exist as names (F-40)."""
    address = ip_address(text)
    for path in (answer, answer_generally):
        for rdtype in (1, 28):
            query = query_for(address_label(address).encode(), rdtype)
            assert outcome(query, path(query, FACTS, transport=Transport.UDP)) == (3, b"")


@pytest.mark.parametrize(
    ("extra", "text"),
    [("shared", "100.64.0.1"), ("link_local", "169.254.7.7"), ("link_local", "fe80::1"), ("loopback", "127.0.0.1")],
)
def test_further_ranges_are_answered_only_where_asked_for(extra: str, text: str) -> None:
    """Carrier-grade NAT, link-local and loopback are options of a zone."""
    address = ip_address(text)
    query = query_for(address_label(address).encode(), 1 if address.version == 4 else 28)
    open_zone = ZoneFacts(
        zone=FACTS.zone,
        ranges=address_ranges(**{extra: True}),
        serial=1,
        name_servers=FACTS.name_servers,
        boxes=FACTS.boxes,
    )

    assert outcome(query, answer(query, FACTS, transport=Transport.UDP)) == (3, b"")
    assert outcome(query, answer(query, open_zone, transport=Transport.UDP)) == (0, address.packed)


def reads_as(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address label the slow way: in whatever way it could be meant, then only if it is spelled so."""
    groups = text.split("-")
    try:
        if len(groups) == 4:
            address: IPv4Address | IPv6Address = IPv4Address(".".join(groups))
            return address if str(address) == ".".join(groups) else None
        if len(groups) == 8:
            numbers = [int(group, 16) for group in groups]
            spelled = [format(number, "x") for number in numbers] == groups and max(numbers) < 0x10000
            return IPv6Address(":".join(groups)) if spelled and min(numbers) >= 0 else None
    except ValueError:
        return None
    return None


def spoiled(label: str) -> st.SearchStrategy[str]:
    """One small change to a good label."""
    places = st.integers(0, len(label))
    inserted = st.builds(
        lambda at, what: label[:at] + what + label[at:], places, st.sampled_from(list("0123456789abcdefgx-_.*+ "))
    )
    removed = st.builds(lambda at: label[:at] + label[at + 1 :], places)
    swapped = st.builds(
        lambda at, what: label[:at] + what + label[at + 1 :], places, st.sampled_from(list("0aAfFgx-_٣²"))
    )
    return st.one_of(st.just(label), st.just(label.upper()), inserted, removed, swapped)


labels = st.one_of(
    st.ip_addresses(v=4).map(address_label).flatmap(spoiled),
    st.ip_addresses(v=6).map(address_label).flatmap(spoiled),
    st.integers(0, 2**24 - 1).map(lambda n: address_label(IPv4Address((10 << 24) + n))).flatmap(spoiled),
    st.integers(0, 2**120 - 1).map(lambda n: address_label(IPv6Address((0xFD << 120) + n))).flatmap(spoiled),
    st.lists(st.sampled_from(["0", "00", "01", "255", "256", "0x1f", "ff", "010", "1e1", ""]), max_size=9).map(
        "-".join
    ),
    st.text("0123456789abcdef-", max_size=45),
)


@settings(max_examples=2_000)
@given(text=labels, rdtype=st.sampled_from([1, 28]))
def test_each_address_has_one_spelling_and_nothing_else_is_one(text: str, rdtype: int) -> None:
    """Leading zeros, hex, other digits, too few or many parts: no address comes out of them (F-41, S-59)."""
    written = text.encode()[:63]
    if not written or written.startswith(b"_"):
        return
    query = query_for(written, rdtype)
    address = reads_as(written.decode(errors="replace").lower()) if written.isascii() else None
    asked = 4 if rdtype == 1 else 6
    wanted = (3, b"") if address is None else expected(int(address), address.version, asked)

    for path in (answer, answer_generally):
        assert outcome(query, path(query, FACTS, transport=Transport.UDP)) == wanted
    assert parse_address_label(text.lower()) == reads_as(text.lower())
