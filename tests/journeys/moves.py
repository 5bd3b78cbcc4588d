"""A box that is moved from address to address: what the homepage says after each move, and how long it took.

One piece of code for the test (a few moves) and for ``make faults`` (a hundred of them).
"""

import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_interface

from tests.journeys.site import ZONE, BoxThere, ServiceThere, page_over_https, until
from tests.peers.netns import Site

from lancert.protocol.names import address_label


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """What happens to the box's network; ``address`` is the one at which it is found then, if at any."""

    what: str
    script: str
    address: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """How long a move took to be published, in seconds, and whether HTTPS answered there by name."""

    move: Move
    seconds: float
    is_secure: bool


def endless_moves() -> Iterator[Move]:
    """Give moves without end: leases, a self-assigned address, none, the cable out and in, a second card, a VPN."""
    number = 0
    while True:
        number += 1
        lease = f"10.{number % 200}.0.7/24"
        yield Move(what="another lease", script=_only(lease), address=lease)
        yield Move(what="no lease, a self-assigned address", script=_only("169.254.7.7/16"), address="169.254.7.7/16")
        yield Move(what="no address", script="ip -4 addr flush dev eth0", address=None)
        back = f"192.168.1.{5 + number % 200}/24"
        yield Move(what="a lease again", script=_only(back), address=back)
        yield Move(what="the cable is out", script="ip link set eth0 down", address=None)
        yield Move(what="the cable is in", script="ip link set eth0 up", address=back)
        second = f"172.16.{number % 200}.9/24"
        yield Move(
            what="a second card, which has the way out",
            script=f"ip addr add {second} dev eth1 && ip route replace default via {_router(second)} dev eth1",
            address=second,
        )
        yield Move(
            what="a VPN comes up and takes the way out",
            script="ip tuntap add tun0 mode tun && ip link set tun0 up && ip addr add 10.8.0.2/24 dev tun0 "
            "&& ip route add 0.0.0.0/1 dev tun0 && ip route add 128.0.0.0/1 dev tun0",
            address=second,
        )
        yield Move(
            what="the VPN and the second card are gone",
            script=f"ip link del tun0 && ip -4 addr flush dev eth1 && ip route replace default via {_router(back)}",
            address=back,
        )


def prepare(site: Site) -> None:
    """Give the box a second card, and the router an end of it."""
    site.network.cable(site.box, "eth1", site.router, "lan2")


def moved(site: Site, box: BoxThere, service: ServiceThere, move: Move) -> Moved:
    """Make a move and wait until the homepage has it."""
    if move.address is not None:
        interface = "lan2" if "eth1" in move.script else "lan"
        router = f"{_router(move.address)}/{ip_interface(move.address).network.prefixlen}"
        site.router.sh(f"ip addr replace {router} dev {interface}")
    label = str(box.status()["stable_url"]).split("//")[1].split(".")[0]
    address = move.address.partition("/")[0] if move.address else None
    site.box.sh(move.script)
    began = time.monotonic()
    until(lambda: _first(box) == address, f"{move.what}: {address}", 20.0)
    seconds = time.monotonic() - began
    shown = box.status()["url"]
    if address is None or address.startswith("169.254."):
        # The zone does not answer self-assigned addresses here, so there is no name to show.
        return Moved(move=move, seconds=seconds, is_secure=shown is None)
    name = f"{address_label(ip_interface(move.address or '').ip)}.{label}.{ZONE}"
    status, _page = page_over_https(site.router, address, name, service.root)
    return Moved(move=move, seconds=seconds, is_secure=(shown, status) == (f"https://{name}/", 200))


def issuances(service: ServiceThere) -> int:
    """Count what the service meant to sign, signed or not."""
    with sqlite3.connect(f"file:{service.folder / 'service.sqlite'}?mode=ro", uri=True) as database:
        count: int = database.execute("select count(*) from issuances").fetchone()[0]
    database.close()
    return count


def _first(box: BoxThere) -> str | None:
    reachable = [way["address"] for way in box.status()["urls"] if way["has_link"]]
    return reachable[0] if reachable else None


def _only(address: str) -> str:
    return (
        f"ip -4 addr flush dev eth0 && ip addr add {address} dev eth0 "
        f"&& ip route replace default via {_router(address)} dev eth0"
    )


def _router(address: str) -> str:
    return str(ip_interface(address).network.network_address + 1)
