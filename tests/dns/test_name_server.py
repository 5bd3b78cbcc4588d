"""The running name server: sockets, streams, clients that misbehave, and one generation after another."""

import dataclasses
import socket
import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from lancert.dns.server import NameServer
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import Address, Label, Zone

Serve = Callable[..., NameServer]

LABEL = Label("k3v7q2m4x5a6b7c2")
NAME = f"192-168-1-5.{LABEL}.lancert.localhost"
HOST = "127.0.0.1"
PATIENCE = 20.0


def question(name: str = NAME, number: int = 1) -> bytes:
    return dns.message.make_query(name, "A", id=number).to_wire()


def framed(packet: bytes) -> bytes:
    return struct.pack(">H", len(packet)) + packet


def connect(server: NameServer) -> socket.socket:
    return socket.create_connection((HOST, server.port), timeout=PATIENCE)


def read_exactly(stream: socket.socket, count: int) -> bytes:
    got = b""
    while len(got) < count:
        part = stream.recv(count - len(got))
        assert part, "the server closed the connection"
        got += part
    return got


def read_answer(stream: socket.socket) -> dns.message.Message:
    (length,) = struct.unpack(">H", read_exactly(stream, 2))
    return dns.message.from_wire(read_exactly(stream, length))


def is_closed(stream: socket.socket) -> bool:
    """Wait until the server closes, within the patience of the socket."""
    try:
        return stream.recv(1) == b""
    except ConnectionResetError:
        return True


def udp(server: NameServer, name: str = NAME, host: str = HOST) -> dns.message.Message:
    return dns.query.udp(dns.message.make_query(name, "A"), host, port=server.port, timeout=PATIENCE)


def test_udp_and_tcp_answer_on_one_port_of_every_address(serve: Serve, facts: ZoneFacts) -> None:
    """A server on IPv4 and IPv6 chooses one port that is free everywhere, and answers alike."""
    server = serve(facts, ("127.0.0.1", "::1"))

    for host in ("127.0.0.1", "::1"):
        query = dns.message.make_query(NAME, "A")
        over_udp = dns.query.udp(query, host, port=server.port, timeout=PATIENCE)
        over_tcp = dns.query.tcp(query, host, port=server.port, timeout=PATIENCE)
        assert over_udp == over_tcp
        assert over_udp.answer[0][0].to_text() == "192.168.1.5"


def test_a_published_generation_is_answered_at_once(serve: Serve, facts: ZoneFacts) -> None:
    """A box that moved is found at its new address, a withdrawn one not at all (F-42, F-45)."""
    server = serve(facts)
    stable = f"{LABEL}.lancert.localhost"
    before = udp(server, stable)
    server.publish(dataclasses.replace(facts, serial=43, boxes={LABEL: (ip_address("10.9.8.7"),)}))
    moved = udp(server, stable)
    server.publish(dataclasses.replace(facts, serial=44, boxes={}))
    withdrawn = udp(server, stable)

    assert [message.answer[0][0].to_text() for message in (before, moved)] == ["192.168.1.5", "10.9.8.7"]
    assert withdrawn.rcode() == dns.rcode.NXDOMAIN
    assert withdrawn.authority[0][0].serial == 44
    assert server.facts.serial == 44


def test_each_answer_comes_from_one_generation(serve: Serve, facts: ZoneFacts) -> None:
    """However fast generations follow each other, answers only ever go forward."""
    server, seen = serve(facts), []
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, server.port))
        for serial in range(100, 400):
            server.publish(dataclasses.replace(facts, serial=serial, boxes={}))
            client.send(question())
            seen.append(dns.message.from_wire(client.recv(2048)).authority[0][0].serial)

    assert seen == list(range(100, 400))


def test_a_generation_of_another_zone_is_refused(serve: Serve, facts: ZoneFacts) -> None:
    """A name server does not become that of another zone, and goes on with what it has."""
    server = serve(facts)
    other = dataclasses.replace(facts, zone=Zone("other.example"), name_servers=("ns.elsewhere.example",))

    with pytest.raises(ValueError, match="answers for"):
        server.publish(other)
    assert udp(server).rcode() == dns.rcode.NOERROR


