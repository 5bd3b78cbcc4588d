"""The strict path of HTTP: the ordinary request of a box, read at once and answered with one write.

What a box sends is always of one shape: POST to an address of the protocol over HTTP/1.1, plain headers, each once,
a body of the length it declares. That is a third of what a general server costs for it (bench/issuance.py), on the
path that every box of a fleet takes. Anything else, however legal, is handed to uvicorn with the bytes that came,
and stays with it until the connection ends (RFC 9112). Both paths give one answer, which a test compares.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, ClassVar, Final, NamedTuple, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from lancert.protocol.messages import BODY_LIMIT
from lancert.service.api.app import Api
from lancert.service.api.asgi import BODY_SECONDS, too_slow
from lancert.service.api.exchange import CLOSE, Answer, Asking, Handler, answer_of, problem_answer

_HEAD_LIMIT: Final = 4096
_END: Final = b"\r\n\r\n"
_VERB: Final = b"POST "
_HEAD = re.compile(r"POST [!-~]+ HTTP/1\.1(?:\r\n[A-Za-z0-9-]+: [!-~](?:[ -~]*[!-~])?)+")
# Each of these changes how a request or its answer is framed.
_GENERAL = frozenset({"expect", "te", "trailer", "transfer-encoding", "upgrade"})


class NotOrdinary(Exception):
    """A request is for the general path."""


class Ordinary(NamedTuple):
    """An ordinary request and who handles it; ``length`` are its bytes, ``is_last`` says that the client ends here."""

    handler: Handler
    asking: Asking
    length: int
    is_last: bool


def read_request(buffer: bytes, handlers: Mapping[str, Handler], source: str) -> Ordinary | None:
    """Read the ordinary request at the start of what came; None while more of it has to come. Raises NotOrdinary."""
    end = buffer.find(_END, 0, _HEAD_LIMIT)
    if end < 0:
        if len(buffer) >= _HEAD_LIMIT or not buffer.startswith(_VERB[: len(buffer)]):
            raise NotOrdinary
        return None
    head = buffer[:end].decode("latin-1")
    if _HEAD.fullmatch(head) is None:
        raise NotOrdinary
    first, *lines = head.split("\r\n")
    path = first.split(" ")[1]
    headers = {name.lower(): value for name, _, value in [line.partition(": ") for line in lines]}
    handler = handlers.get(path)
    length = headers.get("content-length", "")
    ending = headers.get("connection", "close").lower()
    if (
        handler is None
        or len(headers) != len(lines)
        or "host" not in headers
        or ending != "close"
        or not _GENERAL.isdisjoint(headers)
        or not length.isdecimal()
        or int(length[:10]) > BODY_LIMIT
    ):
        raise NotOrdinary
    start = end + len(_END)
    whole = start + int(length)
    if len(buffer) < whole:
        return None
    asking = Asking("POST", path, b"", headers, buffer[start:whole], source)
    return Ordinary(handler, asking, whole, "connection" in headers)


class StrictDoor(asyncio.Protocol):
    """One connection, as uvicorn makes them: ``config``, ``server_state`` and ``app_state`` are uvicorn's own."""

    patience: ClassVar[float] = BODY_SECONDS
    """How long a request may take to arrive."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self._uvicorn = (config, server_state, app_state)
        self._handlers = cast(Api, config.app).routes
        self._state = server_state
        self._keep_alive = config.timeout_keep_alive
        self._most = config.limit_concurrency or 0
        self._loop = _loop or asyncio.get_running_loop()
        self._buffer = b""
        self._is_busy = False
        self._is_full = False
        self._is_last = False
        self._since = 0.0
        self._source = ""
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self.transport = cast(asyncio.Transport, transport)
        self._state.connections.add(cast(Any, self))
        peer = transport.get_extra_info("peername")
        self._source = peer[0] if peer else ""
        self._since = self._loop.time()
        self._look_again(self._keep_alive)

    def connection_lost(self, exc: Exception | None) -> None:
        """End; the answer to a request under way goes nowhere."""
        self._leave()
        self._is_last = True

    def data_received(self, data: bytes) -> None:
        """Take what came."""
        if not self._buffer:
            self._since = self._loop.time()
        self._buffer += data
        if not self._is_busy:
            self._go_on()
        elif len(self._buffer) > BODY_LIMIT and self.transport is not None:
            self.transport.pause_reading()

    def pause_writing(self) -> None:
        """Ask for no more answers: the client does not read those there are."""
        self._is_full = True

    def resume_writing(self) -> None:
        """Go on with what waits."""
        self._is_full = False
        if not self._is_busy:
            self._go_on()

    # What uvicorn calls

    def shutdown(self) -> None:
        """End, after the request under way."""
        self._is_last = True
        if not self._is_busy and self.transport is not None:
            self.transport.close()

    # Requests, one after the other

    def _go_on(self) -> None:
        if not self._buffer or self._is_full or self._is_last or self.transport is None:
            return
        try:
            if len(self._state.connections) > self._most or len(self._state.tasks) > self._most:
                raise NotOrdinary
            found = read_request(self._buffer, self._handlers, self._source)
        except NotOrdinary:
            self._hand_over()
            return
        if found is None:
            return
        self._buffer = self._buffer[found.length :]
        self._is_busy, self._is_last = True, found.is_last
        self._task = self._loop.create_task(self._answer(found.handler, found.asking))
        self._state.tasks.add(self._task)

    async def _answer(self, handler: Handler, asking: Asking) -> None:
        answer = await answer_of(handler, asking)
        self._is_busy = False
        if self._task is not None:
            self._state.tasks.discard(self._task)
        self._state.total_requests += 1
        self._since = self._loop.time()
        self._write(answer)
        if self.transport is not None and not self._is_last:
            self.transport.resume_reading()
            self._go_on()

    def _write(self, answer: Answer) -> None:
        if self.transport is None or self.transport.is_closing():
            return
        is_last = self._is_last or CLOSE in answer.headers
        added = (CLOSE,) if is_last and CLOSE not in answer.headers else ()
        headers = (*self._state.default_headers, *answer.all_headers(), *added)
        written = b"".join([b"%b: %b\r\n" % header for header in headers])
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[answer.status], written, answer.body))
        if is_last:
            self._is_last = True
            self.transport.close()

    # The end of a connection

    def _look_again(self, seconds: float) -> None:
        self._timer = self._loop.call_later(min(seconds, self.patience), self._look)

    def _look(self) -> None:
        """Let go of who says nothing, and of who does not come to the end of a request."""
        patience = self.patience if self._buffer else self._keep_alive
        left = patience if self._is_busy else self._since + patience - self._loop.time()
        if left > 0:
            self._look_again(left)
        elif self._buffer and not self._is_full:
            self._is_last = True
            self._write(problem_answer(too_slow(self.patience)))
        elif self.transport is not None:
            self.transport.abort()

    def _hand_over(self) -> None:
        """Give the connection to the general path, with what came so far."""
        transport, buffer = self.transport, self._buffer
        assert transport is not None
        self._leave()
        general = HttpToolsProtocol(*self._uvicorn, _loop=self._loop)
        general.connection_made(transport)
        transport.set_protocol(general)
        general.data_received(buffer)

    def _leave(self) -> None:
        self._state.connections.discard(cast(Any, self))
        self.transport, self._buffer = None, b""
        if self._timer is not None:
            self._timer.cancel()
