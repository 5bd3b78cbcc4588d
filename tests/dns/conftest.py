"""A small zone with one box, a way to ask it, and a server for it in a thread of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from ipaddress import ip_address
from typing import Any

import dns.flags
import dns.message
import pytest
import uvloop

from lancert.dns.answer import answer
from lancert.dns.server import NameServer
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import DEMO_ZONE, Label, ranges_for_zone

Ask = Callable[..., dns.message.Message]
Serve = Callable[..., NameServer]

LABEL = Label("k3v7q2m4x5a6b7c2")
SILENT = Label("aaaaaaaaaaaaaaaa")


@pytest.fixture(scope="session")
def facts() -> ZoneFacts:
    """A zone with a box at three addresses (one public), a box that reported none yet, and two hosts."""
    return ZoneFacts(
        zone=DEMO_ZONE,
        ranges=ranges_for_zone(DEMO_ZONE),
        serial=42,
        name_servers=("ns1.lancert.localhost", "ns.elsewhere.example"),
        boxes={
            LABEL: (ip_address("192.168.1.5"), ip_address("8.8.8.8"), ip_address("fd12:3456::1")),
            SILENT: (),
        },
        hosts={
            "ns1": (ip_address("127.0.0.1"), ip_address("::1")),
            "service": (ip_address("203.0.113.7"),),
            "status.site": (ip_address("203.0.113.8"),),
        },
    )


@pytest.fixture(scope="session")
def ask(facts: ZoneFacts) -> Ask:
    """Ask for a name relative to the zone and read the answer; without EDNS unless told."""

    def ask(
        name: str,
        rdtype: str = "A",
        *,
        rdclass: str = "IN",
        edns: int | None = None,
        payload: int = 1232,
        zone: str = f"{DEMO_ZONE}.",
        about: ZoneFacts = facts,
        transport: Transport = Transport.UDP,
    ) -> dns.message.Message:
        absolute = f"{name}.{zone}" if name else zone
        query = dns.message.make_query(absolute, rdtype, rdclass, use_edns=edns, payload=payload)
        response = answer(query.to_wire(), about, transport=transport)
        assert response is not None
        read = dns.message.from_wire(response)
        assert query.is_response(read)
        return read

    return ask


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def serve(request: pytest.FixtureRequest) -> Iterator[Serve]:
    """Start name servers that run until the test ends, each in its own thread, on asyncio's loop and on uvloop."""
    with ExitStack() as running:

        def start(
            facts: ZoneFacts, hosts: tuple[str, ...] = ("127.0.0.1",), port: int = 0, **limits: Any
        ) -> NameServer:
            return running.enter_context(_served(facts, hosts, port, request.param, limits))

        yield start


@contextmanager
def _served(
    facts: ZoneFacts,
    hosts: tuple[str, ...],
    port: int,
    new_loop: Callable[[], asyncio.AbstractEventLoop],
    limits: dict[str, Any],
) -> Iterator[NameServer]:
    started: Future[tuple[NameServer, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        server, enough = NameServer(facts, **limits), asyncio.Event()
        try:
            await server.start(hosts, port)
        except Exception as problem:
            started.set_exception(problem)
            return
        started.set_result((server, asyncio.get_running_loop(), enough))
        await enough.wait()
        await server.stop()

    def run() -> None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(live())

    thread = threading.Thread(target=run)
    thread.start()
    try:
        server, loop, enough = started.result(timeout=20)
        yield server
        loop.call_soon_threadsafe(enough.set)
    finally:
        thread.join(timeout=20)
    assert not thread.is_alive()
