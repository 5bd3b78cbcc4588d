"""What the bytes of DNS messages have in common here, and what a generation prepares of them.

Names and integers are written as RFC 1035 lays them out (3.1, 4.1). Nothing is read from a query here: reading is
done in strict.py and general.py.
"""

import struct
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lancert.protocol.names import Network

MOST_OVER_UDP: Final = 1232
"""Bytes of the largest UDP answer, and the size our OPT record announces: fits every path (DNS flag day 2020)."""

MOST_WITHOUT_EDNS: Final = 512
"""Bytes of the largest UDP answer to a client that announces nothing (RFC 1035, 4.2.1)."""

MOST_OVER_TCP: Final = 65535
"""Bytes of the largest TCP answer: what the two-byte length can say (RFC 1035, 4.2.2)."""

HEADER_SIZE: Final = 12
LONGEST_NAME: Final = 255
LONGEST_LABEL: Final = 63

SOA_TYPE: Final = 6
IN_CLASS: Final = 1
_POINTER_SIZE: Final = 2


class Transport(StrEnum):
    """How a query arrived."""

    UDP = "udp"
    TCP = "tcp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneWire:
    """The bytes and integers one generation of a zone is answered with on the strict path."""

    suffix: bytes
    """The name of the zone, lower case, with the root at its end."""

    negative: tuple[bytes, ...]
    """The SOA record of a negative answer; the pointer to the zone's name goes between the pieces."""

    ranges4: tuple[tuple[int, int], ...]
    ranges6: tuple[tuple[int, int], ...]
    """The allowed ranges as (mask, network): an address is inside when ``address & mask == network``."""


def encode_name(name: str) -> bytes:
    """Write a name of plain host labels, with or without final dot, uncompressed (RFC 1035, 3.1)."""
    return _labels(name) + b"\0"


def negative_soa(
    zone: str, primary: str, contact: str, serial: int, timing: tuple[int, int, int, int]
) -> tuple[bytes, ...]:
    """Write the SOA record of negative answers, its TTL equal to its MINIMUM (RFC 2308, 3).

    Joined by a pointer to the zone's name the pieces are the whole record: its owner is the zone, and so is the
    end of each of the two names that lies in it. A name elsewhere is written in full inside its piece.
    """
    pieces = [b""]
    for name in (primary, contact):
        head, inside = _before_zone(name, zone)
        pieces[-1] += head
        if inside:
            pieces.append(b"")
    pieces[-1] += struct.pack(">5I", serial, *timing)
    length = sum(map(len, pieces)) + _POINTER_SIZE * (len(pieces) - 1)
    pieces[0] = struct.pack(">HHIH", SOA_TYPE, IN_CLASS, timing[-1], length) + pieces[0]
    return (b"", *pieces)


def masks(networks: tuple[Network, ...], version: int) -> tuple[tuple[int, int], ...]:
    """Give the networks of one IP version as pairs (mask, network) of integers."""
    return tuple((int(n.netmask), int(n.network_address)) for n in networks if n.version == version)


def _labels(name: str) -> bytes:
    text = name.removesuffix(".")
    return b"".join(bytes((len(label),)) + label.encode("ascii") for label in text.split(".")) if text else b""


def _before_zone(name: str, zone: str) -> tuple[bytes, bool]:
    """Write what stands before the zone in a name, and say whether the name lies in the zone; else write it all."""
    if name == zone:
        return b"", True
    if name.endswith("." + zone):
        return _labels(name.removesuffix("." + zone)), True
    return encode_name(name), False
