"""Box names: one spelling for each address, an explicit list of what may be answered."""

import random
from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol.names import (
    DEMO_ZONE,
    Address,
    AddressName,
    Label,
    NotAZone,
    StableName,
    Zone,
    address_label,
    address_name,
    address_ranges,
    certificate_names,
    is_label,
    is_localhost_zone,
    new_label,
    parse_address,
    parse_address_label,
    parse_box_name,
    parse_zone,
    ranges_for_zone,
    stable_name,
)

LABEL = Label("k3v7q2m4x5a6b7c2")
ZONE = Zone("iot.example.com")
ADDRESSES = st.ip_addresses()
LABELS = st.text("abcdefghijklmnopqrstuvwxyz234567", min_size=16, max_size=16).map(Label)
NEAR_A_LABEL = st.text("0123456789abcdefABCDEFx-.:٣²１", max_size=42)


@given(ADDRESSES)
def test_an_address_comes_back_from_its_label(address: Address) -> None:
    """F-41: writing and reading are exact, for both versions."""
    label = address_label(address)

    assert parse_address_label(label) == address
    assert "--" not in label
    assert len(label) <= 39


@given(NEAR_A_LABEL | st.text())
def test_every_label_that_is_read_is_the_one_spelling_of_its_address(label: str) -> None:
    """F-41: what is read is written the same way again; there are no two names for one address."""
    address = parse_address_label(label)

    assert address is None or address_label(address) == label


@given(ADDRESSES, LABELS)
def test_a_box_name_comes_back_from_its_parts(address: Address, label: Label) -> None:
    """Names of both forms are read as what they were made of, in any case and with a final dot."""
    name = address_name(address, label, ZONE)

    assert parse_box_name(name, ZONE) == AddressName(address, label)
    assert parse_box_name(name.upper() + ".", ZONE) == AddressName(address, label)
    assert parse_box_name(stable_name(label, ZONE), ZONE) == StableName(label)
    assert len(name) <= 253


@given(st.one_of(st.text(), NEAR_A_LABEL), st.sampled_from([f".{LABEL}.{ZONE}", f".{ZONE}", "", f".{LABEL}"]))
def test_every_box_name_that_is_read_has_one_spelling(start: str, end: str) -> None:
    """F-41, S-59: apart from the case of ASCII letters and a final dot, each name is written in one way."""
    name = start + end
    plain = name.removesuffix(".").translate({sign: sign + 32 for sign in range(ord("A"), ord("Z") + 1)})
    match parse_box_name(name, ZONE):
        case StableName(label):
            assert stable_name(label, ZONE) == plain
        case AddressName(address, label):
            assert address_name(address, label, ZONE) == plain


@pytest.mark.parametrize(
    "label",
    [
        "192-168-1-05",
        "192-168-01-5",
        "00-0-0-0",
        "0xc0-168-1-5",
        "0300-168-1-5",
        "192-168-1",
        "192-168-1-5-6",
        "3232235781",
        "192--168-1-5",
        "192-168-1--5",
        "192-168-1-5-",
        "-192-168-1-5",
        "192.168.1.5",
        "192-168-1-256",
        "192-168-1-999",
        "192-168-1-1000",
        "١٩٢-١٦٨-١-٥",
        "１９２-168-1-5",
        "192-168-1-5\n",
        " 192-168-1-5",
        "+192-168-1-5",
        "192-168-1-5e0",
        "",
        "-",
        "fd12--1",
        "fd12-3456-0-0-0-0-0",
        "fd12-3456-0-0-0-0-0-1-2",
        "fd12-3456-0-0-0-0-0-01",
        "fd12-3456-0-0-0-0-0-0001",
        "FD12-3456-0-0-0-0-0-1",
        "fd12-3456-0-0-0-0-0-g",
        "fd12-3456-0-0-0-0-0-12345",
        "0-0-0-0-0-ffff-192-168-1-5",
    ],
)
def test_another_spelling_of_an_address_is_no_label(label: str) -> None:
    """F-41: leading zeros, hexadecimal, octal, other digits, too few or too many parts are not addresses."""
    assert parse_address_label(label) is None


