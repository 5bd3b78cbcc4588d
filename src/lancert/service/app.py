"""Puts the service together: store, authority, DNS and HTTPS in one process, started and stopped in plain calls.

The folder holds everything: ``service.sqlite``, ``authority/``, the service's own certificate, ``service.toml`` for
settings and ``service.json``, which says where the running service listens.
"""

import asyncio
import contextlib
import json
import os
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import hashes

from lancert.dns.server import NameServer
from lancert.dns.zone import NotAGeneration
from lancert.kit.clock import Clock, SystemClock
from lancert.kit.files import AlreadyLocked, lock, private_directory, write_private
from lancert.kit.logs import Log
from lancert.kit.settings import SettingsError
from lancert.protocol.certificate import NotAChain
from lancert.protocol.names import Address, parse_address
from lancert.service.api.app import Api
from lancert.service.api.box import BoxApi
from lancert.service.api.openapi import describe_api
from lancert.service.api.pages import make_pages
from lancert.service.authority import (
    AuthorityUnusable,
    EmbeddedAuthority,
    authority_exists,
    create_authority,
    open_authority,
    read_issuing,
)
from lancert.service.https import live_certificate
from lancert.service.issuance import Desk
from lancert.service.limits import Rates
from lancert.service.revocation import RevocationList
from lancert.service.serving import CannotStart, cannot_listen, listen, port_of, running, serving, url_of
from lancert.service.settings import ServiceSettings
from lancert.service.store.engine import DatabaseLost, StoreUnavailable, open_engine
from lancert.service.store.writer import Store
from lancert.service.zone import ZoneFeed, ZoneFrame, first_facts

READY_FILE: Final = "service.json"
AUTHORITY_FOLDER: Final = "authority"

_log = Log("service")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """Where a running service is to be found: what ``service.json`` holds."""

    url: str
    https_port: int
    http_port: int | None
    dns_port: int | None
    zone: str
    root_file: str
    root_fingerprint: str
    pid: int

    def to_json(self) -> bytes:
        """Write it for programs."""
        return json.dumps({name: getattr(self, name) for name in self.__dataclass_fields__}, indent=1).encode() + b"\n"


async def run(
    settings: ServiceSettings,
    *,
    on_ready: Callable[[Ready], None],
    stop: asyncio.Event | None = None,
    clock: Clock | None = None,
    rates: Rates | None = None,
    signals: bool = True,
    may_begin_anew: bool = False,
) -> None:
    """Run the service until SIGTERM, SIGINT or ``stop``. Raises CannotStart.

    A program that runs the service in a thread of its own hands in ``stop`` and keeps the signals to itself. With
    ``may_begin_anew`` a database that was lost is replaced by an empty one.
    """
    stopping = stop or asyncio.Event()
    with _explained(settings):
        private_directory(settings.folder)
        with lock(settings.folder), _signals(stopping) if signals else contextlib.nullcontext():
            async with _service(settings, clock or SystemClock(), rates or Rates(), may_begin_anew) as ready:
                write_private(settings.folder / READY_FILE, ready.to_json())
                try:
                    on_ready(ready)
                    await stopping.wait()
                finally:
                    (settings.folder / READY_FILE).unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def _service(settings: ServiceSettings, clock: Clock, rates: Rates, may_begin_anew: bool) -> AsyncIterator[Ready]:
    async with contextlib.AsyncExitStack() as stack:
        https_socket = stack.enter_context(listen(settings.listen_host, settings.https_port, "https_port"))
        http_socket = None
        if settings.http_port is not None:
            http_socket = stack.enter_context(listen(settings.listen_host, settings.http_port, "http_port"))
        url = settings.public_url or url_of("https", settings.service_name, https_socket)
        crl_path, authority = _authority(settings, clock, http_socket, url)
        store = Store(open_engine(settings.folder, may_begin_anew=may_begin_anew))
        stack.push_async_callback(store.close)

        dns = NameServer(first_facts(_frame(settings)))
        feed = ZoneFeed(store, dns)
        await feed.refresh()
        if settings.dns_port is not None:
            await _start_dns(dns, settings)
            stack.push_async_callback(dns.stop)
        await stack.enter_async_context(running(feed.run()))

        live = await stack.enter_async_context(live_certificate(settings, authority, store, clock, url))
        desk = Desk(store=store, authority=authority, zone=settings.zone, clock=clock)
        stack.push_async_callback(desk.close)
        boxes = BoxApi(
            store=store,
            desk=desk,
            chain_pem=authority.chain_pem,
            zone=settings.zone,
            ranges=settings.ranges,
            also_answered=settings.also_answered,
            clock=clock,
            zone_changed=feed.wake,
            rates=rates,
        )
        pages = partial(
            make_pages,
            root_pem=authority.root_pem,
            crl=RevocationList(authority, clock).current,
            crl_path=crl_path,
            openapi=describe_api(crl_path=crl_path),
        )
        await stack.enter_async_context(serving(Api(boxes.routes, pages()), https_socket, live.outer))
        if http_socket is not None:
            await stack.enter_async_context(serving(Api({}, pages()), http_socket, None))
        yield Ready(
            url=url,
            https_port=port_of(https_socket),
            http_port=None if http_socket is None else port_of(http_socket),
            dns_port=None if settings.dns_port is None else dns.port,
            zone=settings.zone,
            root_file=f"{AUTHORITY_FOLDER}/root.pem",
            root_fingerprint=authority.root_fingerprint,
            pid=os.getpid(),
        )
        _log.info("the service stops")


