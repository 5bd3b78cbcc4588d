"""The strict path: the ordinary question about a box name, answered on bytes.

Nearly every query a zone of boxes receives is one question of type A, AAAA or HTTPS (which browsers send beside
them), with or without a plain OPT record. This module answers exactly those, several times faster than a DNS
library can, and gives None for everything else, however slightly unusual: general.py answers that. It refuses to
repair, to skip or to guess. The tests compare both paths question by question.

The bytes are those of RFC 1035 (4.1), RFC 6891 (6.1) and RFC 2308 (2).
"""

import re
from binascii import unhexlify
from ipaddress import IPv4Address
from typing import Final

from lancert.dns.wire import (
    HEADER_SIZE,
    LONGEST_LABEL,
    LONGEST_NAME,
    MOST_OVER_TCP,
    MOST_OVER_UDP,
    MOST_WITHOUT_EDNS,
    Transport,
    ZoneWire,
)
from lancert.dns.zone import ADDRESS_NAME_TTL, MOST_ADDRESSES, STABLE_NAME_TTL, ZoneFacts
from lancert.protocol.names import Address, Label

_SHORTEST: Final = HEADER_SIZE + 17 + 5
_ONE_QUESTION: Final = b"\0\1\0\0\0\0\0"  # the counts, but for the last byte: how many additional records
_NOT_ORDINARY_HIGH: Final = 0xFE  # QR, the opcode, AA, TC
_NOT_ORDINARY_LOW: Final = 0xCF  # RA, Z, the rcode

_LABEL = re.compile(rb"[a-z2-7]{16}")
_OCTET = rb"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_VERSION4 = re.compile(_OCTET + rb"-" + _OCTET + rb"-" + _OCTET + rb"-" + _OCTET)
_GROUP = rb"(?:0|[1-9a-f][0-9a-f]{0,3})"
_VERSION6 = re.compile(_GROUP + rb"(?:-" + _GROUP + rb"){7}")

_A: Final = b"\0\1\0\1"
_AAAA: Final = b"\0\x1c\0\1"
_HTTPS: Final = b"\0\x41\0\1"
_QUESTIONS: Final = frozenset((_A, _AAAA, _HTTPS))

# The start of an answer record: the name of the question, type, class, TTL, length.
_ADDRESS_RECORD: Final = {
    4: b"\xc0\x0c" + _A + ADDRESS_NAME_TTL.to_bytes(4, "big") + b"\0\4",
    16: b"\xc0\x0c" + _AAAA + ADDRESS_NAME_TTL.to_bytes(4, "big") + b"\0\x10",
}
_STABLE_RECORD: Final = {
    4: b"\xc0\x0c" + _A + STABLE_NAME_TTL.to_bytes(4, "big") + b"\0\4",
    16: b"\xc0\x0c" + _AAAA + STABLE_NAME_TTL.to_bytes(4, "big") + b"\0\x10",
}
_PACKED_SIZE: Final = {_A: 4, _AAAA: 16, _HTTPS: 0}

_Flags = tuple[bytes, bytes]
# The second pair of header bytes, by the first of the query: QR, AA, and RD as it was asked (RFC 1035, 4.1.1).
_NO_ERROR: Final[_Flags] = (b"\x84\0", b"\x85\0")
_NO_NAME: Final[_Flags] = (b"\x84\3", b"\x85\3")
_TC: Final = 0x02

# The counts, but for the last byte, which the query has already: an OPT record is answered with one.
_ONE_ANSWER: Final = b"\0\1\0\1\0\0\0"
_ABOUT_NOTHING: Final = b"\0\1\0\0\0\1\0"
_EMPTY: Final = b"\0\1\0\0\0\0\0"

_OPT_HEAD: Final = b"\0\0\x29"
_OPT_ANSWER: Final = {
    # Extended rcode, version and flags of the query's OPT: our OPT, with DO as it was sent (RFC 3225, 3).
    b"\0\0\0\0": _OPT_HEAD + MOST_OVER_UDP.to_bytes(2, "big") + b"\0\0\0\0\0\0",
    b"\0\0\x80\0": _OPT_HEAD + MOST_OVER_UDP.to_bytes(2, "big") + b"\0\0\x80\0\0\0",
}
_COOKIE: Final = b"\0\x0a"


def answer_strictly(query: bytes, facts: ZoneFacts, *, transport: Transport) -> bytes | None:
    """Answer an ordinary question about a box name; None when the general path has to look at it."""
    if (
        query[4:11] != _ONE_QUESTION
        or len(query) < _SHORTEST
        or query[2] & _NOT_ORDINARY_HIGH
        or query[3] & _NOT_ORDINARY_LOW
    ):
        return None
    wire = facts.wire
    place = _place(query, wire)
    if place is None:
        return None
    label, written, zone_at = place
    name_ends = zone_at + len(wire.suffix)
    ends = name_ends + 4
    asked = query[name_ends:ends]
    if asked not in _QUESTIONS or name_ends - HEADER_SIZE > LONGEST_NAME:
        return None

    if query[11] == 0 and len(query) == ends:
        opt, most = b"", MOST_WITHOUT_EDNS
    elif query[11] == 1 and (plain := _plain_opt(query, ends)) is not None:
        opt, most = plain
    else:
        return None
    if transport is Transport.TCP:
        most = MOST_OVER_TCP

    ways, counts, records = _answer(facts, label, written, asked)
    flags = ways[query[2]]
    if counts is _ABOUT_NOTHING:
        records = (0xC000 | zone_at).to_bytes(2, "big").join(wire.negative)
    if ends + len(records) + len(opt) > most:
        flags, counts, records = bytes((flags[0] | _TC, flags[1])), _EMPTY, b""
    return b"".join((query[:2], flags, counts, query[11:ends], records, opt))


