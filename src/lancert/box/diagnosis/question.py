"""One DNS question to one name server, for the diagnosis alone: what the system's resolver does not tell.

A question goes out over UDP from a port of its own, with a random id and random capitals in its name, and over TCP
when the answer was cut. Only an answer to exactly this question counts; what else arrives is ignored, so that nobody
beside the way can answer for the server (RFC 5452). It reads addresses, names of name servers and texts, follows no
alias and remembers nothing: whoever needs a resolver uses the system's. RFC 1035.
"""

import asyncio
import contextlib
import secrets
import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

from lancert.protocol.names import Address

PORT = 53
_TRY = 1.5  # seconds
_TRIES = 3
_HEADER = struct.Struct(">6H")
_RECORD = struct.Struct(">HHIH")
_MOST_RECORDS = 64
_MOST_JUMPS = 32
_RESPONSE, _OPCODE, _AUTHORITATIVE, _TRUNCATED = 0x8000, 0x7800, 0x0400, 0x0200
_RECURSE, _RECURSES, _RCODE = 0x0100, 0x0080, 0x000F

NO_ERROR, NO_NAME = 0, 3


class Kind(IntEnum):
    """The types of records that are asked for."""

    A = 1
    NS = 2
    TXT = 16
    AAAA = 28


class Class(IntEnum):
    """The classes of records: the Internet, and the one in which a server tells about itself."""

    IN = 1
    CHAOS = 3


class NoAnswer(Exception):
    """A name server did not answer, within the time for all tries."""


class NotAnAnswer(ValueError):
    """Bytes are no answer to the question that was asked."""


class CapitalsLost(NotAnAnswer):
    """The answer is to this question, written in other letters: it is asked again without capitals."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a name server said: the rcode, and the records of the type asked for.

    ``is_authoritative`` says that the zone's own server spoke. A router that takes questions to other servers for
    itself gives away that it looks names up for others, which the server of a zone does not.
    """

    rcode: int
    is_authoritative: bool
    addresses: frozenset[Address] = frozenset()
    names: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()


async def ask(
    name: str,
    kind: Kind,
    server: str,
    *,
    port: int = PORT,
    of: Class = Class.IN,
    recurse: bool = True,
    seconds: float = _TRY,
    tries: int = _TRIES,
) -> Answer:
    """Ask one name server, at most ``seconds`` for each try. Raises NoAnswer."""
    for number in range(tries):
        # Some routers write the name back in other letters, and dnsmasq does where somebody else asks at the same time:
        # the later tries do without capitals.
        question = Question(name, kind, of, recurse=recurse, has_capitals=number == 0)
        with contextlib.suppress(OSError, TimeoutError, NotAnAnswer, asyncio.IncompleteReadError):
            async with asyncio.timeout(seconds):
                answer = await _over_udp(question, server, port)
                return answer if answer is not None else await _over_tcp(question, server, port)
    raise NoAnswer(server)