def _authority(
    settings: ServiceSettings, clock: Clock, http_socket: socket.socket | None, url: str
) -> tuple[str, EmbeddedAuthority]:
    folder = settings.folder / AUTHORITY_FOLDER
    if not authority_exists(folder):
        create_authority(folder, settings.zone, now=clock.now(), passphrase_file=settings.passphrase_file)
        _log.info("authority created", folder=str(folder))
    # Each issuing certificate has a list of its own, so its leaves keep pointing to the right one after a renewal.
    issuing = read_issuing(folder)
    crl_path = f"/crl/{issuing.fingerprint(hashes.SHA256()).hex()[:16]}.crl"
    crl_url = None if http_socket is None else url_of("http", urlsplit(url).hostname or "", http_socket) + crl_path
    authority = open_authority(
        folder,
        settings.zone,
        now=clock.now(),
        passphrase_file=settings.passphrase_file,
        crl_url=crl_url,
    )
    return crl_path, authority


def _frame(settings: ServiceSettings) -> ZoneFrame:
    address = settings.address or parse_address("127.0.0.1")
    assert address is not None
    own: tuple[Address, ...] = (address,)
    hosts = {"service": own}
    for name in settings.zone_servers:
        if name.endswith(f".{settings.zone}"):
            hosts[name.removesuffix(f".{settings.zone}")] = own
    return ZoneFrame(zone=settings.zone, ranges=settings.ranges, name_servers=settings.zone_servers, hosts=hosts)


async def _start_dns(dns: NameServer, settings: ServiceSettings) -> None:
    assert settings.dns_port is not None
    try:
        await dns.start(settings.listen_dns, settings.dns_port)
    except OSError as error:
        raise CannotStart(cannot_listen("dns_port", settings.listen_dns, settings.dns_port, error)) from error


@contextlib.contextmanager
def _signals(stopping: asyncio.Event) -> Iterator[None]:
    loop = asyncio.get_running_loop()
    if os.name != "posix":
        yield
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    try:
        yield
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def _explained(settings: ServiceSettings) -> Iterator[None]:
    """Turn what goes wrong at the start into a sentence for the operator."""
    try:
        yield
    except AlreadyLocked as error:
        raise CannotStart(
            f"Another service runs on {settings.folder}; stop it first, or name another folder."
        ) from error
    except (AuthorityUnusable, SettingsError) as error:
        raise CannotStart(str(error)) from error
    except NotAGeneration as error:
        raise CannotStart(f"The zone cannot be served: {error}. Check name_servers and address.") from error
    except DatabaseLost as error:
        raise CannotStart(str(error)) from error
    except StoreUnavailable as error:
        raise CannotStart(f"{error}. If the file is damaged, put it back from the backup.") from error
    except NotAChain as error:
        raise CannotStart(f"The certificate file cannot be used: {error}.") from error
    except ssl.SSLError as error:
        raise CannotStart(f"The certificate and key of the service do not fit together: {error.reason}.") from error
    except PermissionError as error:
        raise CannotStart(f"No right to use {error.filename or settings.folder}: run as its owner.") from error
