"""Interfaces, addresses and routes from the Linux kernel, and its word when they change: just enough of rtnetlink.

Netlink is the kernel's own protocol for this (RFC 3549; netlink(7), rtnetlink(7), linux/if_link.h): messages with a
header of 16 bytes, each with a fixed part and attributes, everything aligned to 4 bytes and in the machine's own byte
order. What is read comes from the kernel, yet no length is believed before it is checked. Nothing is ever set.
"""

import errno
import socket
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from lancert.protocol.names import Address

_HEADER: Final = struct.Struct("=IHHII")  # length, type, flags, sequence number, port
_LINK: Final = struct.Struct("=BxHiII")  # family, kind of hardware, index, flags, change
_ADDRESS: Final = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ROUTE: Final = struct.Struct("=BBBBBBBBI")  # family, two prefix lengths, tos, table, protocol, scope, type, flags
_ATTRIBUTE: Final = struct.Struct("=HH")  # length, type
_HOP: Final = struct.Struct("=HBBi")  # length, flags, weight, index (struct rtnexthop)

_ERROR, _DONE = 2, 3
_NEW_LINK, _GET_LINK = 16, 18
_NEW_ADDRESS, _GET_ADDRESS = 20, 22
_NEW_ROUTE, _GET_ROUTE = 24, 26
_REQUEST_DUMP = 0x1 | 0x300
_INTERRUPTED = 0x10  # the tables changed while they were read
_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400  # links; addresses and routes of version 4, then of version 6

_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_INFO_KIND = 3, 18, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_OIF, _RTA_MULTIPATH = 4, 9
_NESTED = 0x3FFF  # what is left of the type of an attribute without its flags

_UP, _LOOPBACK, _POINT_TO_POINT, _RUNNING = 0x1, 0x8, 0x10, 0x40
_ETHERNET = 1
_TEMPORARY, _DUPLICATE, _DEPRECATED, _TENTATIVE = 0x1, 0x8, 0x20, 0x40
_MAIN_TABLE, _UNICAST = 254, 1

_PATIENCE = 2.0  # seconds; the kernel answers at once or not at all
_DATAGRAM = 65_536
_TRIES = 5


class NotNetlink(OSError):
    """What came is not what the kernel says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An interface as the kernel has it. ``driver`` is the kind of a made one: ``veth``, ``wireguard``, or empty."""

    index: int
    name: str
    driver: str
    has_link: bool
    is_ethernet: bool
    is_loopback: bool
    is_point_to_point: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """What the kernel has at one moment: links, usable addresses by the index of the link, where default routes go."""

    links: tuple[Link, ...]
    addresses: Mapping[int, tuple[Address, ...]]
    default_routes: frozenset[int]


def read_tables() -> Tables:
    """Ask the kernel. Raises OSError where there is no such kernel."""
    with _open(0) as door:
        door.settimeout(_PATIENCE)
        links = [_link(body) for body in _dump(door, _GET_LINK, _NEW_LINK, _LINK.pack(0, 0, 0, 0, 0))]
        addresses: dict[int, tuple[Address, ...]] = {}
        for body in _dump(door, _GET_ADDRESS, _NEW_ADDRESS, _ADDRESS.pack(0, 0, 0, 0, 0)):
            if (found := _address(body)) is not None:
                addresses[found[0]] = (*addresses.get(found[0], ()), found[1])
        routes: set[int] = set()
        for family in (socket.AF_INET, socket.AF_INET6):
            question = _ROUTE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
            for body in _dump(door, _GET_ROUTE, _NEW_ROUTE, question):
                routes.update(_default_route(body))
    return Tables(links=tuple(links), addresses=addresses, default_routes=frozenset(routes))


def open_news() -> socket.socket:
    """Give a socket that can be read from whenever links, addresses or routes change. Raises OSError."""
    news = _open(_GROUPS)
    news.setblocking(False)
    return news


def drain(news: socket.socket) -> None:
    """Take away what the kernel said: it only matters that it said something.

    Raises OSError when nothing more can come.
    """
    while True:
        try:
            if not news.recv(_DATAGRAM):
                raise NotNetlink("the kernel closed its socket")
        except BlockingIOError:
            return
        except OSError as error:
            # More was said than the socket holds: that is news, too (netlink(7)).
            if error.errno != errno.ENOBUFS:
                raise


def _open(groups: int) -> socket.socket:
    family = getattr(socket, "AF_NETLINK", None)
    if family is None:
        raise NotNetlink("this system has no netlink")
    door = socket.socket(family, socket.SOCK_RAW, 0)  # 0 is NETLINK_ROUTE
    try:
        door.bind((0, groups))
    except OSError:
        door.close()
        raise
    return door


def _dump(door: socket.socket, question: int, answer: int, body: bytes) -> list[memoryview]:
    for number in range(1, _TRIES + 1):
        door.send(_HEADER.pack(_HEADER.size + len(body), question, _REQUEST_DUMP, number, 0) + body)
        found, is_whole = _answers(door, answer, number)
        if is_whole:
            return found
    # Tables that change all the time: the last look is the best there is, and more news is on its way.
    return found


