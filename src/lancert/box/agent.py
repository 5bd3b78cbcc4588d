"""The agent: carries out what ``plan`` decides, and owns everything that changes on a box.

One loop does all the loading, so there is never more than one try at a time. It wakes when something is due, when the
homepage is opened, when the server or the credential changed (here or by another process), and every exit of a
try, even by an unknown exception, schedules the next one. The last good certificate is served whatever happens.
"""

import asyncio
import contextlib
import dataclasses
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from lancert import __version__
from lancert.box import keys, network, plan, tries
from lancert.box.client import Unreachable, system_roots
from lancert.box.connecting import connect, offered_roots, unreachable
from lancert.box.conversation import Loaded, NotLoaded, Wish, load
from lancert.box.diagnosis.doctor import diagnose
from lancert.box.diagnosis.result import Finding
from lancert.box.facts import BoxFacts, LastTry, Ports, Server
from lancert.box.folder import Folder
from lancert.box.maintenance import Maintenance
from lancert.box.pin import PinDoor, PinVerdict
from lancert.box.reports import Reports
from lancert.box.requests import SignedRequests
from lancert.box.store import CertificateStore
from lancert.box.time import Timekeeper
from lancert.kit.clock import Clock, SystemClock
from lancert.kit.logs import LEVELS, Log, last_lines, set_level
from lancert.protocol import problems
from lancert.protocol.certificate import public_bytes
from lancert.protocol.credential import Credential
from lancert.protocol.messages import Kind
from lancert.protocol.names import Address
from lancert.protocol.problems import Occurrence

_GLANCE = 2.0  # seconds between two looks at what other processes may have changed
_ADDRESSES_EVERY = 5  # glances

