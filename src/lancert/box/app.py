"""Puts the box together: folder, store, agent, homepage and listener, in plain calls.

The order is the promise: what is stored is served first, then the agent starts to talk to the world, so a shop has
its lock back as soon as the process runs, with or without a network.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from lancert.box import network, pin, reset, tls
from lancert.box.agent import Agent
from lancert.box.agent_settings import AgentSettings
from lancert.box.facts import Ports
from lancert.box.folder import Folder
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.drawing import leave_the_compiler_out
from lancert.box.knocks import Knocks
from lancert.box.listener import Listener, open_sockets, ports_of
from lancert.box.maintenance import Maintenance
from lancert.box.proxies import Proxies
from lancert.box.setting_aside import set_aside
from lancert.box.settings import SettingsWatch
from lancert.box.store import CertificateStore
from lancert.box.watchdog import end_when_stuck, give_signs_of_life
from lancert.kit.clock import SystemClock
from lancert.kit.files import AlreadyLocked, lock
from lancert.kit.logs import NORMAL, Log, write_logs
from lancert.kit.platform import system
from lancert.kit.secret import Secret
from lancert.kit.service_manager import ServiceManager
from lancert.kit.settings import notify_socket, watchdog_seconds
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address

_GLANCE = 1.0  # seconds between two looks for a reset

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
    public_resolvers: list[str] | None = None
    maintenance: Maintenance | None = None
    proxy: Secret | None = None
    log_to_stderr: bool = False
    watch: SettingsWatch | None = None
    deploy: object = None
    """What stands in the settings under ``deploy``, as it was written."""
    watchdog: float | None = None
    """For how many seconds HTTPS may not answer before the process ends; None leaves that to a service manager."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """What is told to whoever started the agent; ``new_pin`` only at the first start."""

    ports: Ports
    addresses: tuple[Address, ...]
    new_pin: str | None


async def run(settings: BoxSettings, started: Callable[[Started], None]) -> None:
    """Run the agent until SIGTERM or SIGINT. Raises AlreadyLocked, CannotListen, OSError.

    A reset to factory settings ends everything and begins it anew on the same ports, as a box nobody has connected.
    """
    stop = asyncio.Event()
    with _locked(Folder(settings.folder).path):
        while not stop.is_set():
            ports = await _serve(settings, started, stop)
            settings = replace(settings, http_port=ports.http, https_port=ports.https)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of the folder; a disk that gives none is no reason not to serve. Raises AlreadyLocked."""
    with contextlib.ExitStack() as stack:
        try:
            if (folder / "lock").is_dir():
                set_aside(folder / "lock")
            stack.enter_context(lock(folder))
        except AlreadyLocked:
            raise
        except OSError as error:
            log.error("the lock of the folder cannot be taken", detail=str(error))
        yield


async def _serve(settings: BoxSettings, started: Callable[[Started], None], stop: asyncio.Event) -> Ports:
    """Serve until the process is to stop, or the box to be reset."""
    folder = _opened(settings)
    resets = reset.asked(folder.path)
    if settings.watch is not None:
        settings.watch.tell()
    http = open_sockets(list(settings.listen), settings.http_port)
    https = open_sockets(list(settings.listen), settings.https_port)
    ports = ports_of(http, https)
    folder.check()
    first_pin = None if pin.exists(folder.pin) else _new_pin(folder)
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
            public_resolvers=settings.public_resolvers,
            maintenance=settings.maintenance,
            proxies=Proxies(setting=settings.proxy),
            watch=settings.watch,
        ),
    )
    leave_the_compiler_out()
    knocks = Knocks()
    context = _first_context(folder, store, settings.addresses)
    listener = Listener(homepage_app(agent, knocks=knocks), context, knocks=knocks)
    agent.serve_with(lambda path: listener.swap(tls.server_context(path)))
    await listener.start(http, https)
    _remember(folder, ports, settings)
    log.info("the homepage is served", http_port=ports.http, https_port=ports.https)
    _stop_by_signals(stop)
    _on_hang_up(agent, store, listener)
    manager = ServiceManager(notify_socket())
    manager.ready(f"The homepage is served on the ports {ports.http} and {ports.https}.")
    started(Started(ports=ports, addresses=agent.facts().addresses, new_pin=first_pin))
    works = [agent.run(), *_hand_over(folder, store, agent, settings.deploy)]
    if (patience := watchdog_seconds()) is not None:
        works.append(give_signs_of_life(manager, patience, _own_host(settings), ports.https))
    if settings.watchdog is not None:
        works.append(end_when_stuck(settings.watchdog, _own_host(settings), ports.https))
    await _work_until(_end(stop, folder, resets), works)
    if stop.is_set():
        manager.stopping()
    log.info("stopping")
    await listener.stop()
    return ports


