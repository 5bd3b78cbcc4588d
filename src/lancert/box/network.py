"""The addresses of this box on its private networks, the one of the default route first.

Addresses of containers, virtual machines and VPN are left out by the name of their interface: nobody in the shop can
reach the homepage there.
"""

import contextlib
import re
import socket
from collections.abc import Iterable
from ipaddress import IPv6Address, ip_address

from lancert.protocol.names import Address, address_ranges, parse_address

_NOT_THE_SHOP = re.compile(
    r"(lo|docker|br-|veth|virbr|vmnet|vboxnet|cni|flannel|cali|kube|lxc|lxd|podman|tun|tap|wg|tailscale|zt|ppp|utun)",
    re.IGNORECASE,
)
_PRIVATE = address_ranges(shared=True, link_local=True)
# Addresses of documentation (RFC 5737, RFC 3849): connecting a UDP socket sends nothing, it asks the routing table.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


def addresses() -> tuple[Address, ...]:
    """Give the private addresses of this box."""
    import ifaddr  # looks for the C library when it is imported, which takes a process of its own

    found = {
        address
        for adapter in ifaddr.get_adapters()
        if not _NOT_THE_SHOP.match(adapter.name)
        for ip in adapter.ips
        if (address := _address(ip.ip)) is not None and _is_reachable(address)
    }
    return sort_addresses(found, [route for route in map(_default_route, _ELSEWHERE) if route is not None])


def _is_reachable(address: Address) -> bool:
    # No browser opens a link-local address of version 6, which means nothing without the name of an interface.
    return _PRIVATE.allow(address) and not (isinstance(address, IPv6Address) and address.is_link_local)


def sort_addresses(found: Iterable[Address], default_routes: Iterable[Address]) -> tuple[Address, ...]:
    """Put the addresses of the default routes first, then version 4, link-local ones last, in a stable order."""
    routes = list(default_routes)

    def rank(address: Address) -> tuple[bool, bool, bool, int]:
        is_link_local = address.is_link_local
        return (address not in routes, is_link_local, isinstance(address, IPv6Address), int(address))

    return tuple(sorted(found, key=rank))


def _address(written: str | tuple[str, int, int]) -> Address | None:
    return parse_address(written if isinstance(written, str) else written[0])


def _default_route(elsewhere: tuple[socket.AddressFamily, str]) -> Address | None:
    family, target = elsewhere
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((target, 9))
        return ip_address(probe.getsockname()[0])
    return None
