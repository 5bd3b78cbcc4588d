"""The authoritative name server: UDP and TCP on the same port, inside the event loop of another program.

It answers from the generation published last, from memory alone, so it goes on answering whatever happens to the
database beside it (F-50). One query is one call of a pure function; nothing a packet contains can stop the server
(F-48). It logs no queries; it counts them.

UDP is read from the socket itself, in batches, rather than through an asyncio datagram transport: under load that
costs 7 us a query on asyncio's loop and on uvloop alike, where the transport costs 10 us and 7.6 us (bench/dns.py).
"""

import asyncio
import errno
import logging
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from lancert.dns.answer import rcode_of
from lancert.dns.general import answer_generally, bare_answer
from lancert.dns.strict import answer_strictly
from lancert.dns.tcp import IDLE_SECONDS, MOST_CLIENTS, TcpClients
from lancert.dns.wire import HEADER_SIZE, Transport
from lancert.dns.zone import ZoneFacts

_log = logging.getLogger(__name__)

_BATCH: Final = 64  # UDP queries answered before the loop looks at anything else: about half a millisecond
_LARGEST_READ: Final = 2048  # more than any query that is read at all
_RECEIVE_BUFFER: Final = 1 << 20
_BACKLOG: Final = 128
_TRIES_FOR_A_PORT: Final = 32
_SECONDS_BETWEEN_FAULTS: Final = 60.0
_RCODES: Final = 17
_SERVFAIL: Final = 2


@dataclass(slots=True)
class Stats:
    """What the server counted since it started."""

    queries: int = 0
    over_tcp: int = 0
    fallbacks: int = 0
    """Queries the strict path left to the general path."""
    unanswered: int = 0
    """Packets that must not be answered, and answers the network did not take."""
    faults: int = 0
    """Unexpected exceptions, each answered with SERVFAIL."""
    by_rcode: list[int] = field(default_factory=lambda: [0] * _RCODES)
    """Answers by rcode: 0 NOERROR, 1 FORMERR, 2 SERVFAIL, 3 NXDOMAIN, 4 NOTIMP, 5 REFUSED, 16 BADVERS."""


