"""Box names: what is written in them and what may be answered for them.

A name of a zone has one of two forms (docs/architecture.md)::

    <address>.<label>.<zone>    192-168-1-5.k3v7q2m4x5a6b7c2.lancert.localhost
    <label>.<zone>              the stable name of one box

The grammar is strict in both directions: each address has exactly one spelling and everything else is not a
name. What may be answered is an explicit list of ranges. The properties of ``ipaddress`` that sort addresses
into private and global ones are no such list (0.0.0.0/8 counts as private there, 100.64.0.0/10 does not), so
they are not used anywhere.
"""

import re
import secrets
from base64 import b32encode
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, NewType

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Label = NewType("Label", str)
Zone = NewType("Zone", str)

DEMO_ZONE = Zone("lancert.localhost")
"""The zone of a first run: browsers and curl send ``*.localhost`` to loopback without asking DNS (RFC 6761, 6.3)."""

CANARY: Final = "canary"
"""The first label of ``canary.<zone>``, the one name of a zone that every resolver may answer."""

CANARY_ADDRESSES: Final = (IPv4Address("192.0.0.170"), IPv6Address("100::1"))
"""What the canary answers: addresses that are nobody's and that no filter of private answers takes for private.

RFC 7050 (2.2) reserves the first for names that are asked about and never connected to, and a resolver that hid it
would break what RFC 7050 is for; packets to the second are discarded everywhere (RFC 6666). See decision 9.
"""

_LABEL = re.compile(r"[a-z2-7]{16}")
_OCTET = r"(?:0|[1-9][0-9]{0,2})"
_GROUP = r"(?:0|[1-9a-f][0-9a-f]{0,3})"
_IPV4_LABEL = re.compile(rf"{_OCTET}(?:-{_OCTET}){{3}}")
_IPV6_LABEL = re.compile(rf"{_GROUP}(?:-{_GROUP}){{7}}")
_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class NotAZone(ValueError):
    """The text cannot be the name of a zone."""


def new_label() -> Label:
    """Draw a label: 80 random bits as 16 characters of lower-case base32 (RFC 4648, section 6)."""
    return Label(b32encode(secrets.token_bytes(10)).decode("ascii").lower())


def is_label(text: str) -> bool:
    """Say whether the text is the label of a box, in its one spelling."""
    return _LABEL.fullmatch(text) is not None


def parse_zone(text: str) -> Zone:
    """Read the name of a zone: lower-case host labels, no final dot, short enough for every box name below it.

    Raises NotAZone with a sentence for the person who typed it.
    """
    zone = text.strip().rstrip(".").lower()
    labels = zone.split(".")
    if not text.isascii() or len(labels) < 2 or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        raise NotAZone(f"“{text}” is not a zone: write host labels joined by dots, such as iot.example.com")
    if len(zone) > 180:
        raise NotAZone(f"“{text[:40]}…” is too long for a zone: at most 180 characters, so that box names fit below it")
    return Zone(zone)


def address_label(address: Address) -> str:
    """Write an address as one DNS label: ``192-168-1-5``, or eight groups for version 6, never ``--``."""
    if isinstance(address, IPv4Address):
        return str(address).replace(".", "-")
    packed = address.packed
    return "-".join(format(packed[i] << 8 | packed[i + 1], "x") for i in range(0, 16, 2))


def parse_address_label(label: str) -> Address | None:
    """Read the address out of a label; None for anything but its one spelling."""
    if _IPV4_LABEL.fullmatch(label):
        octets = [int(part) for part in label.split("-")]
        return IPv4Address(bytes(octets)) if max(octets) <= 255 else None
    if _IPV6_LABEL.fullmatch(label):
        return IPv6Address(b"".join(int(part, 16).to_bytes(2, "big") for part in label.split("-")))
    return None


@dataclass(frozen=True, slots=True)
class StableName:
    """``<label>.<zone>``: the link for bookmarks."""

    label: Label


@dataclass(frozen=True, slots=True)
class AddressName:
    """``<address>.<label>.<zone>``: answers the address written in it."""

    address: Address
    label: Label


BoxName = StableName | AddressName


def parse_box_name(name: str, zone: Zone) -> BoxName | None:
    """Read a box name of this zone, in any case of letters and with or without the final dot; None for others."""
    lowered = name.removesuffix(".").lower()
    # Lowering turns a few signs beyond ASCII, such as the Kelvin sign, into letters: they are no names (S-59).
    if not name.isascii() or not lowered.endswith("." + zone):
        return None
    match lowered[: -len(zone) - 1].split("."):
        case [label] if is_label(label):
            return StableName(Label(label))
        case [written, label] if is_label(label) and (address := parse_address_label(written)) is not None:
            return AddressName(address, Label(label))
        case _:
            return None


def stable_name(label: Label, zone: Zone) -> str:
    """Give the stable name of a box, without final dot."""
    return f"{label}.{zone}"


def address_name(address: Address, label: Label, zone: Zone) -> str:
    """Give the name that answers this address, without final dot."""
    return f"{address_label(address)}.{label}.{zone}"


def canary_name(zone: Zone) -> str:
    """Give the name whose answer no filter of private addresses hides, without final dot."""
    return f"{CANARY}.{zone}"


def certificate_names(label: Label, zone: Zone) -> tuple[str, str]:
    """Give the two names of a box's certificate; LAN addresses never appear in it."""
    return (f"*.{label}.{zone}", f"{label}.{zone}")


@dataclass(frozen=True, slots=True)
class AddressRanges:
    """The ranges a zone answers: the allowlist that keeps it of no use to a phisher."""

    networks: tuple[Network, ...]

    def allow(self, address: Address) -> bool:
        """Say whether the zone may answer this address."""
        return any(address.version == network.version and address in network for network in self.networks)


_ALWAYS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
_SHARED = ("100.64.0.0/10",)
_LINK_LOCAL = ("169.254.0.0/16", "fe80::/10")
_LOOPBACK = ("127.0.0.0/8", "::1/128")


def address_ranges(*, shared: bool = False, link_local: bool = False, loopback: bool = False) -> AddressRanges:
    """Build an allowlist: RFC 1918 and RFC 4193 always, the others only when asked for.

    ``shared`` is RFC 6598 (carrier-grade NAT), ``link_local`` RFC 3927 and RFC 4291 (2.5.6); ``loopback`` is for
    the demo zone alone.
    """
    chosen: Iterable[str] = (
        *_ALWAYS,
        *(_SHARED if shared else ()),
        *(_LINK_LOCAL if link_local else ()),
        *(_LOOPBACK if loopback else ()),
    )
    return AddressRanges(tuple(ip_network(text) for text in chosen))


def is_localhost_zone(zone: Zone) -> bool:
    """Say whether the zone lies under ``localhost`` and so never leaves the machine (RFC 6761, 6.3)."""
    return zone == "localhost" or zone.endswith(".localhost")


def ranges_for_zone(zone: Zone, *, shared: bool = False, link_local: bool = False) -> AddressRanges:
    """Build the allowlist of a zone: loopback is answered under ``localhost`` only."""
    return address_ranges(shared=shared, link_local=link_local, loopback=is_localhost_zone(zone))


def parse_address(text: str) -> Address | None:
    """Read an address in its ordinary spelling, without zone index; None for anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if isinstance(address, IPv6Address) and address.scope_id else address
