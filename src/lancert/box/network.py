"""The interfaces and addresses of this box on its private networks, the one of the default route first.

On Linux the kernel is asked by netlink, elsewhere the system's own list is read, which knows less: there an interface
that has addresses counts as connected, and the one that holds the address of the default route as its way out.
"""

import contextlib
import re
import socket
from ipaddress import ip_address
from pathlib import Path

from lancert.box import netlink
from lancert.box.interfaces import (
    Interface,
    InterfaceKind,
    addresses_of,
    belongs_to_the_shop,
    is_reachable,
    sort_interfaces,
)
from lancert.box.interfaces import sort_addresses as sort_addresses
from lancert.protocol.names import Address, parse_address

# Addresses of documentation (RFC 5737, RFC 3849): connecting a UDP socket sends nothing, it asks the routing table.
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
_WIRELESS = re.compile(r"wi-?fi|wireless|wlan|802\.11", re.IGNORECASE)
_CLASS = Path("/sys/class/net")


def addresses() -> tuple[Address, ...]:
    """Give the private addresses of this box."""
    return look()[1]


def look() -> tuple[tuple[Interface, ...], tuple[Address, ...]]:
    """Give the interfaces of this box that matter to the shop, and the addresses at which it can be reached now."""
    routes = [route for route in map(_default_route, _ELSEWHERE) if route is not None]
    try:
        found = _from_kernel()
    except OSError:
        found = _from_system(routes)
    own = {address for one in found for address in one.addresses}
    # With a VPN the way out leads through that, and the shop is still where the router is.
    first = [route for route in routes if route in own] or _behind_the_router(found)
    return sort_interfaces(found, first), addresses_of(found, first)


def _behind_the_router(found: list[Interface]) -> list[Address]:
    return [address for one in found if one.has_default_route for address in one.addresses]


def _from_kernel() -> list[Interface]:
    tables = netlink.read_tables()
    return [
        Interface(
            name=link.name,
            kind=_kind(link),
            has_link=link.has_link,
            has_default_route=link.index in tables.default_routes,
            addresses=tuple(filter(is_reachable, tables.addresses.get(link.index, ()))),
        )
        for link in tables.links
        # Without an address only what is made of hardware says something: its cable is out, or nobody gives addresses.
        if not link.is_loopback
        and belongs_to_the_shop(link.name, driver=_driver(link))
        and (link.index in tables.addresses or not link.driver)
    ]


def _driver(link: netlink.Link) -> str:
    # "tun" is also what a tap interface is made by, which carries Ethernet and may be part of a bridge.
    return "" if link.driver == "tun" and not link.is_point_to_point else link.driver


def _kind(link: netlink.Link) -> InterfaceKind:
    if (_CLASS / link.name / "wireless").exists() or (_CLASS / link.name / "phy80211").exists():
        return InterfaceKind.WIRELESS
    return InterfaceKind.WIRED if link.is_ethernet else InterfaceKind.OTHER


def _from_system(routes: list[Address]) -> list[Interface]:
    import ifaddr  # looks for the C library when it is imported, which takes a process of its own

    found = []
    for adapter in ifaddr.get_adapters():
        known = (_address(ip.ip) for ip in adapter.ips)
        reachable = tuple(address for address in known if address is not None and is_reachable(address))
        if reachable and belongs_to_the_shop(adapter.name, description=adapter.nice_name):
            found.append(
                Interface(
                    name=adapter.nice_name,
                    kind=InterfaceKind.WIRELESS if _WIRELESS.search(adapter.nice_name) else InterfaceKind.OTHER,
                    has_link=True,
                    has_default_route=any(address in routes for address in reachable),
                    addresses=reachable,
                )
            )
    return found


def _address(written: str | tuple[str, int, int]) -> Address | None:
    return parse_address(written if isinstance(written, str) else written[0])


def _default_route(elsewhere: tuple[socket.AddressFamily, str]) -> Address | None:
    family, target = elsewhere
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((target, 9))
        return ip_address(probe.getsockname()[0])
    return None