class Question:
    """One question as it is sent, and the reading of what comes back."""

    def __init__(self, name: str, kind: Kind, of: Class, *, recurse: bool = True, has_capitals: bool = True) -> None:
        self._id = secrets.randbits(16)
        self._kind = kind
        self._class = of
        self._asked = _name(name, has_capitals) + struct.pack(">HH", kind, of)
        self.wire = _HEADER.pack(self._id, _RECURSE if recurse else 0, 1, 0, 0, 0) + self._asked

    def read(self, packet: bytes) -> Answer | None:
        """Read an answer to this question; None when it was cut and has to be asked for over TCP.

        Raises NotAnAnswer for anything but an answer to exactly this question.
        """
        if len(packet) < _HEADER.size:
            raise NotAnAnswer("less than a header")
        number, flags, questions, answers, _authority, _additional = _HEADER.unpack_from(packet)
        if number != self._id or not flags & _RESPONSE or flags & _OPCODE:
            raise NotAnAnswer("an answer to something else")
        rcode, is_authoritative = flags & _RCODE, flags & (_AUTHORITATIVE | _RECURSES) == _AUTHORITATIVE
        if questions == 0 and rcode not in (NO_ERROR, NO_NAME):
            # A server that refuses unread need not repeat the question.
            return Answer(rcode=rcode, is_authoritative=False)
        after = _HEADER.size + len(self._asked)
        repeated = packet[_HEADER.size : after]
        if questions != 1 or repeated.lower() != self._asked.lower():
            raise NotAnAnswer("an answer to another question")
        if repeated != self._asked:
            raise CapitalsLost("an answer in other letters")
        if flags & _TRUNCATED:
            return None
        try:
            return self._records(packet, after, min(answers, _MOST_RECORDS), rcode, is_authoritative)
        except (IndexError, struct.error) as error:
            raise NotAnAnswer("the answer ends too early") from error

    def _records(self, packet: bytes, at: int, count: int, rcode: int, is_authoritative: bool) -> Answer:
        addresses: set[Address] = set()
        names: list[str] = []
        texts: list[str] = []
        for _ in range(count):
            at = _read_name(packet, at)[1]
            kind, of, _ttl, length = _RECORD.unpack_from(packet, at)
            at += _RECORD.size
            content = packet[at : at + length]
            if len(content) != length:
                raise NotAnAnswer("a record ends too early")
            if kind == self._kind and of == self._class:
                match kind:
                    case Kind.A if length == 4:
                        addresses.add(IPv4Address(content))
                    case Kind.AAAA if length == 16:
                        addresses.add(IPv6Address(content))
                    case Kind.NS:
                        names.append(_read_name(packet, at)[0])
                    case Kind.TXT if content:
                        texts.append(content[1 : 1 + content[0]].decode("ascii", "replace"))
                    case _:
                        raise NotAnAnswer("a record of the wrong length")
            at += length
        return Answer(
            rcode=rcode,
            is_authoritative=is_authoritative,
            addresses=frozenset(addresses),
            names=tuple(names),
            texts=tuple(texts),
        )


def _name(name: str, has_capitals: bool) -> bytes:
    labels = name.removesuffix(".").lower().encode("ascii").split(b".")
    wire = b"".join(bytes((len(label),)) + label for label in labels if label) + b"\0"
    if not has_capitals:
        return wire
    # Lengths are below 64 and so no letters.
    chance = secrets.randbits(len(wire))
    return bytes(byte - 32 if 97 <= byte <= 122 and chance >> at & 1 else byte for at, byte in enumerate(wire))


def _read_name(packet: bytes, at: int) -> tuple[str, int]:
    """Read a name with its pointers (RFC 1035, 4.1.4); give it with the place after it."""
    labels: list[str] = []
    after: int | None = None
    for _ in range(_MOST_JUMPS + 128):
        length = packet[at]
        if length == 0:
            return ".".join(labels), at + 1 if after is None else after
        if length < 64:
            labels.append(packet[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
            at += 1 + length
        elif length >= 192:
            after = at + 2 if after is None else after
            at = (length & 63) << 8 | packet[at + 1]
        else:
            break
    raise NotAnAnswer("a name without an end")


class _Listening(asyncio.DatagramProtocol):
    def __init__(self, question: Question) -> None:
        self._question = question
        self.answered: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, addr: object) -> None:
        if self.answered.done():
            return
        try:
            self.answered.set_result(self._question.read(data))
        except CapitalsLost as error:
            self.answered.set_exception(error)
        except NotAnAnswer:
            pass  # from somebody else, or to an earlier question

    def error_received(self, exc: Exception) -> None:
        if not self.answered.done():
            self.answered.set_exception(exc)


async def _over_udp(question: Question, server: str, port: int) -> Answer | None:
    transport, listening = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Listening(question), remote_addr=(server, port)
    )
    try:
        transport.sendto(question.wire)
        return await listening.answered
    finally:
        transport.abort()


async def _over_tcp(question: Question, server: str, port: int) -> Answer:
    reader, writer = await asyncio.open_connection(server, port)
    try:
        writer.write(len(question.wire).to_bytes(2, "big") + question.wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        answer = question.read(await reader.readexactly(length))
    finally:
        writer.transport.abort()
    if answer is None:
        raise NotAnAnswer("cut over TCP as well")
    return answer