def test_pipelined_questions_are_all_answered(serve: Serve, facts: ZoneFacts) -> None:
    """Thousands of questions in one go get their answers, and so does a later one (RFC 7766, 6.2.1.1)."""
    server = serve(facts)
    with connect(server) as stream:
        stream.sendall(b"".join(framed(question(number=number)) for number in range(2500)))
        answers = [read_answer(stream) for _ in range(2500)]
        stream.sendall(framed(question(number=2500)))
        answers.append(read_answer(stream))

    assert [message.id for message in answers] == list(range(2501))
    assert server.stats.over_tcp == 2501


def test_a_question_may_arrive_byte_by_byte(serve: Serve, facts: ZoneFacts) -> None:
    """TCP keeps no boundaries; two questions cut anywhere are still two questions."""
    server = serve(facts)
    packets = framed(question(number=7)) + framed(question("www.lancert.localhost", number=8))
    with connect(server) as stream:
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(len(packets)):
            stream.sendall(packets[at : at + 1])
        answers = [read_answer(stream), read_answer(stream)]

    assert [(message.id, message.rcode()) for message in answers] == [(7, 0), (8, 3)]


def test_a_client_that_ends_its_side_still_gets_its_answers(serve: Serve, facts: ZoneFacts) -> None:
    """Half-closed connections are answered, then closed."""
    with connect(serve(facts, idle_seconds=10 * PATIENCE)) as stream:
        stream.sendall(framed(question(number=1)) * 20)
        stream.shutdown(socket.SHUT_WR)
        answers = [read_answer(stream).rcode() for _ in range(20)]

        assert answers == [0] * 20
        assert is_closed(stream)


@pytest.mark.parametrize("packet", [b"", b"\0" * 5, question()[:2] + b"\x80" + question()[3:]])
def test_a_client_that_speaks_no_dns_is_dropped(serve: Serve, facts: ZoneFacts, packet: bytes) -> None:
    """Scraps and responses end the conversation."""
    with connect(serve(facts, idle_seconds=10 * PATIENCE)) as stream:
        stream.sendall(framed(packet))

        assert is_closed(stream)


def test_an_idle_client_is_dropped(serve: Serve, facts: ZoneFacts) -> None:
    """A connection on which nothing is asked is closed after a while; one that asks stays (F-51)."""
    server = serve(facts, idle_seconds=0.3)
    with connect(server) as idle, connect(server) as busy:
        busy.sendall(framed(question()))
        assert read_answer(busy).rcode() == dns.rcode.NOERROR
        assert is_closed(idle)


def test_a_client_that_writes_drop_by_drop_is_dropped(serve: Serve, facts: ZoneFacts) -> None:
    """Bytes that never become a question do not keep a connection."""
    server = serve(facts, idle_seconds=0.3)
    with connect(server) as stream:
        stream.settimeout(0.02)
        dripped = 0
        for _ in range(1000):
            try:
                stream.send(b"\x7f")
                dripped += 1
                assert stream.recv(1) == b""
                break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break

    assert 1 < dripped < 1000


def test_a_client_that_does_not_read_is_dropped_and_harms_nobody(serve: Serve, facts: ZoneFacts) -> None:
    """Its questions are left in the network, so that it costs no memory; the others are answered meanwhile (F-51)."""
    server = serve(facts, idle_seconds=1.0)
    flood = framed(question()) * 200
    with socket.socket() as greedy:
        greedy.settimeout(PATIENCE)
        for buffer in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            greedy.setsockopt(socket.SOL_SOCKET, buffer, 65536)
        greedy.connect((HOST, server.port))
        sent, most = 0, 24_000_000  # far more than all the buffers of the kernel on the way
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while sent < most:
                greedy.sendall(flood)
                sent += len(flood)
                if sent // len(flood) % 20 == 0:
                    assert udp(server).rcode() == dns.rcode.NOERROR
    with connect(server) as other:
        other.sendall(framed(question(number=5)))
        assert read_answer(other).id == 5


def test_the_longest_quiet_client_makes_room(serve: Serve, facts: ZoneFacts) -> None:
    """When the table is full a newcomer is let in, and whoever asked something lately stays."""
    server = serve(facts, most_clients=3)
    with ExitStack() as open_streams:
        first, second, third = (open_streams.enter_context(connect(server)) for _ in range(3))
        for stream in (first, second, third, first):
            stream.sendall(framed(question()))
            assert read_answer(stream).rcode() == dns.rcode.NOERROR
        newcomer = open_streams.enter_context(connect(server))
        newcomer.sendall(framed(question()))

        assert read_answer(newcomer).rcode() == dns.rcode.NOERROR
        assert is_closed(second)
        first.sendall(framed(question()))
        assert read_answer(first).rcode() == dns.rcode.NOERROR


