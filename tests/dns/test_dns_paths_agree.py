"""The strict and the general path are two readings of one rule: where both answer, they say the same."""

import struct
from ipaddress import IPv4Address, IPv6Address

import dns.message
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lancert.dns.general import answer_generally
from lancert.dns.strict import answer_strictly
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import Label, Zone, address_label, address_ranges, ranges_for_zone

LABELS = ("k3v7q2m4x5a6b7c2", "aaaaaaaaaaaaaaaa", "2222222222222222")
UNKNOWN = ("bbbbbbbbbbbbbbbb", "abcdefghijklmno1", "k3v7q2m4x5a6b7c", "k3v7q2m4x5a6b7c2a", "canary")
LONG, ALSO_LONG = ".".join(["n" * 60] * 4), ".".join(["m" * 60] * 4)  # an SOA with both needs more than 512 bytes
ORDINARY_TYPES = (1, 28, 65)

near_allowed4 = st.sampled_from(
    [int(IPv4Address(text)) for text in ("10.0.0.0", "172.16.0.0", "172.32.0.0", "192.168.0.0", "127.0.0.0")]
)
near_allowed6 = st.sampled_from([int(IPv6Address(text)) for text in ("fc00::", "fe00::", "fe80::", "::1", "fd00::")])
addresses4 = st.one_of(
    st.ip_addresses(v=4),
    st.builds(lambda start, step: IPv4Address((start + step) % 2**32), near_allowed4, st.integers(-3, 70000)),
)
addresses6 = st.one_of(
    st.ip_addresses(v=6),
    st.builds(lambda start, step: IPv6Address((start + step) % 2**128), near_allowed6, st.integers(-3, 70000)),
)
addresses = st.one_of(addresses4, addresses6)
broken_labels = st.one_of(
    st.sampled_from(["192-168-1-05", "256-1-1-1", "1-2-3", "1-2-3-4-5", "_dmarc", "_x", "*", "0-0-0-0", "service", ""]),
    st.text("0123456789abcdefg-_x", min_size=1, max_size=40),
)
first_labels = st.one_of(st.none(), addresses.map(address_label), broken_labels)
generations = st.builds(
    lambda zone, some, extra, serial, servers, contact: ZoneFacts(
        zone=zone,
        ranges=address_ranges(shared=extra, link_local=extra) if extra else ranges_for_zone(zone),
        serial=serial,
        name_servers=servers,
        contact=contact,
        boxes={Label(label): tuple(found) for label, found in zip(LABELS, some, strict=True)},
        hosts={"ns1": (IPv4Address("127.0.0.1"),), "abcdefghijklmno1": (IPv4Address("10.0.0.9"),)},
    ),
    st.sampled_from(
        [Zone("lancert.localhost"), Zone("a.b"), Zone("abcdefghijklmnop.iot"), Zone("x" * 60 + ".example")]
    ),
    st.tuples(*[st.lists(addresses, max_size=6) for _ in LABELS]),
    st.booleans(),
    st.integers(0, 2**32 - 1),
    st.sampled_from([("ns.elsewhere.example",), ("ns.example",), ("b",), ("ns.elsewhere.example", "x.y"), (LONG,)]),
    st.sampled_from(["nobody.invalid", ALSO_LONG]),
)


@st.composite
def questions(draw: st.DrawFn, zone: str, *, ordinary: bool) -> bytes:
    """A packet of one question, mostly about a box name, its letters in random case."""
    label = draw(st.sampled_from(LABELS + UNKNOWN))
    first = draw(first_labels)
    name = ".".join(part for part in (first, label, zone) if part is not None)
    wire = b"".join(bytes((min(len(part), 63),)) + part[:63].encode() for part in name.split(".")) + b"\0"
    flips = draw(st.integers(0, 2 ** len(wire) - 1))
    wire = bytes(
        byte - 32 if 97 <= byte <= 122 and flips >> at & 1 and byte > 63 else byte for at, byte in enumerate(wire)
    )
    rdtype = draw(st.sampled_from(ORDINARY_TYPES if ordinary else (*ORDINARY_TYPES, 255, 16, 15, 257, 6, 252, 64)))
    opt = draw(opts())
    flags = draw(st.sampled_from([0, 0x0100, 0x0120, 0x0110, 0x0130] if ordinary else [0, 0x0180, 0x0300, 0x0140]))
    header = struct.pack(">6H", draw(st.integers(0, 65535)), flags, 1, 0, 0, 1 if opt else 0)
    return header + wire + struct.pack(">HH", rdtype, 1) + opt