def _opened(settings: BoxSettings) -> Folder:
    """Open the folder and the log; a reset that was asked for, now or before this process began, comes first."""
    folder = Folder(settings.folder)
    if not reset.asked(folder.path):
        _write_logs(folder, to_stderr=settings.log_to_stderr)
        return folder
    write_logs()  # no file of the log is held while it is removed
    left = reset.finish(folder.path)
    folder = Folder(settings.folder)
    _write_logs(folder, to_stderr=settings.log_to_stderr)
    if left:
        log.error("the reset to factory settings is not complete", left=left)
    else:
        log.warning("the box was reset to factory settings")
    return folder


async def _end(stop: asyncio.Event, folder: Folder, resets: int) -> None:
    """Wait until the process is told to stop, or another reset is asked for than one that could not be completed."""
    while not stop.is_set() and reset.asked(folder.path) in (0, resets):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GLANCE):
                await stop.wait()


def _hand_over(
    folder: Folder, store: CertificateStore, agent: Agent, written: object
) -> list[Coroutine[None, None, None]]:
    """Have the certificate given to other programs, if the settings name any."""
    if not written:
        return []
    from lancert.box.deploy.keeper import Keeper  # most boxes have nobody to give it to
    from lancert.box.deploy.reading import parse_targets

    targets, complaints = parse_targets(written)
    keeper = Keeper(folder, store, targets, complaints, now=agent.now)
    agent.other_programs.keeper = keeper
    return [keeper.run()]


def _own_host(settings: BoxSettings) -> str:
    return settings.listen[0] if settings.listen else "127.0.0.1"


def _first_context(folder: Folder, store: CertificateStore, addresses: tuple[Address, ...]) -> ssl.SSLContext:
    """Serve what is stored; the stop-gap only when nothing usable is."""
    if store.generation is not None:
        try:
            return tls.server_context(store.generation.path)
        except (OSError, ssl.SSLError) as error:
            log.error("the stored certificate could not be put into service", detail=str(error))
    try:
        if folder.stop_gap.is_dir():
            set_aside(folder.stop_gap)
        return _stop_gap(folder.stop_gap, addresses)
    except OSError as error:
        log.error("the stop-gap could not be written", detail=str(error))
    # The homepage is there to say what is wrong with the disk, so it must not depend on it.
    import tempfile  # half a megabyte for a disk that fails

    with tempfile.TemporaryDirectory() as elsewhere:
        return _stop_gap(Path(elsewhere) / folder.stop_gap.name, addresses)


def _stop_gap(path: Path, addresses: tuple[Address, ...]) -> ssl.SSLContext:
    tls.write_stop_gap(path, addresses or network.addresses(), SystemClock().now())
    return tls.server_context(path)


def _remember(folder: Folder, ports: Ports, settings: BoxSettings) -> None:
    try:
        folder.listens(ports, _own_host(settings), settings.addresses)
    except OSError as error:
        log.error("the ports could not be kept for the other commands", detail=str(error))


def _new_pin(folder: Folder) -> str | None:
    """Make the first PIN; without a disk to keep it on there is none, and nothing can be changed by it."""
    try:
        folder.make_way(folder.pin.name)
        return pin.new_pin(folder.pin)
    except OSError as error:
        log.error("no PIN could be made", detail=str(error))
        return None


def _write_logs(folder: Folder, *, to_stderr: bool) -> None:
    chosen = folder.log_level()
    level = chosen.level if chosen else NORMAL
    try:
        if folder.log_file.parent.exists() and not folder.log_file.parent.is_dir():
            set_aside(folder.log_file.parent)
        write_logs(to_file=folder.log_file, to_stderr=to_stderr, level=level)
    except OSError as error:
        write_logs(to_stderr=True, level=level)
        log.error("the log cannot be written to its file", detail=str(error))
    # The web server's own messages are about what strangers send; they are kept out of the log and off the terminal.
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _stop_by_signals(stop: asyncio.Event) -> None:
    """Set an event when the process is told to stop; from here on a signal ends nothing abruptly."""
    system.when_told_to_stop(stop.set)


def _on_hang_up(agent: Agent, store: CertificateStore, listener: Listener) -> None:
    """Have SIGHUP, which ``systemctl reload`` sends, look at the folder and serve what is stored there now."""

    def look_again() -> None:
        try:
            store.check()
            if store.generation is not None:
                listener.swap(tls.server_context(store.generation.path))
        except OSError as error:
            log.error("the stored certificate could not be put into service", detail=str(error))
        agent.look_again()

    system.when_told_to_look_again(look_again)


async def _work_until(end: Coroutine[None, None, None], works: list[Coroutine[None, None, None]]) -> None:
    tasks = [asyncio.create_task(work) for work in works]
    try:
        await end
    finally:
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
