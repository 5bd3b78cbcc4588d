"""One generation of the zone: which names exist, and what each of them has.

A generation is numbered by its SOA serial and never changes; the next one replaces it as a whole. Four kinds of
names exist and nothing else: box names, the fixed names of the service (hosts), the canary by which a box tells a
filter of private answers from a zone out of reach, and the zone with its records against mail abuse. There is no
free-form name, no alias, and no address outside the allowed ranges under a label.

``look_up`` is the rule in full, in the words of a zone file; the strict path (strict.py) is a second, faster
reading of its box-name half, and the tests hold the two together.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address
from typing import Final, NamedTuple

from lancert.dns.wire import ZoneWire, encode_name, masks, negative_soa
from lancert.protocol.names import (
    CANARY,
    CANARY_ADDRESSES,
    Address,
    AddressRanges,
    Label,
    Zone,
    is_label,
    parse_address_label,
)

STABLE_NAME_TTL: Final = 60
"""Seconds a stable name may be remembered: how long a bookmark can be wrong after the address changed (F-45)."""

ADDRESS_NAME_TTL: Final = 3600
"""Seconds an address name may be remembered. The answer is the name itself and can never be wrong, so a day would
do; an hour is how long the names of a withdrawn label live on in caches."""

FIXED_TTL: Final = 3600
"""Seconds for what changes with the configuration only."""

HOST_TTL: Final = 300
"""Seconds for the addresses of the service itself, so that it can be moved."""

CANARY_TTL: Final = 1
"""Seconds the canary may be remembered: it has to tell whether the zone is reached now."""

MOST_ADDRESSES: Final = 256
"""Addresses of each IP version a stable name answers at most: the first ones reported."""

LONGEST_NEGATIVE_TTL: Final = 300
"""Seconds a missing name may be remembered at most: a box that enrols is asked for at once."""

_HOST_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_PLAIN_TEXT = re.compile(r"[\x20-\x7e]{0,255}")


class NotAGeneration(ValueError):
    """The facts do not make a zone that can be served."""


class Caa(NamedTuple):
    """One CAA property (RFC 8659, 4.1); flag 128 is *critical*."""

    flags: int
    tag: str
    value: str


NOBODY_ISSUES: Final = (Caa(0, "issue", ";"),)
"""No public authority may issue for the zone: right while the embedded authority signs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoaTiming:
    """The seconds of the SOA record (RFC 1035, 3.3.13); ``negative`` is its MINIMUM as RFC 2308 reads it."""

    refresh: int = 3600
    retry: int = 600
    expire: int = 1209600
    negative: int = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The records of one type at one name, their values as a zone file writes them."""

    type: str
    ttl: int
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ZoneFacts:
    """What the zone answers at one moment.

    ``boxes`` holds every live label with the addresses its box reported last, in the order to answer them, and
    possibly none; a withdrawn label is not in it. ``hosts`` holds the fixed names, written relative to the zone
    (``service``, ``ns1``), with any address the operator gives. Neither mapping is changed after it was handed
    over: replace the generation instead (``dataclasses.replace`` costs microseconds and copies neither).
    ``name_servers`` and ``contact`` are absolute; ``contact`` is the SOA mailbox in DNS form, by default nobody's
    (RFC 6303, 3), since the zone takes no mail. Raises NotAGeneration.
    """

    zone: Zone
    ranges: AddressRanges
    serial: int
    name_servers: tuple[str, ...]
    boxes: Mapping[Label, tuple[Address, ...]] = field(default_factory=dict, repr=False)
    hosts: Mapping[str, tuple[Address, ...]] = field(default_factory=dict)
    timing: SoaTiming = SoaTiming()
    caa: tuple[Caa, ...] = NOBODY_ISSUES
    contact: str = "nobody.invalid"
    wire: ZoneWire = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what cannot be served, then prepare the bytes of the strict path."""
        _check(self)
        object.__setattr__(self, "name_servers", tuple(map(_plain, self.name_servers)))
        object.__setattr__(self, "contact", _plain(self.contact))
        object.__setattr__(self, "wire", _prepare(self))


def look_up(facts: ZoneFacts, labels: tuple[str, ...]) -> tuple[Records, ...] | None:
    """Give all records of a name, written relative to the zone in lower case; None when it does not exist.

    An empty tuple is a name that exists only because names below it do (RFC 8020): it has no records.
    """
    match labels:
        case ():
            return _apex(facts)
        case ("_dmarc",):
            return _NO_MAIL_POLICY
        case (*_, "_domainkey"):
            return () if len(labels) == 1 else _NO_MAIL_KEY
        case (label,) if label == CANARY:
            return (*_addresses(CANARY_ADDRESSES, CANARY_TTL), *_no_mail_and_caa(facts))
        case (label,) if is_label(label):
            return _stable_name(facts, Label(label))
        case (first, label) if is_label(label):
            return _below_label(facts, first, Label(label))
        case _:
            return _host(facts, ".".join(labels))


_NO_MAIL_POLICY = (
    # `sp` for the names below; relaxed alignment would let a neighbour's name vouch for this one (RFC 7489, 6.3).
    Records(type="TXT", ttl=FIXED_TTL, values=('"v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s"',)),
)
# A key that is empty is a key withdrawn (RFC 6376, 3.6.1): the one wildcard of the zone, `*._domainkey`, says so
# for every selector. It lies outside the grammar of box names and carries no address.
_NO_MAIL_KEY = (Records(type="TXT", ttl=FIXED_TTL, values=('"v=DKIM1; p="',)),)


