"""DNS over TCP: two-byte lengths, pipelined questions, and a fair turn for everybody (RFC 7766).

All clients share one small budget per turn of the event loop, so that neither a flood of pipelined questions nor
a thousand idle connections delays the answers over UDP (F-51). A client is dropped when it asked nothing complete
for ten seconds, whether it is idle, writes byte by byte or does not read its answers; when the table is full, the
one that has been quiet longest makes room.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

IDLE_SECONDS: Final = 10.0
MOST_CLIENTS: Final = 256
_QUESTIONS_A_TURN: Final = 8
_MOST_SWEEP_SECONDS: Final = 1.0
_LENGTH_SIZE: Final = 2
_MOST_UNREAD: Final = 65535 + _LENGTH_SIZE
_MOST_UNSENT: Final = 65536

Respond = Callable[[bytes], bytes | None]


class TcpClients:
    """The TCP clients of one server, in the order they last asked something."""

    def __init__(
        self, respond: Respond, *, idle_seconds: float = IDLE_SECONDS, most_clients: int = MOST_CLIENTS
    ) -> None:
        """Begin without clients; ``respond`` answers one question, or gives None to end the conversation."""
        self._respond = respond
        self._idle_seconds = idle_seconds
        self._most_clients = most_clients
        self._loop = asyncio.get_running_loop()
        self._clients: dict[TcpClient, float] = {}
        self._ready: deque[TcpClient] = deque()
        self._turn_is_due = False
        self._is_closed = False
        self._sweep_seconds = min(_MOST_SWEEP_SECONDS, idle_seconds / 4)
        self._sweep = self._loop.call_later(self._sweep_seconds, self._drop_the_quiet)

    def __len__(self) -> int:
        """Count the clients."""
        return len(self._clients)

    def new_client(self) -> "TcpClient":
        """Make the protocol of one connection, for ``create_server``."""
        return TcpClient(self)

    def close(self) -> None:
        """Drop everybody, and whoever the network still brings."""
        self._is_closed = True
        self._sweep.cancel()
        for client in list(self._clients):
            client.drop()

    def arrived(self, client: "TcpClient") -> None:
        """Take a client in; when the table is full, the one quiet for longest makes room."""
        if self._is_closed:
            client.drop()
            return
        if len(self._clients) >= self._most_clients:
            next(iter(self._clients)).drop()
        self._clients[client] = self._loop.time()

    def left(self, client: "TcpClient") -> None:
        """Forget a client."""
        self._clients.pop(client, None)

    def wants_turn(self, client: "TcpClient") -> None:
        """Queue a client that has a complete question and room for the answer."""
        if not client.is_queued:
            client.is_queued = True
            self._ready.append(client)
            self._take_turn_soon()

    def _take_turn_soon(self) -> None:
        if not self._turn_is_due:
            self._turn_is_due = True
            self._loop.call_soon(self._take_turn)

    def _take_turn(self) -> None:
        """Answer a few questions, one of each client in turn, and leave the rest to the next turn of the loop."""
        self._turn_is_due = False
        for _ in range(min(_QUESTIONS_A_TURN, len(self._ready))):
            client = self._ready.popleft()
            client.is_queued = False
            if client not in self._clients:
                continue
            question = client.next_question()
            if question is None:
                continue
            del self._clients[client]
            self._clients[client] = self._loop.time()
            client.send(self._respond(question))
        if self._ready:
            self._take_turn_soon()

    def _drop_the_quiet(self) -> None:
        heard_since = self._loop.time() - self._idle_seconds
        for client, heard in list(self._clients.items()):
            if heard > heard_since:
                break
            client.drop()
        self._sweep = self._loop.call_later(self._sweep_seconds, self._drop_the_quiet)


class TcpClient(asyncio.Protocol):
    """One connection: cuts the stream into questions and frames the answers."""

    def __init__(self, clients: TcpClients) -> None:
        """Belong to the clients of one server."""
        self._clients = clients
        self._unread = bytearray()
        self._is_full = False
        self._has_ended = False
        self._is_paused = False
        self.is_queued = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; answers that are not fetched stop the reading of questions."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_MOST_UNSENT)
        self._clients.arrived(self)

    def data_received(self, data: bytes) -> None:
        """Keep what arrived; more than one longest question is left in the network."""
        self._unread += data
        if len(self._unread) > _MOST_UNREAD and not self._is_paused:
            self._is_paused = True
            self._transport.pause_reading()
        self._go_on()

    def eof_received(self) -> bool:
        """Answer what was asked completely before the end, then close."""
        self._has_ended = True
        self._go_on()
        return True

    def pause_writing(self) -> None:
        """Stop: the client does not fetch its answers."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on: the client fetched its answers."""
        self._is_full = False
        self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave."""
        self._clients.left(self)

    def next_question(self) -> bytes | None:
        """Cut the next complete question off; None when there is none or no room for its answer."""
        if not self._has_question():
            return None
        ends = _LENGTH_SIZE + int.from_bytes(self._unread[:_LENGTH_SIZE], "big")
        question = bytes(self._unread[_LENGTH_SIZE:ends])
        del self._unread[:ends]
        return question

    def send(self, response: bytes | None) -> None:
        """Send an answer and go on; without one the client speaks no DNS, and is dropped."""
        if response is None:
            self.drop()
            return
        self._transport.write(len(response).to_bytes(_LENGTH_SIZE, "big") + response)
        self._go_on()

    def drop(self) -> None:
        """Close at once, whatever is still unsent."""
        self._clients.left(self)
        self._transport.abort()

    def _has_question(self) -> bool:
        unread = self._unread
        return (
            not self._is_full
            and len(unread) >= _LENGTH_SIZE
            and len(unread) >= _LENGTH_SIZE + int.from_bytes(unread[:_LENGTH_SIZE], "big")
        )

    def _go_on(self) -> None:
        if self._has_question():
            self._clients.wants_turn(self)
        elif self._has_ended and not self._is_full:
            self._transport.close()
        elif self._is_paused and len(self._unread) <= _MOST_UNREAD:
            self._is_paused = False
            self._transport.resume_reading()
