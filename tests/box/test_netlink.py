"""What the Linux kernel says about interfaces: read right, and never believed before it is checked."""

import asyncio
import contextlib
import select
import socket
import struct
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.peers.netns import Host, Network

from lancert.box import netlink, network
from lancert.box.address_watch import NetlinkWatch, PollingWatch
from lancert.box.interfaces import Interface, InterfaceKind
from lancert.box.netlink import NotNetlink, read_attributes, read_messages

HEADER = struct.Struct("=IHHII")


def _message(kind: int, body: bytes, number: int = 1) -> bytes:
    return HEADER.pack(HEADER.size + len(body), kind, 0, number, 0) + body


def test_messages_and_attributes_are_read_as_the_kernel_lays_them_out() -> None:
    """RFC 3549, 2.3: each begins at a multiple of four bytes, its own length leaves the filling out."""
    attributes = struct.pack("=HH5s3x", 9, 3, b"eth0\0") + struct.pack("=HHI", 8, 4, 7)
    datagram = _message(16, attributes) + _message(3, b"")

    (kind, _flags, number, body), (end, _, _, nothing) = read_messages(datagram)

    assert (kind, number, end, bytes(nothing)) == (16, 1, 3, b"")
    assert {key: bytes(value) for key, value in read_attributes(body).items()} == {
        3: b"eth0\0",
        4: struct.pack("=I", 7),
    }


@pytest.mark.parametrize(
    "datagram",
    [
        b"x",
        HEADER.pack(15, 16, 0, 1, 0),
        HEADER.pack(17, 16, 0, 1, 0),
        HEADER.pack(0, 16, 0, 1, 0),
        HEADER.pack(2**32 - 1, 16, 0, 1, 0),
    ],
)
def test_a_length_that_cannot_be_is_refused(datagram: bytes) -> None:
    """No loop without end, and nothing is read beyond what came."""
    with pytest.raises(NotNetlink):
        list(read_messages(datagram))


@given(st.binary(max_size=200))
def test_whatever_comes_is_read_or_refused(content: bytes) -> None:
    """Of any bytes, messages and attributes lie within them."""
    found: list[memoryview] = []
    with contextlib.suppress(NotNetlink):
        found += [body for _kind, _flags, _number, body in read_messages(content)]
    assert sum(map(len, found)) <= len(content)
    found.clear()
    with contextlib.suppress(NotNetlink):
        found += read_attributes(memoryview(content)).values()
    assert sum(map(len, found)) <= len(content)


@pytest.fixture
def host() -> Iterator[Host]:
    """A host with a router at the other end of its cable."""
    with Network() as made:
        one, router = made.host("one"), made.host("router")
        made.cable(one, "eth0", router, "lan")
        yield one


def _look(host: Host) -> tuple[tuple[Interface, ...], list[str]]:
    with host.inside():
        interfaces, addresses = network.look()
    return interfaces, [str(address) for address in addresses]


def test_an_interface_is_told_with_its_link_and_its_way_out(host: Host) -> None:
    """Name, kind, whether the cable is in, whether the Internet lies that way; addresses of both versions."""
    host.sh("ip addr add 192.168.1.5/24 dev eth0; ip addr add fd12::5/64 dev eth0")
    host.sh("ip route add default via 192.168.1.1")

    interfaces, addresses = _look(host)

    assert addresses == ["192.168.1.5", "fd12::5"]
    assert interfaces == (
        Interface(
            name="eth0",
            kind=InterfaceKind.WIRED,
            has_link=True,
            has_default_route=True,
            addresses=(ip_address("192.168.1.5"), ip_address("fd12::5")),
        ),
    )


@pytest.mark.parametrize(
    "way", ["dev eth0", "via 192.168.1.1 metric 600", "nexthop via 192.168.1.1 nexthop via 192.168.1.2"]
)
def test_every_kind_of_default_route_counts(host: Host, way: str) -> None:
    """Straight into a network, with a metric, over several routers."""
    host.sh(f"ip addr add 192.168.1.5/24 dev eth0; ip route add default {way}")

    assert [one.has_default_route for one in _look(host)[0]] == [True]


def test_an_address_of_an_interface_without_a_link_is_no_way_here(host: Host) -> None:
    """F-34: the cable is out: the address is still configured, and nobody can come by it."""
    host.sh("ip addr add 192.168.1.5/24 dev eth0; ip link set eth0 down")

    (interface,), addresses = _look(host)

    assert (interface.has_link, addresses) == (False, [])
    assert interface.addresses == (ip_address("192.168.1.5"),)