def test_hundreds_of_idle_clients_do_not_keep_anybody_out(serve: Serve, facts: ZoneFacts) -> None:
    """Idle connections beyond the table cost the idle, not the others; UDP does not notice (F-51)."""
    server = serve(facts)
    with ExitStack() as open_streams:
        for number in range(400):
            open_streams.enter_context(connect(server))
            if number % 50 == 0:
                assert udp(server).rcode() == dns.rcode.NOERROR
        last = open_streams.enter_context(connect(server))
        last.sendall(framed(question(number=9)))

        assert read_answer(last).id == 9


class FailingBoxes(Mapping[Label, tuple[Address, ...]]):
    """Facts that cannot be read: whatever is asked of them fails."""

    def __getitem__(self, label: Label) -> tuple[Address, ...]:
        raise RuntimeError(f"{label} cannot be read")

    def __iter__(self) -> Iterator[Label]:
        raise RuntimeError("no label can be read")

    def __len__(self) -> int:
        raise RuntimeError("the labels cannot be counted")


def test_an_unexpected_failure_is_said_and_survived(
    serve: Serve, facts: ZoneFacts, caplog: pytest.LogCaptureFixture
) -> None:
    """SERVFAIL to the client, one line in the log however often it happens, and the server goes on (F-48)."""
    server = serve(dataclasses.replace(facts, boxes=FailingBoxes()))
    failed = [udp(server).rcode() for _ in range(5)]
    failed.append(dns.query.tcp(dns.message.make_query(NAME, "A"), HOST, port=server.port, timeout=PATIENCE).rcode())
    server.publish(facts)

    assert failed == [dns.rcode.SERVFAIL] * 6
    assert udp(server).rcode() == dns.rcode.NOERROR
    assert server.stats.faults == 6
    assert len(caplog.records) == 1
    assert caplog.records[0].exc_info


def test_nothing_is_sent_for_responses_and_scraps(serve: Serve, facts: ZoneFacts) -> None:
    """The next thing a client hears is the answer to its next question."""
    server = serve(facts)
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.settimeout(PATIENCE)
        client.connect((HOST, server.port))
        for packet in (b"", b"\0" * 11, question()[:2] + b"\x84" + question()[3:], question(number=77)):
            client.send(packet)

        assert dns.message.from_wire(client.recv(2048)).id == 77
    assert server.stats.unanswered == 3


def test_the_server_counts_what_it_does(serve: Serve, facts: ZoneFacts) -> None:
    """Plain numbers for the metrics: queries, answers by rcode, and how many took the long way."""
    server = serve(facts)
    names = (NAME, f"bbbbbbbbbbbbbbbb.{facts.zone}", f"www.{facts.zone}", "www.example.com")
    for name in names:
        udp(server, name)
    future = dns.message.make_query(NAME, "A", use_edns=1)
    dns.query.udp(future, HOST, port=server.port, timeout=PATIENCE)

    counted = {rcode: count for rcode, count in enumerate(server.stats.by_rcode) if count}
    assert counted == {0: 1, 3: 2, 5: 1, 16: 1}
    assert (server.stats.queries, server.stats.fallbacks, server.stats.over_tcp) == (5, 3, 0)


def test_a_port_in_use_is_an_error(serve: Serve, facts: ZoneFacts) -> None:
    """Two servers cannot share an address; the first goes on."""
    server = serve(facts)

    with pytest.raises(OSError, match="in use"):
        serve(facts, port=server.port)
    assert udp(server).rcode() == dns.rcode.NOERROR


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio", ("asyncio", {"use_uvloop": True})])
async def test_a_server_stops_and_starts_again(facts: ZoneFacts, anyio_backend: Any) -> None:
    """Its port is free after it stopped, and stopping twice changes nothing."""
    server = NameServer(facts)
    with pytest.raises(RuntimeError):
        assert server.port
    await server.start(HOST, 0)
    port = server.port
    with pytest.raises(RuntimeError):
        await server.start(HOST, 0)
    await server.stop()
    await server.stop()
    await server.start([HOST], port)

    assert server.port == port
    await server.stop()
