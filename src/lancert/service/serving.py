"""Sockets and servers: what listens, and for how long. uvicorn is spoken to here alone."""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Coroutine, Iterator
from typing import Any, Final

import uvicorn

from lancert.kit.platform import system
from lancert.service.api.app import Api
from lancert.service.api.strict import StrictDoor

_KEEP_ALIVE_SECONDS: Final = 75
_STOP_SECONDS: Final = 5
_LOOK_SECONDS: Final = 0.02
_MOST_CONNECTIONS: Final = 10_000
_BACKLOG: Final = 2048


class CannotStart(Exception):
    """The service cannot start; the text is for the operator and says what to do."""


def listen(host: str, port: int, setting: str) -> socket.socket:
    """Open a listening socket; ``setting`` is what chose the port, port 0 is any free one. Raises CannotStart."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Boxes behind bad wires get their short answers sooner (F-27).
        system.repeat_steadily(listening)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise CannotStart(cannot_listen(setting, host, port, error)) from error
    return listening


def cannot_listen(setting: str, host: str, port: int, error: OSError) -> str:
    """Say why a port cannot be had, and what to do."""
    option = f"--{setting.replace('_', '-')}"
    return (
        f"Cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}. "
        f"Stop the program that uses it, or choose another with {option}."
    )


def port_of(listening: socket.socket) -> int:
    """Give the port a socket listens on."""
    port: int = listening.getsockname()[1]
    return port


def url_of(scheme: str, host: str, listening: socket.socket) -> str:
    """Write the URL of a listening socket under a name."""
    port = port_of(listening)
    is_usual = port == {"https": 443, "http": 80}[scheme]
    return f"{scheme}://{host}" if is_usual else f"{scheme}://{host}:{port}"


class _Server(uvicorn.Server):
    """A server that leaves the signals to the process it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextlib.asynccontextmanager
async def serving(api: Api, listening: socket.socket, context: ssl.SSLContext | None) -> AsyncIterator[None]:
    """Serve an application on a socket, over TLS when there is a context; it finishes what is under way at the end."""
    server = _Server(
        uvicorn.Config(
            api,
            loop="none",
            http=StrictDoor,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            limit_concurrency=_MOST_CONNECTIONS,
            ssl_context_factory=None if context is None else (lambda config, default: context),
        )
    )
    # The socket listens already, so nobody is turned away before the server has looked at it.
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await _finish(server, task)


async def _finish(server: _Server, serving: asyncio.Task[None]) -> None:
    """Wait for the requests under way, not for clients to agree that an idle TLS connection may end."""
    while not serving.done():
        for connection in list(server.server_state.connections):
            transport = connection.transport
            if transport is not None and transport.is_closing() and transport.get_write_buffer_size() == 0:
                transport.abort()
        await asyncio.wait((serving,), timeout=_LOOK_SECONDS)
    await serving


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run something beside, until the end of the block."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
