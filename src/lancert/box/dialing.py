"""The second hop: one TCP connection to the first address that takes it, and who prevented it when none does.

On Linux the system also keeps the ICMP message that ended a try, with who sent it (ip(7), IP_RECVERR): a host that has
nobody on the port answers with a TCP reset, a firewall that rejects mostly by ICMP, and gives its own address away.
"""

import asyncio
import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from lancert.box.hops import Hop, Unreachable
from lancert.kit.platform import system

# The smallest link that IPv6 allows (RFC 8200, 5) less the headers. The little that a box sends and receives goes in
# small segments, so that it also passes where large ones vanish and the ICMP that would tell is blocked (RFC 2923).
_SEGMENT = 1220
_ERROR = struct.Struct("=IBBBBII")  # struct sock_extended_err, before the address of who sent it
_FROM_ICMP = {2, 3}  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
# "Unreachable" by its code: RFC 792, RFC 1122 (3.2.2.1), RFC 1812 (5.2.7.1); RFC 4443 (3.1). A port that nobody listens
# on is told by a TCP reset (RFC 9293, 3.5.1), so whoever says it by ICMP is a firewall.
_FORBIDDEN = {2: {(3, 3), (3, 9), (3, 10), (3, 13)}, 3: {(1, 1), (1, 4), (1, 5), (1, 6)}}
# What says most about the way, first.
_WORST = ("forbidden", "timeout", "refused", "broken-off", "no-route")
_STAGGER = 2.0  # seconds until the next try joins those that wait
_ROUNDS = 3  # how often each address is tried
_NO_WAY = {errno.ENETUNREACH, errno.EADDRNOTAVAIL}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Icmp:
    """An ICMP message that ended a try to connect."""

    origin: int
    kind: int
    code: int
    sender: str

    @property
    def is_from_a_firewall(self) -> bool:
        return (self.kind, self.code) in _FORBIDDEN.get(self.origin, ())


class _NotConnected(Exception):
    """One try failed: the system's error, and the ICMP message behind it where the system keeps that."""

    def __init__(self, error: OSError, icmp: _Icmp | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.icmp = icmp


async def dial(addresses: Sequence[str], port: int, seconds: float) -> socket.socket:
    """Connect to one of the addresses within ``seconds``. Raises Unreachable.

    They are tried in their order, each joining the ones before it after a while and then once more, so that neither a
    dead address nor a lost packet costs all of the time (after RFC 8305).
    """
    race = _Race(addresses, port)
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await race.winner()
        raise race.failure()
    finally:
        race.end()


class _Race:
    """Tries to connect that run beside each other, and what became of them."""

    def __init__(self, addresses: Sequence[str], port: int) -> None:
        self._addresses = addresses
        self._port = port
        self._to_start = list(addresses) * _ROUNDS
        self._running: dict[asyncio.Task[socket.socket], str] = {}
        self._failed: dict[str, Unreachable] = {}
        self._no_way: set[int] = set()

    async def winner(self) -> socket.socket:
        """Give the first connection that stands. Raises Unreachable when none can come any more."""
        while True:
            self._start_next()
            if not self._running:
                raise self.failure()
            done, _ = await asyncio.wait(self._running, timeout=_STAGGER, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                address = self._running.pop(task)
                try:
                    return task.result()
                except _NotConnected as failed:
                    self._failed[address] = _because(_named(failed.error, address, failed.icmp), failed.error)
                    # Nobody said so but this machine itself.
                    if failed.error.errno in _NO_WAY and failed.icmp is None:
                        self._no_way.add(ip_address(address).version)

    def failure(self) -> Unreachable:
        """Give what says most about why nothing came of it."""
        silent = [address for address in self._addresses if address not in self._failed]
        timeouts = [Unreachable("timeout", Hop.CONNECT, f"{address} did not answer") for address in silent]
        worst = min([*timeouts, *self._failed.values()], key=lambda one: _WORST.index(one.cause))
        if worst.cause == "no-route" and (missing := _missing_version(self._addresses, self._no_way)) is not None:
            worst.cause, worst.facts = "other-ip-version", {"needed": str(missing), "here": str(10 - missing)}
        return worst

    def end(self) -> None:
        """Give up what still runs."""
        for task in self._running:
            # One that came too late is closed here, one that has not come closes itself when it is cancelled.
            if not task.cancel() and task.exception() is None:
                task.result().close()

    def _start_next(self) -> None:
        while self._to_start:
            address = self._to_start.pop(0)
            if address not in self._failed:
                self._running[asyncio.ensure_future(_connect(address, self._port))] = address
                return


async def _connect(address: str, port: int) -> socket.socket:
    """Try one address for as long as the system does. Raises _NotConnected."""
    door = _door(address)
    try:
        await asyncio.get_running_loop().sock_connect(door, (address, port))
    except OSError as error:
        icmp = _icmp(door)
        door.close()
        raise _NotConnected(error, icmp) from error
    except BaseException:
        door.close()
        raise
    return door


def _door(address: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    door = socket.socket(family, socket.SOCK_STREAM)
    door.setblocking(False)
    system.keep_network_errors(door)
    system.send_small_segments(door, _SEGMENT)
    system.repeat_steadily(door)
    return door


def _named(error: OSError, address: str, icmp: _Icmp | None) -> Unreachable:
    if icmp is not None and icmp.is_from_a_firewall:
        detail = f"{address}: {icmp.sender} forbids it by ICMP {icmp.kind}, {icmp.code}"
        return Unreachable("forbidden", Hop.CONNECT, detail, {"firewall": icmp.sender})
    if isinstance(error, PermissionError):
        # Nobody sent anything: it is a rule on this machine itself.
        return Unreachable("forbidden", Hop.CONNECT, str(error), {"firewall": "127.0.0.1"})
    if isinstance(error, ConnectionRefusedError):
        return Unreachable("refused", Hop.CONNECT, str(error))
    if isinstance(error, ConnectionError):
        # Taken and cut at once: somebody is there, so it is no question of the way.
        return Unreachable("broken-off", Hop.CONNECT, str(error))
    return Unreachable("no-route", Hop.CONNECT, str(error))


def _icmp(door: socket.socket) -> _Icmp | None:
    """Give the ICMP message that ended a try, where the system keeps it."""
    for content in system.kept_network_errors(door):
        if len(content) >= _ERROR.size:
            _number, origin, kind, code, _pad, _about, _more = _ERROR.unpack_from(content)
            if origin in _FROM_ICMP:
                return _Icmp(origin=origin, kind=kind, code=code, sender=_sender(content[_ERROR.size :]))
    return None


def _sender(raw: bytes) -> str:
    """Read who sent the message from its socket address (ip(7), ipv6(7))."""
    with contextlib.suppress(ValueError):
        return str(ip_address(raw[4:8] if int.from_bytes(raw[:2], sys.byteorder) == socket.AF_INET else raw[8:24]))
    return "?"


def _missing_version(addresses: Sequence[str], no_way: set[int]) -> int | None:
    """Give the version of IP that the host needs and this network lacks, while it has the other one."""
    versions = {ip_address(address).version for address in addresses}
    if len(versions) != 1 or versions != no_way:
        return None
    (needed,) = versions
    family, target = (socket.AF_INET6, "2001:db8::1") if needed == 4 else (socket.AF_INET, "192.0.2.1")
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
    except OSError:
        return None
    return needed


def _because(failed: Unreachable, error: BaseException) -> Unreachable:
    failed.__cause__ = error
    return failed
