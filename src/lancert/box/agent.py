"""The agent: carries out what ``plan`` decides, and owns everything that changes on a box.

One loop does all the loading, so there is never more than one try at a time. It wakes when something is due, when the
homepage is opened, when the server or the credential changed (here or by another process), and every exit of a
try, even by an unknown exception, schedules the next one. The last good certificate is served whatever happens.
"""

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from lancert import __version__
from lancert.box import disk, keys, plan, reset, tries
from lancert.box.agent_settings import AgentSettings
from lancert.box.client import Unreachable, system_roots
from lancert.box.connecting import connect, offered_roots, unreachable
from lancert.box.conversation import Loaded, NotLoaded, Wish, load
from lancert.box.deploy.beside import OtherPrograms
from lancert.box.diagnosis.result import Finding
from lancert.box.diagnosis.rounds import Rounds
from lancert.box.facts import BoxFacts, LastTry, Server
from lancert.box.folder import Folder
from lancert.box.log_level import LogLevel
from lancert.box.pin import PinDoor, PinVerdict
from lancert.box.reports import Reports
from lancert.box.requests import SignedRequests
from lancert.box.store import CertificateStore
from lancert.box.surroundings import Surroundings
from lancert.box.time import Timekeeper
from lancert.kit.logs import Log, last_lines
from lancert.kit.redaction import keep_out
from lancert.protocol import problems
from lancert.protocol.certificate import public_bytes
from lancert.protocol.credential import Credential
from lancert.protocol.problems import Occurrence

if TYPE_CHECKING:
    from lancert.box.diagnosis.doctor import Patient

_GLANCE = 2.0  # seconds between two looks at what other processes may have changed

log = Log("box.agent")