@st.composite
def opts(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        return b""
    cookie = draw(st.sampled_from([0, 0, 8, 16, 40, 7, 9, 41]))
    options = struct.pack(">HH", 10, cookie) + bytes(cookie) if cookie else b""
    size = draw(st.sampled_from([0, 511, 512, 513, 1231, 1232, 1233, 4096, 65535]))
    flags = draw(st.sampled_from([0, 0x8000, 0x4000]))
    return struct.pack(">BHHBBHH", 0, 41, size, 0, 0, flags, len(options)) + options


@st.composite
def mutated(draw: st.DrawFn, packet: bytes) -> bytes:
    changed = bytearray(packet)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(changed) - 1))
        match draw(st.integers(0, 3)):
            case 0:
                changed[at] = draw(st.integers(0, 255))
            case 1:
                changed[at] ^= 1 << draw(st.integers(0, 7))
            case 2:
                del changed[at : at + draw(st.integers(1, 3))]
            case _:
                changed[at:at] = draw(st.binary(min_size=1, max_size=3))
        if not changed:
            break
    return bytes(changed)


def agree(query: bytes, facts: ZoneFacts, transport: Transport) -> bool:
    """Compare both paths; say whether the strict one answered."""
    strictly = answer_strictly(query, facts, transport=transport)
    if strictly is None:
        return False
    generally = answer_generally(query, facts, transport=transport)
    assert generally is not None
    left, right = dns.message.from_wire(strictly), dns.message.from_wire(generally)
    assert left == right
    assert details(left) == details(right)
    return True


def details(message: dns.message.Message) -> tuple[object, ...]:
    """What comparing messages leaves out: EDNS, the case of owner names, the TTLs, and the order of records.

    The case inside the SOA is left out as well: where a server's name ends like the question, the general path
    compresses it into the question, letters and all.
    """
    edns = (message.edns, message.payload, message.ednsflags, message.options)
    owners = [(rrset.name.labels, rrset.ttl) for part in message.sections for rrset in part]
    return edns, owners, [list(rrset) for rrset in message.answer]


@settings(max_examples=600)
@given(data=st.data(), facts=generations, transport=st.sampled_from(list(Transport)))
def test_both_paths_say_the_same_about_ordinary_questions(
    data: st.DataObject, facts: ZoneFacts, transport: Transport
) -> None:
    """Types A, AAAA and HTTPS of box names, known and unknown, allowed and not, plain and with EDNS."""
    query = data.draw(questions(facts.zone, ordinary=True))

    agree(query, facts, transport)


@settings(max_examples=400)
@given(data=st.data(), facts=generations)
def test_both_paths_say_the_same_about_unusual_questions(data: st.DataObject, facts: ZoneFacts) -> None:
    """Other types and flags: the strict path may leave them, never answer them differently."""
    query = data.draw(questions(facts.zone, ordinary=False))

    agree(query, facts, Transport.UDP)


@settings(max_examples=600)
@given(data=st.data(), facts=generations)
def test_both_paths_say_the_same_about_damaged_questions(data: st.DataObject, facts: ZoneFacts) -> None:
    """Bytes changed, flipped, removed and inserted: the strict path answers nothing that is not well-formed."""
    query = data.draw(mutated(data.draw(questions(facts.zone, ordinary=True))))

    agree(query, facts, Transport.UDP)


@pytest.mark.parametrize("rdtype", ["A", "AAAA", "HTTPS"])
@pytest.mark.parametrize("edns", [None, 0])
@pytest.mark.parametrize("first", ["", "192-168-1-5.", "8-8-8-8.", "fd00-0-0-0-0-0-0-1.", "www."])
@pytest.mark.parametrize("label", ["k3v7q2m4x5a6b7c2", "bbbbbbbbbbbbbbbb"])
def test_the_strict_path_answers_every_ordinary_question(
    facts: ZoneFacts, rdtype: str, edns: int | None, first: str, label: str
) -> None:
    """The comparison above compares something: none of these is left to the general path."""
    query = dns.message.make_query(f"{first}{label}.lancert.localhost", rdtype, use_edns=edns)

    assert agree(query.to_wire(), facts, Transport.UDP)


@given(count=st.integers(0, 300), version=st.sampled_from([4, 6]), transport=st.sampled_from(list(Transport)))
@example(count=256, version=6, transport=Transport.TCP)
@example(count=257, version=6, transport=Transport.TCP)
def test_both_paths_truncate_at_the_same_size(count: int, version: int, transport: Transport) -> None:
    """Long lists of addresses, to the last that fits and the first that does not."""
    found = tuple(IPv4Address(0x0A000000 + n) if version == 4 else IPv6Address((0xFD << 120) + n) for n in range(count))
    facts = ZoneFacts(
        zone=Zone("lancert.localhost"),
        ranges=ranges_for_zone(Zone("lancert.localhost")),
        serial=1,
        name_servers=("ns.example",),
        boxes={Label(LABELS[0]): found},
    )
    for payload in (None, 512, 1232):
        query = dns.message.make_query(
            f"{LABELS[0]}.lancert.localhost",
            "A" if version == 4 else "AAAA",
            use_edns=None if payload is None else 0,
            payload=payload or 512,
        )
        assert agree(query.to_wire(), facts, transport)