@pytest.mark.parametrize(
    "name",
    [
        f"192-168-1-5.evil.{LABEL}.{ZONE}",
        f"192-168-1-5.{LABEL}.evil.{ZONE}",
        f"192-168-1-5.192-168-1-5.{LABEL}.{ZONE}",
        f"192-168-1-5.{LABEL}x.{ZONE}",
        f"192-168-1-5.{LABEL[:-1]}.{ZONE}",
        f"192-168-1-5.{LABEL[:-1]}1.{ZONE}",
        f"192-168-1-5.{ZONE}",
        f"*.{LABEL}.{ZONE}",
        f"192-168-1-5..{LABEL}.{ZONE}",
        f".{LABEL}.{ZONE}",
        f"{LABEL}.{ZONE}..",
        f"{LABEL}.{ZONE} ",
        f"{LABEL}.x{ZONE}",
        f"{LABEL}x{ZONE}",
        f"{LABEL}.{ZONE}.evil.example",
        f"{LABEL}.{DEMO_ZONE}",
        f"\u212a{LABEL[1:]}.{ZONE}",
        f"{LABEL}.{ZONE}".replace("i", "\u0130"),
        ZONE,
        "",
        ".",
    ],
)
def test_an_extra_label_or_another_zone_is_no_box_name(name: str) -> None:
    """F-41, S-59: only the two forms are names of a box; nothing in front, between, behind, or beyond ASCII."""
    assert parse_box_name(name, ZONE) is None


def test_the_certificate_covers_every_name_of_the_box_and_no_address() -> None:
    """One wildcard and the stable name; LAN addresses never appear in a certificate."""
    assert certificate_names(LABEL, ZONE) == (f"*.{LABEL}.{ZONE}", f"{LABEL}.{ZONE}")


def test_labels_are_random_and_of_one_form() -> None:
    """80 bits: a thousand draws are a thousand labels, each in its one spelling."""
    labels = {new_label() for _ in range(1000)}

    assert len(labels) == 1000
    assert all(is_label(label) for label in labels)


@pytest.mark.parametrize("text", ["", "A" * 16, LABEL.upper(), LABEL + "a", LABEL[:-1], LABEL[:-1] + "1", LABEL + "\n"])
def test_what_is_not_exactly_a_label_is_none(text: str) -> None:
    """Sixteen characters of lower-case base32, nothing else."""
    assert not is_label(text)


# What may be answered

_V4 = (("10.0.0.0", "10.255.255.255"), ("172.16.0.0", "172.31.255.255"), ("192.168.0.0", "192.168.255.255"))
_SHARED = (("100.64.0.0", "100.127.255.255"),)
_LINK_LOCAL = (("169.254.0.0", "169.254.255.255"),)
_LOOPBACK = (("127.0.0.0", "127.255.255.255"),)


def _may_be_answered(address: Address, *, shared: bool, link_local: bool, loopback: bool) -> bool:
    """Say the same as the allowlist by comparing whole numbers, without any network arithmetic."""
    number = int(address)
    if isinstance(address, IPv6Address):
        return (
            0xFC << 120 <= number < 0xFE << 120
            or (link_local and 0xFE80 << 112 <= number < 0xFEC0 << 112)
            or (loopback and number == 1)
        )
    ranges = (*_V4, *(_SHARED if shared else ()), *(_LINK_LOCAL if link_local else ()))
    ranges += _LOOPBACK if loopback else ()
    return any(_number(first) <= number <= _number(last) for first, last in ranges)


def _number(text: str) -> int:
    a, b, c, d = (int(part) for part in text.split("."))
    return (a << 24) + (b << 16) + (c << 8) + d


def _edges() -> list[Address]:
    """Give every end of a range with its neighbours, and the ranges that are easily taken for private."""
    ends = [_number(text) for pair in (*_V4, *_SHARED, *_LINK_LOCAL, *_LOOPBACK) for text in pair]
    v4 = [IPv4Address(max(0, min(2**32 - 1, end + step))) for end in ends for step in (-1, 0, 1)]
    others = (
        "0.0.0.0 0.1.2.3 1.1.1.1 8.8.8.8 192.0.2.1 198.18.0.1 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.250 "
        "240.0.0.1 255.255.255.255 192.88.99.1 192.0.0.1 :: ::1 ::2 ::ffff:192.168.1.5 ::192.168.1.5 "
        "64:ff9b::c0a8:105 2002:c0a8:105::1 2001:db8::1 2001::1 fe80::1 febf::1 fec0::1 fc00:: fbff:ffff::1 fdff::1 "
        "fe00::1 ff02::1 2606:4700::1111 100::1"
    )
    return [*v4, *(ip_address(text) for text in others.split())]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("link_local", [False, True])