class Agent:
    """One IoT system's side of everything."""

    def __init__(self, folder: Folder, store: CertificateStore, settings: AgentSettings) -> None:
        self._folder = folder
        self._store = store
        self._settings = settings
        certificate, proven = store.stored.usable, folder.proven_moment()
        known_past = [moment for moment in (certificate and certificate.facts.not_before, proven) if moment]
        self._time = Timekeeper(settings.clock, known_past)
        self._disk = disk.DiskWatch(folder.path)
        self._disk_takes_writes_again = False
        self._requests = SignedRequests(folder, settings.clock, self._time, settings.proxies)
        self._reports = Reports(self._requests, self._time)
        self._rounds = Rounds(self._make_a_round, now=self.now, monotonic=self._time.monotonic, news=self._reports.soon)
        self._pin = PinDoor(folder.pin, settings.clock)
        self._wake = asyncio.Event()
        self._log_level = LogLevel(folder, self._time)
        self._swap: Callable[[Path], None] = lambda path: None
        self.other_programs = OtherPrograms()
        self._is_loading = False
        self._was_asked = False
        self._renewal_asked = folder.renewal_asked()
        self._renewal_taken_up = 0
        self._clock_was_set = False
        self._surroundings = Surroundings(settings.addresses)
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
            addresses=self._surroundings.addresses,
            interfaces=self._surroundings.interfaces,
            answers=self._surroundings.answers,
            is_loading=self._is_loading,
            was_asked=self._was_asked,
            renewal_asked=self._renewal_asked not in (0, self._renewal_taken_up),
            log_level=self._log_level.level,
            log_level_until=self._log_level.until,
            clock_is_wrong=self._time.is_wrong,
            clock_was_set=self._clock_was_set,
            disk_takes_writes_again=self._disk_takes_writes_again,
            maintenance=self._settings.maintenance,
            notices=(
                *(self._settings.watch.notices if self._settings.watch else ()),
                *self._notices,
                *self._disk.notices(tries.disk_cause(self._last_try)),
                *self.other_programs.notices(),
            ),
            handed_over=self.other_programs.handed_over(),
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
        await connect(self._folder, server, credential, proxies=self._settings.proxies)
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
        """Record more or less for a day. Raises ValueError for an unknown level."""
        self._log_level.choose(level)

    def log_lines(self, count: int) -> list[str]:
        """Give the last lines of the log, redacted."""
        return last_lines(self._folder.log_file, count)

    def log_bundle(self, findings: Sequence[Finding] | None) -> bytes:
        """Give everything that helps to find a cause as one zip file, without any secret."""
        from lancert.box.bundle import Told, make_bundle  # hardly ever needed

        proxies = self._settings.proxies
        return make_bundle(self._folder, Told(facts=self.facts(), now=self.now(), findings=findings, proxies=proxies))

    def reset(self) -> str:
        """Have everything removed that this box knows, within seconds; gives the PIN it has then. Raises OSError."""
        log.warning("a reset to factory settings was asked for")
        return reset.ask(self._folder.path)

    async def diagnose(self) -> Sequence[Finding]:
        """Run the doctor."""
        from lancert.box.diagnosis.doctor import diagnose  # 0.8 MB that a start can do without

        findings = await diagnose(self._patient(writes=True))
        self._rounds.take(findings)
        return findings

    async def _make_a_round(self) -> Sequence[Finding]:
        from lancert.box.diagnosis.doctor import diagnose

        return await diagnose(self._patient(writes=False))

    def _patient(self, *, writes: bool) -> "Patient":
        from lancert.box.diagnosis.doctor import Patient

        return Patient(
            facts=self.facts(),
            folder=self._folder,
            client=self._requests.client(self._server) if self._server else None,
            now=self.now(),
            shown=self._settings.clock.now(),
            own_host=self._settings.own_host,
            public_resolvers=self._settings.public_resolvers,
            writes=writes,
        )

    # The loop

    async def run(self) -> None:
        """Work until cancelled."""
        following = asyncio.create_task(self._surroundings.follow(self.facts, self._moved))
        try:
            while True:
                try:
                    await self._turn()
                except Exception:
                    log.exception("a turn of the agent failed")
                    await asyncio.sleep(_GLANCE)
        finally:
            await self._rounds.end()
            following.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await following

    def _moved(self) -> None:
        """Take note of a new address: it is told to the service, and what did not reach it may reach it now."""
        last = self._last_try
        if last is not None and last.problem is not None and last.problem.problem is problems.LOAD_REQUEST_EXCEPTION:
            self._was_asked = True
        self._reports.moved()
        self._wake.set()

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
        self._rounds.look_in(self.facts())
        await self._report()
        await self._sleep(step)

    async def _report(self) -> None:
        if "check-now" in await self._reports.send_when_due(self.facts(), self._rounds.last):
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
        # Not wait_for, which loses a cancellation that coincides with the event (CPython issue 86296).
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()
        self._glance()

    def look_again(self) -> None:
        """Look at the folder at once, as ``systemctl reload`` asks for."""
        self._wake.set()

    def _glance(self) -> None:
        self._log_level.look()
        if self._folder.stamp() != self._stamp:
            log.info("the settings were changed by another process")
            self._changed()
        self._renewal_asked = self._folder.renewal_asked()
        if self._settings.watch is not None:
            self._settings.watch.look()
        if self._disk.look() and tries.disk_cause(self._last_try):
            self._disk_takes_writes_again = True

    def _changed(self) -> None:
        self._read_folder()
        # What failed with the old settings says nothing about the new ones.
        self._last_try = None
        self._was_asked = True
        self._wake.set()

    def _read_folder(self) -> None:
        self._folder.check()
        self._notices = self._folder.notices()
        self._stamp = self._folder.stamp()
        self._server = self._folder.server()
        self._credential = self._folder.credential()
        keep_out(half for half in (self._credential.contract, self._credential.database) if half is not None)
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
            self._disk.look()
            last = self._failed(_unexpected(server, reference, disk.cause_of(error)))
        except Exception:
            last = self._failed(_unexpected(server, log.exception("loading failed unexpectedly")))
        finally:
            self._is_loading = False
        self._last_try, self._clock_was_set, self._disk_takes_writes_again = last, False, False
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
            self.other_programs.installed()
            self._surroundings.look_again()
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


def _unexpected(server: Server, reference: str, cause: str | None = None) -> Occurrence:
    return Occurrence(
        problem=problems.LOAD_REQUEST_EXCEPTION,
        cause_id=cause or "unexpected",
        facts={"server": server.url, "reference": reference},
    )
