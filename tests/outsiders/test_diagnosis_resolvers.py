"""Whom this machine asks for names, read from where the system keeps it."""

import asyncio
import socket
import sys
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.box.given import LABEL
from tests.outsiders.test_diagnosis_question import answer_to
from tests.peers.name_server import NameServerPeer

from lancert.box.diagnosis.resolution import Resolution, Said, judge
from lancert.box.diagnosis.resolvers import Resolvers, look_up, name_servers, router_in
from lancert.box.diagnosis.witnesses import Name, hear
from lancert.protocol.names import Zone

NAME = Name(address=ip_address("192.168.1.5"), label=LABEL, zone=Zone("iot.example.com"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("nameserver 192.168.1.1\nnameserver fd12::1\n", ("192.168.1.1", "fd12::1")),
        ("# nameserver 9.9.9.9\nsearch lan\nnameserver\t192.168.1.1  # router\n", ("192.168.1.1",)),
        ("nameserver 192.168.1.1\nnameserver 192.168.1.1\n", ("192.168.1.1",)),
        ("nameserver fe80::1%eth0\n", ("fe80::1%eth0",)),
        ("nameserver router\nnameserver\nname server 1.2.3.4\n", ()),
        ("", ()),
    ],
)
def test_name_servers_are_read(tmp_path: Path, text: str, expected: tuple[str, ...]) -> None:
    """resolv.conf(5), as people and programs write it."""
    (tmp_path / "resolv.conf").write_text(text)

    assert name_servers(tmp_path / "resolv.conf") == expected
    assert name_servers(tmp_path / "absent") == ()


def test_behind_the_stub_of_the_system_its_own_servers_are_asked(tmp_path: Path) -> None:
    """systemd-resolved stands in between: whom it asks itself is told elsewhere."""
    (tmp_path / "stub").write_text("nameserver 127.0.0.53\n")
    (tmp_path / "behind").write_text("nameserver 192.168.1.1\n")

    assert name_servers(tmp_path / "stub", tmp_path / "behind") == ("192.168.1.1",)
    assert name_servers(tmp_path / "stub", tmp_path / "absent") == ("127.0.0.53",)


def test_the_router_is_that_of_the_default_route(tmp_path: Path) -> None:
    """proc(5): the kernel writes addresses in hexadecimal; without a default route there is none."""
    head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n"
    gateway = f"{int.from_bytes(socket.inet_aton('192.168.1.1'), sys.byteorder):08X}"
    (tmp_path / "route").write_text(f"{head}eth0\t0001A8C0\t00000000\t0001\neth0\t00000000\t{gateway}\t0003\n")
    (tmp_path / "none").write_text(f"{head}eth0\t0001A8C0\t00000000\t0001\n")

    assert router_in(tmp_path / "route") == "192.168.1.1"
    assert router_in(tmp_path / "none") is None
    assert router_in(tmp_path / "absent") is None


def test_the_system_is_asked() -> None:
    """What every machine knows, and what none does."""
    assert "127.0.0.1" in asyncio.run(look_up("localhost"))
    with pytest.raises(OSError):
        asyncio.run(look_up(f"{'a' * 64}.example"))


def test_a_resolver_that_loses_one_answer_is_no_filter() -> None:
    """The system's resolver is asked again before anything is said."""
    asked: list[str] = []

    async def forgets(name: str) -> set[str]:
        asked.append(name)
        if asked == [str(NAME)]:
            raise socket.gaierror(socket.EAI_AGAIN, "lost")
        return {"192.168.1.5"} if name == str(NAME) else {"192.0.0.170"}

    said = asyncio.run(hear(NAME, Resolvers(look_up=forgets, public=()), 1))

    assert judge(said.here, said.zone, said.public) is Resolution.FINE


def test_the_sibling_is_another_name_in_the_same_network() -> None:
    """A filter may hide the own network alone; the name that nobody asked for has to lie in it."""
    for chance in (0, 5, 5 + 256, 2**63):
        sibling = NAME.sibling(chance)
        assert str(sibling).startswith("192-168-1-")
        assert sibling.address != NAME.address


def test_a_filter_is_seen_by_asking_its_server() -> None:
    """The server that is named in resolv.conf answers for the canary, and not for the name of the box."""

    def filters(question: bytes) -> list[bytes]:
        is_canary = b"canary" in question.lower()
        return [answer_to(question, records=("A 192.0.0.170",) if is_canary else ())]

    async def finds_nothing(name: str) -> set[str]:
        if name.startswith("canary"):
            return {"192.0.0.170"}
        raise socket.gaierror(socket.EAI_NONAME, "nothing")

    with NameServerPeer(filters) as peer:
        resolvers = Resolvers(look_up=finds_nothing, servers=("127.0.0.1",), public=(), port=peer.port)
        said = asyncio.run(hear(NAME, resolvers, 1))

    assert (said.here.own, said.here.canary) == (Said.EMPTY, Said.RIGHT)
    assert said.hiding == ("127.0.0.1",)
    assert judge(said.here, said.zone, said.public) is Resolution.FILTERED
