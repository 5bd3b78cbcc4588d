"""The network interfaces of a box as facts, and which of their addresses count: pure, the same on every system.

Interfaces of containers, virtual machines and VPN are left out, by name and by kind: nobody in the shop can reach the
homepage there. So are addresses that are about to change (temporary ones, RFC 8981) or not yet in use (RFC 4862).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv6Address

from lancert.protocol.names import Address, address_ranges

_NOT_THE_SHOP = re.compile(
    r"(lo|docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|kube|lxc|lxd|podman|tun|tap|wg|tailscale|zt|ppp|utun)",
    re.IGNORECASE,
)
# On Windows an interface is told by its description, on Linux by what drives it.
_NOT_THE_SHOP_EITHER = re.compile(
    r"hyper-v|virtualbox|vmware|tap-windows|wintun|wireguard|openvpn|tailscale|zerotier|docker|loopback|pseudo",
    re.IGNORECASE,
)
_TUNNELS = {"tun", "wireguard", "gre", "ipip", "sit", "vti", "vti6", "ip6tnl", "xfrm", "nlmon"}
_PRIVATE = address_ranges(shared=True, link_local=True)


class InterfaceKind(StrEnum):
    """How an interface reaches the network of the shop."""

    WIRED = "wired"
    WIRELESS = "wireless"
    OTHER = "other"
    """Nothing is known about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """One interface with its private addresses. ``has_link`` says that cable or Wi-Fi is connected.

    ``has_default_route`` says that what is not for this network leaves through it.
    """

    name: str
    kind: InterfaceKind
    has_link: bool
    has_default_route: bool
    addresses: tuple[Address, ...]


def belongs_to_the_shop(name: str, description: str = "", driver: str = "") -> bool:
    """Say whether devices of the shop can be on the other side of this interface."""
    return not (_NOT_THE_SHOP.match(name) or _NOT_THE_SHOP_EITHER.search(description) or driver in _TUNNELS)


def is_reachable(address: Address) -> bool:
    """Say whether this is an address at which a browser in the shop can open the homepage.

    No browser opens a link-local address of version 6, which means nothing without the name of an interface.
    """
    return _PRIVATE.allow(address) and not (isinstance(address, IPv6Address) and address.is_link_local)


def sort_addresses(found: Iterable[Address], default_routes: Iterable[Address]) -> tuple[Address, ...]:
    """Put the addresses of the default routes first, then version 4, link-local ones last, in a stable order."""
    routes = list(default_routes)

    def rank(address: Address) -> tuple[bool, bool, bool, int]:
        is_link_local = address.is_link_local
        return (address not in routes, is_link_local, isinstance(address, IPv6Address), int(address))

    return tuple(sorted(found, key=rank))


def sort_interfaces(found: Iterable[Interface], default_routes: Iterable[Address]) -> tuple[Interface, ...]:
    """Put those with a link first, then by their best address as ``sort_addresses`` has it, their addresses sorted."""
    routes = list(default_routes)
    order = {
        address: place
        for place, address in enumerate(sort_addresses({address for one in found for address in one.addresses}, routes))
    }

    def rank(one: Interface) -> tuple[bool, int, str]:
        return (not one.has_link, min((order[address] for address in one.addresses), default=len(order)), one.name)

    sorted_inside = (
        Interface(
            name=one.name,
            kind=one.kind,
            has_link=one.has_link,
            has_default_route=one.has_default_route,
            addresses=sort_addresses(one.addresses, routes),
        )
        for one in found
    )
    return tuple(sorted(sorted_inside, key=rank))


def addresses_of(interfaces: Iterable[Interface], default_routes: Iterable[Address]) -> tuple[Address, ...]:
    """Give the addresses at which the box can be reached now: those of interfaces that have a link."""
    return sort_addresses({address for one in interfaces if one.has_link for address in one.addresses}, default_routes)
