"""One HTTP/1.1 exchange over a connection that is already there, by h11 (RFC 9112).

Answers are small by agreement, so everything has a limit and nothing is decompressed.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime

import h11

from lancert.box.conversation import Answered
from lancert.protocol.messages import ANSWER_LIMIT

_HEADERS_LIMIT = 32_768
_CHUNK = 16_384


class BrokenOff(Exception):
    """The connection ended, or what came was not HTTP."""


class Unacceptable(Exception):
    """The answer is larger than agreed, or compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent. The host is among the headers."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes = b""


async def exchange(request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answered:
    """Send a request and read its whole answer. Raises BrokenOff, Unacceptable or OSError."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS_LIMIT)
    headers = {"accept-encoding": "identity", "content-length": str(len(request.body)), **request.headers}
    try:
        writer.write(
            connection.send(h11.Request(method=request.method, target=request.target, headers=[*headers.items()]))
            or b""
        )
        writer.write((connection.send(h11.Data(data=request.body)) or b"") if request.body else b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        head, body = await _answer(connection, reader)
    except h11.ProtocolError as error:
        raise BrokenOff(f"not an HTTP answer: {error}") from error
    found = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in head.headers}
    return Answered(
        status=head.status_code,
        media_type=found.get("content-type", "").partition(";")[0].strip().lower(),
        body=body,
        retry_after=found.get("retry-after"),
        server_time=_date(found.get("date")),
        location=found.get("location"),
    )


async def _answer(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[h11.Response, bytes]:
    head: h11.Response | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            received = await reader.read(_CHUNK)
            if not received and head is None:
                raise BrokenOff("the connection was closed without an answer")
            connection.receive_data(received)
        elif isinstance(event, h11.Response):
            head = event
            if dict(event.headers).get(b"content-encoding", b"identity").lower() != b"identity":
                raise Unacceptable("the answer is compressed, which was not asked for")
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > ANSWER_LIMIT:
                raise Unacceptable(f"the answer is larger than {ANSWER_LIMIT} bytes")
        elif isinstance(event, h11.EndOfMessage):
            assert head is not None
            return head, bytes(body)
        elif isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise BrokenOff("the connection was closed in the middle")


async def connect_through(
    target: str, headers: dict[str, str], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> int:
    """Ask a proxy for a connection to ``host:port`` and give its status; 200 means that the way is free.

    Raises BrokenOff or OSError.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=_HEADERS_LIMIT)
    try:
        writer.write(connection.send(h11.Request(method="CONNECT", target=target, headers=[*headers.items()])) or b"")
        writer.write(connection.send(h11.EndOfMessage()) or b"")
        await writer.drain()
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                received = await reader.read(_CHUNK)
                if not received:
                    raise BrokenOff("the proxy closed the connection")
                connection.receive_data(received)
            elif isinstance(event, h11.Response):
                return event.status_code
            elif not isinstance(event, h11.InformationalResponse):
                raise BrokenOff("the proxy closed the connection")
    except h11.ProtocolError as error:
        raise BrokenOff(f"the proxy does not speak HTTP: {error}") from error


def _date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header) if header else None
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment is not None and moment.tzinfo is not None else None