class NameServer:
    """Answers for one zone over UDP and TCP; ``publish`` replaces what it answers from."""

    def __init__(
        self, facts: ZoneFacts, *, idle_seconds: float = IDLE_SECONDS, most_clients: int = MOST_CLIENTS
    ) -> None:
        """Be ready to answer from these facts; nothing is opened yet. The limits are those of TCP clients."""
        self.stats = Stats()
        self._facts = facts
        self._idle_seconds = idle_seconds
        self._most_clients = most_clients
        self._port: int | None = None
        self._udp: list[socket.socket] = []
        self._tcp: list[asyncio.Server] = []
        self._clients: TcpClients | None = None
        self._fault_logged_at: float | None = None

    @property
    def facts(self) -> ZoneFacts:
        """The generation that is answered now."""
        return self._facts

    @property
    def port(self) -> int:
        """The port of UDP and TCP on every address; an error before ``start``."""
        if self._port is None:
            raise RuntimeError("the name server has not been started")
        return self._port

    def publish(self, facts: ZoneFacts) -> None:
        """Answer from these facts from the next query on: each answer comes from one generation entirely."""
        if facts.zone != self._facts.zone:
            raise ValueError(f"this name server answers for {self._facts.zone}, not for {facts.zone}")
        self._facts = facts

    async def start(self, host: str | Sequence[str], port: int) -> None:
        """Listen on one address or several, of either IP version; port 0 finds one that is free everywhere.

        Name the addresses of a machine that has several: an answer from a wildcard address leaves with the
        sender's address the kernel prefers, which need not be the one that was asked. Raises OSError.
        """
        if self._clients is not None:
            raise RuntimeError("the name server is running already")
        hosts = (host,) if isinstance(host, str) else tuple(host)
        self._port, pairs = _bind(hosts, port)
        loop = asyncio.get_running_loop()
        self._clients = TcpClients(
            self._respond_over_tcp, idle_seconds=self._idle_seconds, most_clients=self._most_clients
        )
        for udp, tcp in pairs:
            self._udp.append(udp)
            loop.add_reader(udp.fileno(), self._answer_batch, udp)
            self._tcp.append(await loop.create_server(self._clients.new_client, sock=tcp, backlog=_BACKLOG))

    async def stop(self) -> None:
        """Stop answering and close everything; a server that is not running stays as it is."""
        loop = asyncio.get_running_loop()
        for udp in self._udp:
            loop.remove_reader(udp.fileno())
            udp.close()
        for server in self._tcp:
            server.close()
        if self._clients is not None:
            self._clients.close()
        for server in self._tcp:
            await server.wait_closed()
        self._udp, self._tcp, self._clients = [], [], None

    def _answer_batch(self, udp: socket.socket) -> None:
        for _ in range(_BATCH):
            try:
                query, client = udp.recvfrom(_LARGEST_READ)
            except OSError:  # nothing is left, or the network reports an earlier answer undeliverable
                return
            response = self._respond(query, Transport.UDP)
            if response is None:
                continue
            try:
                udp.sendto(response, client)
            except OSError:  # the network is full or the address impossible: the client asks again
                self.stats.unanswered += 1

    def _respond_over_tcp(self, query: bytes) -> bytes | None:
        self.stats.over_tcp += 1
        return self._respond(query, Transport.TCP)

    def _respond(self, query: bytes, transport: Transport) -> bytes | None:
        """Answer and count; the same as ``answer`` (answer.py), with a way out of every failure."""
        stats, facts = self.stats, self._facts
        stats.queries += 1
        try:
            response = answer_strictly(query, facts, transport=transport)
            if response is None:
                stats.fallbacks += 1
                response = answer_generally(query, facts, transport=transport)
        except Exception:
            response = self._fail(query)
        if response is None:
            stats.unanswered += 1
        else:
            stats.by_rcode[rcode_of(response)] += 1
        return response

    def _fail(self, query: bytes) -> bytes | None:
        """Say SERVFAIL; the log hears of it once a minute, so that nobody can fill a disk with packets."""
        self.stats.faults += 1
        now = asyncio.get_running_loop().time()
        if self._fault_logged_at is None or now - self._fault_logged_at >= _SECONDS_BETWEEN_FAULTS:
            self._fault_logged_at = now
            _log.exception("a DNS query could not be answered", extra={"faults": self.stats.faults})
        return bare_answer(query, _SERVFAIL) if len(query) >= HEADER_SIZE else None


def _bind(hosts: Sequence[str], port: int) -> tuple[int, list[tuple[socket.socket, socket.socket]]]:
    """Bind UDP and TCP of every address to one port; when it is ours to choose, try until one fits all."""
    for _ in range(_TRIES_FOR_A_PORT):
        opened: list[socket.socket] = []
        chosen = port
        try:
            for host in hosts:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    opened.append(_bound(host, chosen, kind))
                    chosen = opened[0].getsockname()[1]
        except OSError as problem:
            for one in opened:
                one.close()
            if port == 0 and problem.errno == errno.EADDRINUSE:
                continue
            raise
        return chosen, list(zip(opened[::2], opened[1::2], strict=True))
    raise OSError(errno.EADDRINUSE, "no port is free for both UDP and TCP on every address")


def _bound(host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(host, port, type=kind, flags=socket.AI_NUMERICHOST)[0]
    one = socket.socket(family, kind)
    try:
        one.setblocking(False)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind == socket.SOCK_STREAM:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        one.bind(address)
        if kind == socket.SOCK_STREAM:
            one.listen(_BACKLOG)  # now, since two programs may hold one TCP port until both listen
    except BaseException:
        one.close()
        raise
    return one
