"""The doors of the homepage: HTTP, always, and HTTPS, in one process.

uvicorn serves both; what is ours is that a new certificate is swapped in without closing a connection, and that
a port that is taken is named in plain words.
"""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import uvicorn

from lancert.box.facts import Ports
from lancert.box.tls import SwappedContext

App = Callable[[Any, Any, Any], Awaitable[None]]

_BACKLOG = 128
_CONNECTIONS = 200
_KEEP_ALIVE = 5
_GRACE = 3


class CannotListen(OSError):
    """A port cannot be had; the text says which and what to do."""


class _Server(uvicorn.Server):
    """A uvicorn server that leaves the signals to the agent."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class Listener:
    """Serves the homepage on both doors until it is stopped."""

    def __init__(self, app: App, context: ssl.SSLContext) -> None:
        self._app = app
        self._context = SwappedContext(context)
        self._servers: list[_Server] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, http: list[socket.socket], https: list[socket.socket]) -> None:
        """Serve on these sockets."""
        for sockets, secure in ((https, True), (http, False)):
            server = _Server(self._config(secure))
            self._servers.append(server)
            self._tasks.append(asyncio.create_task(server.serve(sockets)))
        while not all(server.started for server in self._servers):
            await asyncio.sleep(0.001)
            for task in self._tasks:
                if task.done():
                    task.result()

    def swap(self, context: ssl.SSLContext) -> None:
        """Serve another certificate from the next connection on; established connections live on."""
        self._context.swap(context)

    async def stop(self) -> None:
        """Finish what is under way, for a few seconds at most, and close."""
        for server in self._servers:
            server.should_exit = True
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _config(self, secure: bool) -> uvicorn.Config:
        return uvicorn.Config(
            self._app,
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            limit_concurrency=_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_GRACE,
            ssl_context_factory=(lambda _config, _default: self._context.outer) if secure else None,
        )


def open_sockets(addresses: list[str], port: int) -> list[socket.socket]:
    """Open a port on these addresses, or on all when there are none; port 0 takes a free one. Raises CannotListen."""
    opened: list[socket.socket] = []
    address = ""
    try:
        for address in addresses or _everywhere():
            taken = socket.create_server(
                (address, port or (opened[0].getsockname()[1] if opened else 0)),
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                backlog=_BACKLOG,
            )
            taken.setblocking(False)
            opened.append(taken)
    except OSError as error:
        for one in opened:
            one.close()
        if isinstance(error, PermissionError):
            hint = "only root, or a service with CAP_NET_BIND_SERVICE, may use ports below 1024; choose higher ones"
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
