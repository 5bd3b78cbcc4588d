"""Puts the box together: folder, store, agent, homepage and listener, in plain calls.

The order is the promise: what is stored is served first, then the agent starts to talk to the world, so a shop has
its lock back as soon as the process runs, with or without a network.
"""

import asyncio
import contextlib
import logging
import signal
import ssl
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from lancert.box import network, pin, tls
from lancert.box.agent import Agent, AgentSettings
from lancert.box.facts import Ports
from lancert.box.folder import Folder
from lancert.box.homepage.app import homepage_app
from lancert.box.listener import Listener, open_sockets, ports_of
from lancert.box.maintenance import Maintenance
from lancert.box.store import CertificateStore
from lancert.box.watchdog import give_signs_of_life
from lancert.kit.clock import SystemClock
from lancert.kit.files import lock
from lancert.kit.logs import Log, write_logs
from lancert.kit.service_manager import ServiceManager
from lancert.kit.settings import notify_socket, watchdog_seconds
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address

log = Log("box.app")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxSettings:
    """How an agent is started. Ports may be 0 for a free one; ``listen`` empty means all interfaces."""

    folder: Path
    name: str
    kind: Kind
    http_port: int
    https_port: int
    listen: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    maintenance: Maintenance | None = None
    log_to_stderr: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What is told to whoever started the agent; ``new_pin`` only at the first start."""

    ports: Ports
    addresses: tuple[Address, ...]
    new_pin: str | None


async def run(settings: BoxSettings, started: Callable[[Started], None]) -> None:
    """Run the agent until SIGTERM or SIGINT. Raises AlreadyLocked, CannotListen, OSError."""
    folder = Folder(settings.folder)
    with lock(folder.path):
        _write_logs(folder, to_stderr=settings.log_to_stderr)
        http = open_sockets(list(settings.listen), settings.http_port)
        https = open_sockets(list(settings.listen), settings.https_port)
        ports = ports_of(http, https)
        first_pin = None if pin.exists(folder.pin) else pin.new_pin(folder.pin)
        store = CertificateStore(folder.certificates)
        store.check()
        agent = Agent(
            folder,
            store,
            AgentSettings(
                name=settings.name,
                kind=settings.kind,
                ports=ports,
                own_host=_own_host(settings),
                addresses=settings.addresses,
                maintenance=settings.maintenance,
            ),
        )
        listener = Listener(homepage_app(agent), _first_context(folder, store, settings.addresses))
        agent.serve_with(lambda path: listener.swap(tls.server_context(path)))
        await listener.start(http, https)
        folder.listens(ports)
        log.info("the homepage is served", http_port=ports.http, https_port=ports.https)
        stop = _stop_signals()
        manager = ServiceManager(notify_socket())
        manager.ready(f"The homepage is served on the ports {ports.http} and {ports.https}.")
        started(Started(ports=ports, addresses=agent.facts().addresses, new_pin=first_pin))
        works = [agent.run()]
        if (patience := watchdog_seconds()) is not None:
            works.append(give_signs_of_life(manager, patience, _own_host(settings), ports.https))
        await _work_until(stop, works)
        manager.stopping()
        log.info("stopping")
        await listener.stop()


def _own_host(settings: BoxSettings) -> str:
    return settings.listen[0] if settings.listen else "127.0.0.1"


def _first_context(folder: Folder, store: CertificateStore, addresses: tuple[Address, ...]) -> ssl.SSLContext:
    """Serve what is stored; the stop-gap only when nothing usable is."""
    if store.generation is not None:
        try:
            return tls.server_context(store.generation.path)
        except (OSError, ssl.SSLError) as error:
            log.error("the stored certificate could not be put into service", detail=str(error))
    tls.write_stop_gap(folder.stop_gap, addresses or network.addresses(), SystemClock().now())
    return tls.server_context(folder.stop_gap)


def _write_logs(folder: Folder, *, to_stderr: bool) -> None:
    write_logs(to_file=folder.log_file, to_stderr=to_stderr, level=folder.log_level())
    # The web server's own messages are about what strangers send; they are kept out of the log and off the terminal.
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _stop_signals() -> asyncio.Event:
    """Give what is set when the process is told to stop; from here on a signal ends nothing abruptly."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows has no signal handlers in its loop
            signal.signal(number, lambda _number, _frame: loop.call_soon_threadsafe(stop.set))
    return stop


async def _work_until(stop: asyncio.Event, works: list[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await stop.wait()
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