def test_an_address_that_will_not_last_or_cannot_be_used_is_left_out(host: Host) -> None:
    """Temporary ones change every day (RFC 8981), tentative and deprecated ones do not work (RFC 4862)."""
    host.sh(
        "echo 1 >/proc/sys/net/ipv6/conf/eth0/accept_dad\n"
        "ip addr add fd12::1/64 dev eth0 nodad\n"
        "ip addr add fd12::2/64 dev eth0 nodad preferred_lft 0\n"
        "echo 100 >/proc/sys/net/ipv6/conf/eth0/dad_transmits\n"
        "ip addr add fd12::3/64 dev eth0\n"
        "echo 2 >/proc/sys/net/ipv6/conf/eth0/use_tempaddr\n"
        "ip addr add fd12:1::4/64 dev eth0 nodad mngtmpaddr\n"
    )
    said = host.sh("ip -6 addr show dev eth0")
    assert all(word in said for word in ("temporary", "deprecated", "tentative")), said

    assert _look(host)[1] == ["fd12::1", "fd12:1::4"]


def test_interfaces_of_containers_and_tunnels_are_left_out(host: Host) -> None:
    """By name, and a tunnel also by what it is made by: nobody in the shop is on its other side."""
    host.sh(
        "ip addr add 192.168.1.5/24 dev eth0\n"
        "ip link add docker0 type bridge && ip link set docker0 up && ip addr add 172.17.0.1/16 dev docker0\n"
        "ip tuntap add office mode tun && ip link set office up && ip addr add 10.8.0.2/24 dev office\n"
        "ip link add br0 type bridge && ip link set br0 up && ip addr add 10.9.0.2/24 dev br0\n"
    )

    interfaces, _addresses = _look(host)

    assert {one.name for one in interfaces} == {"eth0", "br0"}


def test_news_come_from_the_kernel_and_not_from_other_programs(host: Host) -> None:
    """A new address, a lost one, a route and a cable wake whoever waits, each within a moment."""
    changes = (
        "ip addr add 192.168.1.5/24 dev eth0",
        "ip route add default via 192.168.1.1",
        "ip addr add fd12::5/64 dev eth0",
        "ip addr del 192.168.1.5/24 dev eth0",
        "ip link set eth0 down",
    )

    async def follow() -> list[float]:
        watch = NetlinkWatch()
        waited = []
        try:
            # What the kernel still had to say counts for nothing.
            with contextlib.suppress(TimeoutError):
                while True:
                    await asyncio.wait_for(watch.changed(), 0.5)
            for change in changes:
                waiting = asyncio.ensure_future(watch.changed())
                await asyncio.sleep(0)
                began = asyncio.get_running_loop().time()
                changed = await asyncio.create_subprocess_exec(*host.prefix, *change.split())
                assert await changed.wait() == 0
                await asyncio.wait_for(waiting, 5)
                waited.append(asyncio.get_running_loop().time() - began)
        finally:
            watch.close()
        return waited

    with host.inside():
        waited = asyncio.run(follow())

    assert len(waited) == len(changes)
    assert max(waited) < 1.0


def test_more_news_than_the_socket_holds_are_news_too(host: Host) -> None:
    """A storm of changes overruns the socket (ENOBUFS); the watch goes on."""
    with host.inside():
        news, witness = netlink.open_news(), netlink.open_news()
    with news, witness:
        for one in (news, witness):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        subprocess.run(
            [*host.prefix, "ip", "-batch", "-"],
            input="".join(
                f"addr add 10.{i}.0.1/24 dev eth0\naddr del 10.{i}.0.1/24 dev eth0\n" for i in range(200)
            ).encode(),
            check=True,
            timeout=30,
        )
        with pytest.raises(OSError, match="No buffer space"):
            while True:
                witness.recv(65536)
        netlink.drain(news)
        host.sh("ip addr add 10.250.0.1/24 dev eth0")

        assert select.select([news], [], [], 5)[0]


def test_where_nobody_tells_somebody_looks() -> None:
    """Other systems than Linux: the same two calls, with nothing to hold."""

    async def waits() -> bool:
        watch = PollingWatch()
        waiting = asyncio.ensure_future(watch.changed())
        done, _ = await asyncio.wait([waiting], timeout=0.05)
        waiting.cancel()
        watch.close()
        return not done

    assert asyncio.run(waits())


def test_the_list_of_the_system_tells_the_same_addresses_as_the_kernel(host: Host) -> None:
    """What is used where there is no netlink agrees about addresses, on the one system where both can be asked."""
    host.sh("ip addr add 192.168.1.5/24 dev eth0; ip addr add fd12::5/64 dev eth0; ip addr add 10.1.1.1/8 dev eth0")
    with host.inside():
        by_kernel = {address for one in network._from_kernel() for address in one.addresses}
        by_system = {address for one in network._from_system([]) for address in one.addresses}

    assert by_kernel == by_system == {ip_address(text) for text in ("192.168.1.5", "fd12::5", "10.1.1.1")}
