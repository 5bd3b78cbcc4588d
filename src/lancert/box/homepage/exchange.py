"""One HTTP exchange as values: a request that was read, an answer that is sent.

The homepage has ten routes and no middleware to choose from, so it stands on ASGI itself: Starlette would add 18 ms
to the start of the box and 1.5 MB (docs of ASGI: HTTP connection scope). Bodies are read under a limit in size and
in time, and only where a form is expected.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, replace
from ipaddress import IPv6Address
from typing import Any

from lancert.protocol.names import Address, parse_address

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

BODY_LIMIT = 8_192
"""The largest body of a form, in bytes."""

BODY_SECONDS = 10.0
"""How long a body may take to arrive (T-28)."""


class Gone(Exception):
    """The visitor hung up before the body was complete; nobody is there to answer."""


class NotAcceptable(Exception):
    """A request is turned away with this status; the sentence is marked for translation."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a visitor asked. ``local`` is the address of this box that the connection came in on."""

    method: str
    path: str
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    secure: bool
    source: str
    local: Address | None
    receive: Receive

    def all_of(self, name: str) -> list[str]:
        """Give every value of a header, as it was sent."""
        wanted = name.lower().encode("ascii")
        return [value.decode("latin-1") for header, value in self.headers if header.lower() == wanted]

    def header(self, name: str) -> str | None:
        """Give the value of a header that is there exactly once."""
        values = self.all_of(name)
        return values[0] if len(values) == 1 else None


def read_request(scope: Scope, receive: Receive) -> Request:
    """Read a request from its ASGI scope; the listener lets no header decide about its scheme."""
    client, server = scope.get("client"), scope.get("server")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=scope.get("query_string", b""),
        headers=tuple((bytes(name), bytes(value)) for name, value in scope["headers"]),
        secure=scope["scheme"] == "https",
        source=str(client[0]) if client else "unknown",
        local=_plain(str(server[0])) if server else None,
        receive=receive,
    )


def _plain(text: str) -> Address | None:
    """Read a socket's address; a dual-stack socket writes version 4 inside version 6, link-local comes with a zone."""
    address = parse_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


async def read_body(request: Request, *, seconds: float = BODY_SECONDS) -> bytes:
    """Read a body. Raises NotAcceptable (408, 413) or Gone."""
    announced = request.header("content-length")
    if announced is not None and (not announced.isdecimal() or int(announced[:9]) > BODY_LIMIT):
        raise NotAcceptable(413, "")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Gone
                body += message.get("body", b"")
                if len(body) > BODY_LIMIT:
                    raise NotAcceptable(413, "")
                if not message.get("more_body", False):
                    return bytes(body)
    except TimeoutError:
        raise NotAcceptable(408, "") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back; ``has_form`` says that the page posts to this box.

    ``script_asks`` are the origins that the script of the page may ask; without them no script runs.
    """

    status: int = 200
    body: bytes = b""
    media_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    has_form: bool = False
    script_asks: tuple[str, ...] = ()

    def with_headers(self, *headers: tuple[str, str]) -> "Answer":
        """Give the same answer with more headers."""
        return replace(self, headers=(*self.headers, *headers))


def see_other(path: str) -> Answer:
    """Lead to a page after a change (RFC 9110, 15.4.4), so that a reload changes nothing again."""
    return Answer(status=303, headers=(("location", path),))


async def send_answer(answer: Answer, send: Send) -> None:
    """Send an answer."""
    own = [("content-length", str(len(answer.body)))]
    if answer.media_type is not None:
        own.append(("content-type", answer.media_type))
    headers = [(name.encode("ascii"), value.encode("latin-1")) for name, value in (*own, *answer.headers)]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
