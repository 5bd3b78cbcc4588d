"""One visitor's connection: HTTP/1.1 by uvicorn and h11, with a time for each part of a request and strict framing.

A request whose end two programs could see at different places is refused and the connection closed, whether or not
anybody stands between (RFC 9112, 6.1 and 11.2). Sizes that no page of the homepage needs are refused too (T-28).
"""

import time
from asyncio import Future, Transport
from collections.abc import Callable, Sequence
from email.utils import formatdate
from enum import Enum, auto
from functools import lru_cache
from typing import Any

import h11

from lancert.box.http_server import Config, H11Protocol, ServerState

HEAD_LIMIT = 16_384
"""The largest head of a request, in bytes."""

_TARGET_LIMIT = 4_096
_HEADERS_LIMIT = 64

_METHODS_WITHOUT_BODY = ("GET", "HEAD")


class Phase(Enum):
    """What happens on a connection."""

    GREETING = auto()
    """The TLS handshake."""
    HEAD = auto()
    """Nothing yet, or the head of a request arrives."""
    BODY = auto()
    """The body of a request arrives."""
    WORK = auto()
    """The box makes the answer."""
    ANSWER = auto()
    """The visitor takes the answer."""


PATIENCE = {Phase.GREETING: 10.0, Phase.HEAD: 10.0, Phase.BODY: 20.0, Phase.WORK: 120.0, Phase.ANSWER: 60.0}
"""For how many seconds a phase may last; a connection without any request to come is closed sooner, by uvicorn."""


class Connection(H11Protocol):
    """A connection that says in which phase it is, and when it is gone."""

    def __init__(self, config: Config, state: ServerState, entered: Callable[[Phase], None]) -> None:
        super().__init__(config, state, {})
        self.gone: Future[None] = self.loop.create_future()
        self._entered = entered
        self._phase = Phase.GREETING

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to listen."""
        super().connection_made(transport)
        self._note_phase()

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that the visitor is gone."""
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        if not self.gone.done():
            self.gone.set_result(None)

    def handle_events(self) -> None:
        """Take what has arrived."""
        self.server_state.default_headers = _date(int(time.time()))
        super().handle_events()
        self._note_phase()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP; when an answer is already on its way, the connection just ends."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            super().send_400_response(msg)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._note_phase()

    def shutdown(self) -> None:
        """Close when the answer under way is out, or at once when there is none."""
        try:
            super().shutdown()
        except h11.LocalProtocolError:  # what came before was not HTTP
            self.transport.close()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self._unset_keepalive_if_required()
        if self.transport is not None:
            self.transport.abort()

    def _note_phase(self) -> None:
        phase = self._phase_now()
        if phase is not self._phase:
            self._phase = phase
            self._entered(phase)

    def _phase_now(self) -> Phase:
        if self.cycle is not None and not self.cycle.response_complete:
            return Phase.BODY if self.conn.their_state is h11.SEND_BODY else Phase.WORK
        if self.transport.get_write_buffer_size():
            return Phase.ANSWER
        return Phase.HEAD


AsgiApp = Callable[[Any, Any, Any], Any]


def strict(app: AsgiApp) -> AsgiApp:
    """Refuse before the application what nobody should send; the connection is closed after the answer."""

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        status = objection(scope["method"], scope["raw_path"], scope["headers"], scope["http_version"])
        if status is None:
            await app(scope, receive, send)
            return
        headers = [(b"content-length", b"0"), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    return guarded


def objection(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]], version: str) -> int | None:
    """Say with which status a request is refused for its framing or its size, if it is."""
    if len(target) > _TARGET_LIMIT:
        return 414
    if len(headers) > _HEADERS_LIMIT or sum(len(name) + len(value) + 4 for name, value in headers) > HEAD_LIMIT:
        return 431
    if not version.startswith("1."):
        return 400
    names = {name for name, _ in headers}
    if b"transfer-encoding" in names and (
        b"content-length" in names or version != "1.1" or method in _METHODS_WITHOUT_BODY
    ):
        return 400
    return None


@lru_cache(maxsize=1)
def _date(second: int) -> list[tuple[bytes, bytes]]:
    return [(b"date", formatdate(second, usegmt=True).encode())]
