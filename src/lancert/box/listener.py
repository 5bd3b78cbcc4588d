"""The doors of the homepage: HTTP, always, and HTTPS, in one process.

uvicorn speaks HTTP on the connections; what is ours is who gets one. Each connection is taken in here: a new
certificate serves from the next one on and closes none, a connection that gives nothing is not waited for (T-28), and
without a free file descriptor the doors stay open for the time when there is one again.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from asyncio import sslproto
from collections.abc import Mapping
from functools import partial
from typing import Any

from lancert.box.connection import HEAD_LIMIT, PATIENCE, AsgiApp, Connection, Phase, strict
from lancert.box.crowd import TOTAL, Crowd, Guest, Limits
from lancert.box.facts import Ports
from lancert.box.http_server import Config, ServerState
from lancert.box.knocks import Knocks
from lancert.kit.logs import Log
from lancert.kit.platform import system

_BACKLOG = 512
_KEEP_ALIVE = 5  # seconds
_GRACE = 3.0  # seconds for what is under way when the box stops
_CLOSING = 5.0  # seconds in which a visitor may answer the end of TLS
_BREATH = 0.005  # seconds until the next look when somebody was sent away to make room
_PAUSE = 0.1  # seconds until the next look when a connection could not be taken in
_TLS_BUFFER = 16 * 1024

log = Log("box.listener")


class CannotListen(OSError):
    """A port cannot be had; the text says which and what to do."""


class Listener:
    """Serves the homepage on both doors until it is stopped."""

    def __init__(
        self,
        app: AsgiApp,
        context: ssl.SSLContext,
        limits: Limits | None = None,
        knocks: Knocks | None = None,
        patience: Mapping[Phase, float] = PATIENCE,
    ) -> None:
        self._context = context
        self._knocks = knocks or Knocks()
        self._patience = patience
        self._config = _configured(app)
        self._state = ServerState()
        self._crowd = Crowd(limits or Limits.for_descriptors(_descriptors()))
        self._sockets: list[socket.socket] = []
        self._doors: list[asyncio.Task[None]] = []
        self._visits: dict[Guest, asyncio.Task[None]] = {}
        self._is_short = False

    async def start(self, http: list[socket.socket], https: list[socket.socket]) -> None:
        """Serve on these sockets, which are closed with the listener."""
        # Python sets 256 KiB aside for each TLS connection, and a hundred of them cost a box half its memory; the
        # largest record of TLS is 16 KiB, and what does not fit is read in turns.
        sslproto.SSLProtocol.max_size = _TLS_BUFFER
        self._config.load()
        self._sockets = [*http, *https]
        for one in self._sockets:
            self._doors.append(asyncio.create_task(self._keep_door(one, secure=one in https)))

    def swap(self, context: ssl.SSLContext) -> None:
        """Serve another certificate from the next connection on; established connections live on.

        A context is never changed while it serves: loading a new pair into it would break it for a moment, and for
        good if the pair does not match.
        """
        self._context = context

    async def stop(self) -> None:
        """Finish what is under way, for a few seconds at most, and close."""
        for door in self._doors:
            door.cancel()
        await asyncio.gather(*self._doors, return_exceptions=True)
        for one in self._sockets:
            one.close()
        for connection in list(self._state.connections):
            connection.shutdown()
        if self._visits:
            await asyncio.wait(self._visits.values(), timeout=_GRACE)
        for visit in list(self._visits.values()):
            visit.cancel()
        await asyncio.gather(*self._visits.values(), return_exceptions=True)

    async def _keep_door(self, door: socket.socket, *, secure: bool) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(door)
            except OSError as error:
                await self._could_not_take_in(error)
                continue
            self._welcome(accepted, str(address[0]), secure=secure)
            await asyncio.sleep(0)  # a flood of connections leaves the others their turn

    async def _could_not_take_in(self, error: OSError) -> None:
        """Make room when no descriptors or no memory are left; else the visitor just went away on the doorstep."""
        if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
            if not self._is_short:
                log.warning("a connection could not be taken in", detail=str(error), connections=len(self._crowd))
            self._is_short = True
            if (leaver := self._crowd.one_who_waits()) is not None:
                self._crowd.leave(leaver)
                self._visits[leaver].cancel()
                await asyncio.sleep(_BREATH)  # for it to be gone
                return
        await asyncio.sleep(_PAUSE)

    def _welcome(self, accepted: socket.socket, source: str, *, secure: bool) -> None:
        guest = Guest(source=source)
        leaver = self._crowd.enter(guest)
        if leaver is guest:
            accepted.close()
            return
        if leaver is not None:
            self._visits[leaver].cancel()
        # asyncio does so only for sockets that name their protocol, and those of a listening socket do not: without it
        # the second part of an answer waits 40 ms for the visitor's word on the first.
        with contextlib.suppress(OSError):
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        visit = asyncio.create_task(self._serve(guest, accepted, self._context if secure else None))
        self._visits[guest] = visit
        visit.add_done_callback(partial(self._has_left, guest, accepted))

    def _has_left(self, guest: Guest, accepted: socket.socket, visit: asyncio.Task[None]) -> None:
        self._crowd.leave(guest)
        del self._visits[guest]
        accepted.close()
        if not self._visits:
            self._is_short = False
        if not visit.cancelled() and (error := visit.exception()) is not None:
            log.error("a connection ended unexpectedly", detail=repr(error))

    async def _serve(self, guest: Guest, accepted: socket.socket, context: ssl.SSLContext | None) -> None:
        """Serve one connection to its end, each phase of it within its time."""
        loop = asyncio.get_running_loop()
        deadline = asyncio.timeout(self._patience[Phase.GREETING])

        def enter(phase: Phase) -> None:
            deadline.reschedule(loop.time() + self._patience[phase])
            if phase is Phase.WORK:
                self._crowd.is_served(guest)
            else:
                self._crowd.waits(guest)

        connection, is_in = Connection(self._config, self._state, enter), context is None
        if not is_in:
            self._knocks.came(guest.source)
        try:
            async with deadline:
                await loop.connect_accepted_socket(
                    lambda: connection,
                    accepted,
                    ssl=context,
                    ssl_shutdown_timeout=_CLOSING if context else None,
                )
                if not is_in:
                    self._knocks.got_in(guest.source)
                is_in = True
                await connection.gone
        except OSError as error:
            # The time is over, the handshake failed, or the network did: all of it the visitor's affair.
            if not is_in:
                self._knocks.failed(guest.source, error)
            # What is left of a handshake is a circle of exception and frames, some 70 KiB each, and would wait for the
            # garbage collector; without the frames it is gone at once.
            error.with_traceback(None)
        except asyncio.CancelledError:
            pass  # sent away; an exception that goes no further keeps no frames either
        finally:
            connection.abort()


def _configured(app: AsgiApp) -> Config:
    settings: dict[str, Any] = {
        "http": Connection,
        "ws": "none",
        "lifespan": "off",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_keep_alive": _KEEP_ALIVE,
        "h11_max_incomplete_event_size": HEAD_LIMIT,
    }
    return Config(strict(app), **settings)


def _descriptors() -> int:
    """Say how many files this process may have open."""
    limit = system.open_files_limit()
    return 4 * TOTAL if limit is None else limit


def open_sockets(addresses: list[str], port: int) -> list[socket.socket]:
    """Open a port on these addresses, or on all when there are none; port 0 takes a free one. Raises CannotListen."""
    opened: list[socket.socket] = []
    address = ""
    try:
        for address in addresses or _everywhere():
            free = opened[0].getsockname()[1] if opened else 0
            taken = system.listening_socket(address, port or free, _BACKLOG)
            taken.setblocking(False)
            opened.append(taken)
    except OSError as error:
        for one in opened:
            one.close()
        if isinstance(error, PermissionError):
            hint = system.PORT_REFUSED
        elif error.errno == errno.EADDRINUSE:
            hint = "another program uses it"
        else:
            raise CannotListen(f"{address} is not an address of this machine") from error
        raise CannotListen(f"port {port} cannot be opened: {hint}") from error
    return opened


def _everywhere() -> list[str]:
    return ["0.0.0.0", "::"] if socket.has_ipv6 and _has_ipv6() else ["0.0.0.0"]


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


def ports_of(http: list[socket.socket], https: list[socket.socket]) -> Ports:
    """Say where these sockets listen."""
    return Ports(http=http[0].getsockname()[1], https=https[0].getsockname()[1])