def _answers(door: socket.socket, answer: int, number: int) -> tuple[list[memoryview], bool]:
    found: list[memoryview] = []
    is_whole = True
    while True:
        datagram, sender = door.recvfrom(_DATAGRAM)
        if sender[0] != 0:
            continue  # only port 0 is the kernel
        for kind, flags, told, body in read_messages(datagram):
            if told != number:
                continue
            is_whole = is_whole and not flags & _INTERRUPTED
            if kind == _DONE:
                return found, is_whole
            if kind == _ERROR:
                raise NotNetlink(_error(body), "the kernel does not answer")
            if kind == answer:
                found.append(body)


def read_messages(datagram: bytes) -> Iterator[tuple[int, int, int, memoryview]]:
    """Give type, flags, sequence number and body of each message (RFC 3549, 2.3.2). Raises NotNetlink."""
    rest = memoryview(datagram)
    while rest:
        if len(rest) < _HEADER.size:
            raise NotNetlink("a message is shorter than its header")
        length, kind, flags, number, _port = _HEADER.unpack_from(rest)
        if not _HEADER.size <= length <= len(rest):
            raise NotNetlink(f"a message of {length} bytes in {len(rest)}")
        yield kind, flags, number, rest[_HEADER.size : length]
        rest = rest[_aligned(length) :]


def read_attributes(body: memoryview) -> dict[int, memoryview]:
    """Give the attributes by their types (RFC 3549, 2.3.3 has the idea; rtnetlink(7) the form). Raises NotNetlink."""
    found: dict[int, memoryview] = {}
    while len(body) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(body)
        if not _ATTRIBUTE.size <= length <= len(body):
            raise NotNetlink(f"an attribute of {length} bytes in {len(body)}")
        found[kind & _NESTED] = body[_ATTRIBUTE.size : length]
        body = body[_aligned(length) :]
    return found


def _link(body: memoryview) -> Link:
    _family, hardware, index, flags, _change = _fixed(_LINK, body)
    attributes = read_attributes(body[_LINK.size :])
    about = read_attributes(attributes.get(_IFLA_LINKINFO, memoryview(b"")))
    return Link(
        index=index,
        name=_text(attributes.get(_IFLA_IFNAME)) or str(index),
        driver=_text(about.get(_IFLA_INFO_KIND)),
        has_link=flags & (_UP | _RUNNING) == _UP | _RUNNING,
        is_ethernet=hardware == _ETHERNET,
        is_loopback=bool(flags & _LOOPBACK),
        is_point_to_point=bool(flags & _POINT_TO_POINT),
    )


def _address(body: memoryview) -> tuple[int, Address] | None:
    """Give index and address; None for one that cannot be relied on."""
    family, _prefix, flags, _scope, index = _fixed(_ADDRESS, body)
    attributes = read_attributes(body[_ADDRESS.size :])
    if (more := attributes.get(_IFA_FLAGS)) is not None and len(more) == 4:
        flags = int.from_bytes(more, _BYTE_ORDER)
    # IFA_LOCAL is the own end; without it, as in version 6, IFA_ADDRESS is (rtnetlink(7)).
    raw = bytes(attributes.get(_IFA_LOCAL) or attributes.get(_IFA_ADDRESS) or b"")
    if family == socket.AF_INET and len(raw) == 4:
        return index, IPv4Address(raw)
    if family == socket.AF_INET6 and len(raw) == 16:
        is_lasting = not flags & (_TEMPORARY | _DUPLICATE | _DEPRECATED | _TENTATIVE)
        return (index, IPv6Address(raw)) if is_lasting else None
    return None


def _default_route(body: memoryview) -> Iterator[int]:
    """Give the interfaces of a route, if it is a default route."""
    _family, length, _from, _tos, table, _protocol, _scope, kind, _flags = _fixed(_ROUTE, body)
    if length != 0 or table != _MAIN_TABLE or kind != _UNICAST:
        return
    attributes = read_attributes(body[_ROUTE.size :])
    if (interface := attributes.get(_RTA_OIF)) is not None and len(interface) == 4:
        yield int.from_bytes(interface, _BYTE_ORDER)
    hops = attributes.get(_RTA_MULTIPATH, memoryview(b""))
    while len(hops) >= _HOP.size:
        length, _hop_flags, _weight, index = _HOP.unpack_from(hops)
        if not _HOP.size <= length <= len(hops):
            raise NotNetlink(f"a hop of {length} bytes in {len(hops)}")
        yield index
        hops = hops[_aligned(length) :]


def _fixed(form: struct.Struct, body: memoryview) -> tuple[int, ...]:
    if len(body) < form.size:
        raise NotNetlink(f"a body of {len(body)} bytes")
    return form.unpack_from(body)


def _error(body: memoryview) -> int:
    return -int.from_bytes(body[:4], _BYTE_ORDER, signed=True)


def _text(raw: memoryview | None) -> str:
    return bytes(raw or b"").rstrip(b"\0").decode("utf-8", errors="replace")


def _aligned(length: int) -> int:
    return (length + 3) & ~3


_BYTE_ORDER: Final = "little" if struct.pack("=H", 1) == b"\1\0" else "big"