log = Log("box.agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """What an agent is told at its start.

    Without ``addresses`` those of the private networks are found; ``own_host`` is an address it listens on.
    """

    name: str
    kind: Kind
    ports: Ports
    own_host: str = "127.0.0.1"
    addresses: tuple[Address, ...] = ()
    maintenance: Maintenance | None = None
    clock: Clock = field(default_factory=SystemClock)
    chance: Callable[[], float] = random.random


class Agent:
    """One IoT system's side of everything."""

    def __init__(self, folder: Folder, store: CertificateStore, settings: AgentSettings) -> None:
        self._folder = folder
        self._store = store
        self._settings = settings
        certificate, proven = store.stored.usable, folder.proven_moment()
        known_past = [moment for moment in (certificate and certificate.facts.not_before, proven) if moment]
        self._time = Timekeeper(settings.clock, known_past)
        self._requests = SignedRequests(folder, settings.clock, self._time)
        self._reports = Reports(self._requests, self._time)
        self._pin = PinDoor(folder.pin, settings.clock)
        self._wake = asyncio.Event()
        self._log_level = folder.log_level()
        self._swap: Callable[[Path], None] = lambda path: None
        self._is_loading = False
        self._was_asked = False
        self._renewal_asked = folder.renewal_asked()
        self._renewal_taken_up = 0
        self._clock_was_set = False
        self._addresses = settings.addresses or network.addresses()
        self._glances = 0
        self._read_folder()
        last = folder.last_try()
        # A start is a new beginning: the result of the last try is shown, its wait does not count (M2, M8).
        self._last_try = dataclasses.replace(last, next_at=None) if last else None

    def serve_with(self, swap: Callable[[Path], None]) -> None:
        """Say how a new certificate file is put into service."""
        self._swap = swap

    # What the homepage and the command line see

    def now(self) -> datetime:
        """Give the time the agent goes by."""
        return self._time.now()

    def facts(self) -> BoxFacts:
        """Gather what the box knows, without touching the disk."""
        return BoxFacts(
            name=self._settings.name,
            kind=self._settings.kind,
            ports=self._settings.ports,
            server=self._server,
            credential=self._credential,
            enrolment=self._enrolment,
            stored=self._store.stored,
            last_try=self._last_try,
            addresses=self._addresses,
            is_loading=self._is_loading,
            was_asked=self._was_asked,
            renewal_asked=self._renewal_asked not in (0, self._renewal_taken_up),
            log_level=self._log_level,
            clock_is_wrong=self._time.is_wrong,
            clock_was_set=self._clock_was_set,
            maintenance=self._settings.maintenance,
        )

    def homepage_opened(self) -> None:
        """Note that somebody looks; the loop decides whether that starts a try (M8, M11)."""
        self._was_asked = True
        self._wake.set()

    async def check_pin(self, pin: str, source: str) -> tuple[PinVerdict, int]:
        """Check a PIN that was typed; the number is seconds to wait when there were too many tries."""
        return await self._pin.check(pin, source)

    async def connect(self, server: Server, credential: Credential | None) -> None:
        """Connect to a server, trusted by the root with its fingerprint. Raises ConnectRefused."""
        await connect(self._folder, server, credential)
        log.info("connected to a server", server=server.url)
        self._changed()

    def change_credential(self, credential: Credential) -> None:
        """Take a new credential and try with it."""
        self._folder.change_credential(credential)
        log.info("the credential was changed")
        self._changed()

    def renew(self) -> None:
        """Ask for a new certificate although the old one will do."""
        log.info("a new certificate was asked for")
        self._folder.ask_for_renewal()
        self._renewal_asked = self._folder.renewal_asked()
        self._wake.set()

    def set_log_level(self, level: str) -> None:
        """Record more or less. Raises ValueError for an unknown level."""
        if level not in LEVELS:
            raise ValueError(level)
        self._folder.set_log_level(level)
        self._log_level = level
        set_level(level)
        log.info("the log level was changed", level=level)

    def log_lines(self, count: int) -> list[str]:
        """Give the last lines of the log, redacted."""
        return last_lines(self._folder.log_file, count)

    async def diagnose(self) -> Sequence[Finding]:
        """Run the doctor."""
        client = self._requests.client(self._server) if self._server else None
        return await diagnose(self.facts(), client, self.now(), own_host=self._settings.own_host)

    # The loop

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            try:
                await self._turn()
            except Exception:
                log.exception("a turn of the agent failed")
                await asyncio.sleep(_GLANCE)

    async def _turn(self) -> None:
        step = plan.next_step(self.facts(), self._look_at_clock())
        match step:
            case plan.Load(because=plan.DUE | plan.EXPIRED) if self._reports.are_due(self.facts()):
                # The answer to a report tells the time: a clock that is days ahead makes no certificate due.
                await self._report()
                return
            case plan.Load(because=because):
                await self._load(because)
                return
            case plan.Wait(because=None):
                self._was_asked = False
        await self._report()
        await self._sleep(step)

    async def _report(self) -> None:
        if "check-now" in await self._reports.send_when_due(self.facts()):
            self.homepage_opened()

    def _look_at_clock(self) -> datetime:
        """Give the time; when the clock was set, what is waited for moves with it."""
        look = self._time.look()
        if look.jump:
            log.warning("the clock was set", by_seconds=round(look.jump.total_seconds()))
            self._last_try = tries.moved(self._last_try, look.jump)
            self._clock_was_set = tries.failed_by_clock(self._last_try)
            self._reports.soon()
        return look.now

    async def _sleep(self, step: plan.Step) -> None:
        """Wait for whatever comes first: something is due, somebody asks, or something was changed elsewhere."""
        until = step.until if isinstance(step, plan.Wait) else None
        seconds = _GLANCE if until is None else min(_GLANCE, max(0.05, (until - self.now()).total_seconds()))
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)
        self._wake.clear()
        self._glance()

    def _glance(self) -> None:
        if self._folder.stamp() != self._stamp:
            log.info("the settings were changed by another process")
            self._changed()
        self._renewal_asked = self._folder.renewal_asked()
        self._glances += 1
        if self._glances % _ADDRESSES_EVERY == 0 and not self._settings.addresses:
            found = network.addresses()
            if found != self._addresses:
                log.info("the addresses changed", addresses=[str(one) for one in found])
                self._addresses = found
                self._reports.soon()

    def _changed(self) -> None:
        self._read_folder()
        # What failed with the old settings says nothing about the new ones.
        self._last_try = None
        self._was_asked = True
        self._wake.set()

    def _read_folder(self) -> None:
        self._stamp = self._folder.stamp()
        self._server = self._folder.server()
        self._credential = self._folder.credential()
        self._enrolment = self._folder.enrolment()

    # Loading

    async def _load(self, because: str) -> None:
        assert self._server is not None
        server, stamp = self._server, self._stamp
        self._is_loading, self._was_asked, self._renewal_taken_up = True, False, self._renewal_asked
        self._folder.forget_renewal()
        log.info("loading a certificate", because=because, server=server.url)
        try:
            result: Loaded | NotLoaded = await self._converse(server)
            if self._folder.stamp() != stamp:
                return  # the settings changed meanwhile: this answer belongs to the old ones
            last = self._installed() if isinstance(result, Loaded) else self._not_loaded(result)
        except Unreachable as error:
            if error.cause == "untrusted" and self._time.is_off:
                error.cause = "clock"
            log.warning(
                "the server could not be reached",
                cause=error.cause,
                hop=error.hop,
                detail=str(error),
                reference=error.reference,
            )
            last = self._failed(unreachable(error, server))
        except OSError as error:
            reference = log.exception("the certificate could not be stored", detail=str(error))
            last = self._failed(_unexpected(server, reference))
        except Exception:
            last = self._failed(_unexpected(server, log.exception("loading failed unexpectedly")))
        finally:
            self._is_loading = False
        self._last_try, self._clock_was_set = last, False
        try:
            self._folder.tried(last)
        except OSError as error:
            log.error("the result of the try could not be kept", detail=str(error))

    async def _converse(self, server: Server) -> Loaded | NotLoaded:
        key = self._store.pending_key()
        pinned = self._folder.roots()
        client = self._requests.client(server)
        roots = pinned or [*system_roots(), *await offered_roots(client)]
        conversation = load(
            Wish(
                server=server,
                credential=self._credential,
                enrolment=self._enrolment,
                kind=self._settings.kind,
                name=self._settings.name,
                version=__version__,
                csr=keys.signing_request(key),
                public_key=public_bytes(key.public_key()),
                roots=roots,
            ),
            self._requests.next_counter,
            self.now,
        )
        try:
            ask = next(conversation)
            while True:
                ask = conversation.send(await self._requests.send(client, server, ask))
        except StopIteration as end:
            result: Loaded | NotLoaded = end.value
        if result.enrolment is not None and result.enrolment != self._enrolment:
            self._folder.enrolled(result.enrolment)
            self._enrolment = result.enrolment
            log.info("enrolled", box=result.enrolment.box, label=result.enrolment.label)
        if isinstance(result, Loaded):
            generation = self._store.install(
                key, result.chain, renewal_start=result.renewal_start, renewal_end=result.renewal_end
            )
            self._time.certified(generation.installed.facts.not_before)
            self._swap(generation.path)
        return result

    def _installed(self) -> LastTry:
        installed = self._store.stored.usable
        assert installed is not None
        log.info("certificate installed", names=list(installed.facts.names), not_after=installed.facts.not_after)
        self._reports.soon()
        return tries.after_installing(installed, self._look_at_clock(), self._settings.chance)

    def _not_loaded(self, result: NotLoaded) -> LastTry:
        reasons = [reason.criterion.value for reason in result.problem.reasons]
        log.warning(
            "no certificate was given", code=result.problem.code, cause=result.problem.cause_id, reasons=reasons
        )
        return self._failed(result.problem, result.retry_after)

    def _failed(self, problem: Occurrence, header: str | None = None) -> LastTry:
        # The clock first: it moves the try before, and not the one that ends now.
        now = self._look_at_clock()
        return tries.after_failing(self._last_try, problem, header, now, self._settings.chance)


def _unexpected(server: Server, reference: str) -> Occurrence:
    return Occurrence(
        problem=problems.LOAD_REQUEST_EXCEPTION,
        cause_id="unexpected",
        facts={"server": server.url, "reference": reference},
    )