def _place(query: bytes, wire: ZoneWire) -> tuple[bytes, bytes, int] | None:
    """Find the parts of a box name: label, what is written before it (or nothing), where the zone's name begins.

    All in lower case. Lengths are below 64 and so below every letter: making letters small leaves them alone.
    """
    first = query[HEADER_SIZE]
    if not 1 <= first <= LONGEST_LABEL:
        return None
    lowered = query.lower()
    first_at = HEADER_SIZE + 1
    first_ends = first_at + first
    if lowered.startswith(wire.suffix, first_ends):
        label, written, zone_at = lowered[first_at:first_ends], b"", first_ends
    elif lowered.startswith(b"\x10", first_ends):
        zone_at = first_ends + 17
        if not lowered.startswith(wire.suffix, zone_at):
            return None
        label, written = lowered[first_ends + 1 : zone_at], lowered[first_at:first_ends]
    else:
        return None
    if _LABEL.fullmatch(label) is None or written.startswith(b"_"):
        return None
    return label, written, zone_at


def _answer(facts: ZoneFacts, label: bytes, written: bytes, asked: bytes) -> tuple[_Flags, bytes, bytes]:
    """Decide: the flags, the counts and the answer records; a negative answer is about nothing."""
    addresses = facts.boxes.get(Label(label.decode("ascii")))
    if addresses is None:
        return _NO_NAME, _ABOUT_NOTHING, b""
    if written:
        packed = _allowed_address(written, facts.wire)
        if packed is None:
            return _NO_NAME, _ABOUT_NOTHING, b""
        size = len(packed)
        if size != _PACKED_SIZE[asked]:
            return _NO_ERROR, _ABOUT_NOTHING, b""
        return _NO_ERROR, _ONE_ANSWER, _ADDRESS_RECORD[size] + packed
    found = _reported(addresses, asked, facts.wire)
    if not found:
        return _NO_ERROR, _ABOUT_NOTHING, b""
    start = _STABLE_RECORD[_PACKED_SIZE[asked]]
    counts = b"\0\1" + len(found).to_bytes(2, "big") + b"\0\0\0"
    return _NO_ERROR, counts, start + start.join(found)


def _plain_opt(query: bytes, starts: int) -> tuple[bytes, int] | None:
    """Read the rest of a query as an OPT record with no option or one cookie: our OPT, and the bytes we may send.

    Resolvers send a cookie (RFC 7873) to every server; one that has none to give back ignores it.
    """
    announced = _OPT_ANSWER.get(query[starts + 5 : starts + 9])
    if announced is None or query[starts : starts + 3] != _OPT_HEAD:
        return None
    options = query[starts + 9 :]
    if options != b"\0\0" and not _is_cookie_alone(options):
        return None
    size = query[starts + 3] << 8 | query[starts + 4]
    return announced, min(max(size, MOST_WITHOUT_EDNS), MOST_OVER_UDP)


def _is_cookie_alone(options: bytes) -> bool:
    length = len(options) - 6
    return (
        (length == 8 or 16 <= length <= 40)
        and options[2:4] == _COOKIE
        and options[:2] == (length + 4).to_bytes(2, "big")
        and options[4:6] == length.to_bytes(2, "big")
    )


def _allowed_address(written: bytes, wire: ZoneWire) -> bytes | None:
    """Read an address out of a label in its one spelling, packed; None for anything else or when not allowed."""
    if (octets := _VERSION4.fullmatch(written)) is not None:
        packed, ranges = bytes(map(int, octets.groups())), wire.ranges4
    elif _VERSION6.fullmatch(written) is not None:
        packed = unhexlify(b"".join([group.rjust(4, b"0") for group in written.split(b"-")]))
        ranges = wire.ranges6
    else:
        return None
    return packed if _inside(int.from_bytes(packed, "big"), ranges) else None


def _reported(addresses: tuple[Address, ...], asked: bytes, wire: ZoneWire) -> list[bytes]:
    """Give the allowed addresses of the type asked for, packed, each once, in the order reported."""
    if asked == _HTTPS:
        return []
    wanted4 = asked == _A
    ranges = wire.ranges4 if wanted4 else wire.ranges6
    found = [
        address.packed
        for address in addresses
        if isinstance(address, IPv4Address) is wanted4 and _inside(int(address), ranges)
    ]
    return list(dict.fromkeys(found))[:MOST_ADDRESSES] if len(found) > 1 else found


def _inside(number: int, ranges: tuple[tuple[int, int], ...]) -> bool:
    return True in [number & mask == network for mask, network in ranges]