@pytest.mark.parametrize("loopback", [False, True])
def test_only_the_listed_ranges_are_ever_answered(shared: bool, link_local: bool, loopback: bool) -> None:
    """F-40, F-46, S-56: by an explicit oracle, for every edge and 14,000 random addresses of each choice."""
    ranges = address_ranges(shared=shared, link_local=link_local, loopback=loopback)
    chance = random.Random(40)
    drawn: list[Address] = [IPv4Address(chance.getrandbits(32)) for _ in range(10_000)]
    drawn += [IPv6Address(chance.getrandbits(128)) for _ in range(2_000)]
    # Random IPv6 addresses are hardly ever near the ranges, so half are drawn around them.
    drawn += [
        IPv6Address(chance.choice((0xFC, 0xFD, 0xFE, 0xFF)) << 120 | chance.getrandbits(120)) for _ in range(2000)
    ]

    wrong = [
        str(address)
        for address in (*_edges(), *drawn)
        if ranges.allow(address)
        is not _may_be_answered(address, shared=shared, link_local=link_local, loopback=loopback)
    ]
    assert wrong == []


@pytest.mark.parametrize("zone", ["iot.example.com", "localhost.example.com", "xlocalhost", "a.localhost.example"])
def test_loopback_is_answered_under_localhost_only(zone: str) -> None:
    """A public zone never answers loopback, whatever it is called."""
    assert not is_localhost_zone(Zone(zone))
    assert not ranges_for_zone(Zone(zone), shared=True, link_local=True).allow(ip_address("127.0.0.1"))
    assert ranges_for_zone(DEMO_ZONE).allow(ip_address("127.0.0.1"))
    assert ranges_for_zone(DEMO_ZONE).allow(ip_address("::1"))


# Zones and addresses as people write them


@pytest.mark.parametrize(
    ("text", "zone"), [("iot.example.com", ZONE), (" IoT.Example.com. ", ZONE), ("a.b", "a.b"), ("x-y.z1", "x-y.z1")]
)
def test_a_zone_is_read_as_people_write_it(text: str, zone: str) -> None:
    """Case, spaces around and a final dot do not count."""
    assert parse_zone(text) == zone


@pytest.mark.parametrize(
    "text",
    ["", ".", "localhost", "a..b", "-a.b", "a-.b", "a_b.c", "a b.c", "*.a.b", "ä.example", "\u212a.example",
     f"{'a' * 64}.b", ".".join(["a" * 60] * 4), "a.b/c", "a.b:443", "https://a.b"],
)  # fmt: skip
def test_what_cannot_be_a_zone_is_refused_with_a_sentence(text: str) -> None:
    """The person who typed it is told how a zone is written."""
    with pytest.raises(NotAZone, match="zone"):
        parse_zone(text)


@given(st.text(alphabet="aZ9-.\u212a\u0130ß_", max_size=30))
def test_every_zone_that_is_read_reads_as_itself(text: str) -> None:
    """What is accepted is ASCII in lower case, and final."""
    try:
        zone = parse_zone(text)
    except NotAZone:
        return
    assert parse_zone(zone) == zone
    assert zone.isascii()
    assert zone == zone.lower()


def test_box_names_fit_below_the_longest_zone() -> None:
    """253 characters are enough for the longest name of the longest zone (RFC 1035, 2.3.4)."""
    zone = parse_zone(".".join(["a" * 44] * 4))

    assert len(zone) > 175
    assert len(address_name(ip_address("fd12:3456:789a:bcde:f012:3456:789a:bcde"), LABEL, zone)) <= 253


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.168.1.5", ip_address("192.168.1.5")),
        ("FD12::1", ip_address("fd12::1")),
        ("fe80::1%eth0", None),
        ("192.168.1.05", None),
        ("192.168.1", None),
        ("3232235781", None),
        ("0x7f.1", None),
        ("a.example", None),
        (" 192.168.1.5", None),
        ("", None),
    ],
)
def test_an_address_is_read_in_its_ordinary_spelling(text: str, address: Address | None) -> None:
    """No zone index, no short or numeric forms."""
    assert parse_address(text) == address