def _apex(facts: ZoneFacts) -> tuple[Records, ...]:
    timing = facts.timing
    soa = (
        f"{facts.name_servers[0]}. {facts.contact}. {facts.serial} "
        f"{timing.refresh} {timing.retry} {timing.expire} {timing.negative}"
    )
    return (
        Records(type="SOA", ttl=FIXED_TTL, values=(soa,)),
        Records(type="NS", ttl=FIXED_TTL, values=tuple(f"{name}." for name in facts.name_servers)),
        *_no_mail_and_caa(facts),
    )


def _stable_name(facts: ZoneFacts, label: Label) -> tuple[Records, ...] | None:
    addresses = facts.boxes.get(label)
    if addresses is None:
        return None
    allowed = tuple(address for address in addresses if facts.ranges.allow(address))
    return (*_addresses(allowed, STABLE_NAME_TTL), *_no_mail_and_caa(facts))


def _below_label(facts: ZoneFacts, first: str, label: Label) -> tuple[Records, ...] | None:
    if label not in facts.boxes:
        return None
    if first == "_dmarc":
        # On the public suffix list `<label>.<zone>` is a domain of its own, whose policy is looked for here.
        return _NO_MAIL_POLICY
    address = parse_address_label(first)
    if address is None or not facts.ranges.allow(address):
        return None
    return (*_addresses((address,), ADDRESS_NAME_TTL), *_no_mail_and_caa(facts))


def _host(facts: ZoneFacts, name: str) -> tuple[Records, ...] | None:
    addresses = facts.hosts.get(name)
    if addresses is not None:
        return (*_addresses(addresses, HOST_TTL), *_no_mail_and_caa(facts))
    return () if any(host.endswith("." + name) for host in facts.hosts) else None


def _addresses(addresses: tuple[Address, ...], ttl: int) -> tuple[Records, ...]:
    each = tuple(dict.fromkeys(addresses))
    version4 = tuple(str(address) for address in each if isinstance(address, IPv4Address))
    version6 = tuple(str(address) for address in each if not isinstance(address, IPv4Address))
    found = (
        Records(type="A", ttl=ttl, values=version4[:MOST_ADDRESSES]),
        Records(type="AAAA", ttl=ttl, values=version6[:MOST_ADDRESSES]),
    )
    return tuple(records for records in found if records.values)


def _no_mail_and_caa(facts: ZoneFacts) -> tuple[Records, ...]:
    """Every name that has addresses, and the zone itself, takes no mail (RFC 7505), sends none (RFC 7208)."""
    caa = tuple(f'{flags} {tag} "{value}"' for flags, tag, value in facts.caa)
    return (
        Records(type="MX", ttl=FIXED_TTL, values=("0 .",)),
        Records(type="TXT", ttl=FIXED_TTL, values=('"v=spf1 -all"',)),
        *((Records(type="CAA", ttl=FIXED_TTL, values=caa),) if caa else ()),
    )


def _check(facts: ZoneFacts) -> None:
    if not 0 <= facts.serial < 2**32:
        raise NotAGeneration(f"serial {facts.serial} is not a number of 32 bits")
    if not 0 <= facts.timing.negative <= LONGEST_NEGATIVE_TTL:
        raise NotAGeneration(f"missing names may be remembered for {LONGEST_NEGATIVE_TTL} seconds at most")
    for host in facts.hosts:
        _check_host(host, facts.zone)
    for name in (*facts.name_servers, facts.contact):
        if not _is_host_name(_plain(name)):
            raise NotAGeneration(f"“{name}” is not the name of a host")
    if not facts.name_servers:
        raise NotAGeneration("a zone needs at least one name server")
    for name in map(_plain, facts.name_servers):
        if name.endswith("." + facts.zone) and not facts.hosts.get(name.removesuffix("." + facts.zone)):
            raise NotAGeneration(f"the name server {name} lies in the zone but has no address among the hosts")
    for flags, tag, value in facts.caa:
        if not (0 <= flags <= 255 and tag.isascii() and tag.isalnum() and len(tag) <= 15):
            raise NotAGeneration(f"CAA {flags} {tag} is not a property (RFC 8659, 4.1)")
        if not _PLAIN_TEXT.fullmatch(value) or '"' in value or "\\" in value:
            raise NotAGeneration(f"CAA {tag}: the value must be plain text without quotes")


def _check_host(host: str, zone: Zone) -> None:
    if not _is_host_name(f"{host}.{zone}"):
        raise NotAGeneration(f"“{host}” cannot be a host of the zone {zone}")
    if is_label(host.rpartition(".")[2]):
        raise NotAGeneration(f"“{host}” looks like the name of a box; choose another name for this host")
    if host == CANARY:
        raise NotAGeneration(f"“{host}” is a name of the zone itself; choose another name for this host")


def _is_host_name(name: str) -> bool:
    return len(name) <= 253 and all(_HOST_LABEL.fullmatch(label) for label in name.split("."))


def _plain(name: str) -> str:
    return name.removesuffix(".").lower()


def _prepare(facts: ZoneFacts) -> ZoneWire:
    timing = facts.timing
    return ZoneWire(
        suffix=encode_name(facts.zone),
        negative=negative_soa(
            facts.zone,
            facts.name_servers[0],
            facts.contact,
            facts.serial,
            (timing.refresh, timing.retry, timing.expire, timing.negative),
        ),
        ranges4=masks(facts.ranges.networks, 4),
        ranges6=masks(facts.ranges.networks, 6),
    )
