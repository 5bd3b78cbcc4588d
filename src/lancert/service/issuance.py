"""From a verified request to a certificate, for many requests at once.

Requests that wait together go through the steps together: one unit of work decides all of them and records the
intents; after its commit they are signed, each compared by the authority with what was recorded; a second unit
records the certificates; after its commit everybody is answered. So a crash at any point leaves no signature
without an intent, and asking again completes the same intent (F-53). There is one round at a time, which also means
that no intent is ever signed twice side by side.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lancert.kit.clock import Clock
from lancert.kit.logs import Log
from lancert.protocol.certificate import public_bytes
from lancert.protocol.names import Zone
from lancert.protocol.problems import Reason
from lancert.service.authority import LeafPlan
from lancert.service.counter import LastAccepted, accepted
from lancert.service.decision import (
    Asked,
    Complete,
    GiveAgain,
    Intend,
    Known,
    Refuse,
    Reject,
    decide,
)
from lancert.service.eligibility import EligibilityFacts, status_of
from lancert.service.model import Candidate, Issuance, KeyHash
from lancert.service.signing_request import hash_of_key
from lancert.service.store import Connection
from lancert.service.store import issuances as rows
from lancert.service.store.boxes import add_conflict_sign
from lancert.service.store.subscriptions import subscriptions_of
from lancert.service.store.writer import Store

_MOST_TOGETHER: Final = 128
_BUSY: Final = 4
_GATHER_SECONDS: Final = 0.002
_log = Log("service.issuance")


class Authority(Protocol):
    """What issuance needs of an authority."""

    @property
    def root(self) -> x509.Certificate:
        """Give the root."""
        ...

    @property
    def issuing(self) -> x509.Certificate:
        """Give the certificate whose key signs."""
        ...

    def plan(self, *, names: tuple[str, ...], public_key: bytes, now: datetime) -> LeafPlan:
        """Choose serial and validity period."""
        ...

    def sign(self, plan: LeafPlan) -> bytes:
        """Sign exactly what is planned and give it as DER; raises when it would differ."""
        ...


def issuer_of(authority: Authority) -> str:
    """Name the issuing certificate by its SHA-256 fingerprint."""
    return authority.issuing.fingerprint(hashes.SHA256()).hex()


class Granted(NamedTuple):
    """A certificate, recorded and durable."""

    issuance: Issuance
    certificate: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """No certificate, with all unmet criteria."""

    reasons: tuple[Reason, ...]


class NotSignable(RuntimeError):
    """The authority did not sign what was intended; its log entry says why."""


Outcome = Granted | Refused | Reject


class _Waiting(NamedTuple):
    asked: Asked
    answer: asyncio.Future[Outcome]


class Desk:
    """Takes requests for certificates and serves those that wait together."""

    def __init__(self, *, store: Store, authority: Authority, zone: Zone, clock: Clock) -> None:
        self._store = store
        self._authority = authority
        self._issuer = issuer_of(authority)
        # The keys of the authority itself are nobody else's (S-47).
        self._own_keys = frozenset(
            hash_of_key(public_bytes(own.public_key())) for own in (authority.root, authority.issuing)
        )
        self._zone = zone
        self._clock = clock
        self._signer = ThreadPoolExecutor(1, thread_name_prefix="signer")
        self._waiting: list[_Waiting] = []
        self._round: asyncio.Task[None] | None = None

    async def ask(self, asked: Asked) -> Outcome:
        """Give the outcome of one request once it is durable. Raises StoreUnavailable, NotSignable."""
        waiting = _Waiting(asked, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._round is None:
            self._round = asyncio.create_task(self._serve())
        return await waiting.answer

    async def close(self) -> None:
        """Finish the rounds under way."""
        if self._round is not None:
            await self._round
        self._signer.shutdown()

    async def _serve(self) -> None:
        is_busy = False
        try:
            while self._waiting:
                if is_busy:
                    await self._gather()
                together, self._waiting = _apart(self._waiting)
                try:
                    await self._serve_together(together)
                except Exception as error:
                    _fail(together, error)
                is_busy = is_busy or len(together) >= _BUSY
        finally:
            self._round = None

    async def _gather(self) -> None:
        """Wait while more requests keep coming: others are about to ask, and fewer rounds are fewer commits."""
        waiting = 0
        while waiting < len(self._waiting) < _MOST_TOGETHER:
            waiting = len(self._waiting)
            await asyncio.sleep(_GATHER_SECONDS)

    async def _serve_together(self, together: Sequence[_Waiting]) -> None:
        now = self._clock.now()
        asked = [one.asked for one in together]
        decider = _Decider(
            plan=self._authority.plan, issuer=self._issuer, own_keys=self._own_keys, zone=self._zone, now=now
        )
        steps = await self._store.write(lambda connection: decider.decide_all(connection, asked))
        signed: dict[str, bytes] = {}
        if any(isinstance(step, Issuance) for step in steps):
            signed = await asyncio.get_running_loop().run_in_executor(self._signer, self._sign_all, steps)
            recorded = self._clock.now()
            await self._store.write(lambda connection: rows.finish_intents(connection, signed, recorded))
        for one, step in zip(together, steps, strict=True):
            _answer(one, step, signed)

    def _sign_all(self, steps: Sequence["Outcome | Issuance"]) -> dict[str, bytes]:
        signed = {}
        for step in steps:
            if isinstance(step, Issuance):
                try:
                    signed[step.serial] = self._authority.sign(_plan_of(step))
                except Exception:
                    _log.exception("the authority did not sign what was intended", serial=step.serial)
        return signed


def _apart(waiting: list[_Waiting]) -> tuple[list[_Waiting], list[_Waiting]]:
    """Take those that can be decided side by side: no box and no key twice."""
    seen: set[str] = set()
    together: list[_Waiting] = []
    later: list[_Waiting] = []
    for one in waiting:
        marks = {one.asked.identity, one.asked.request.key_hash}
        if len(together) < _MOST_TOGETHER and seen.isdisjoint(marks):
            seen |= marks
            together.append(one)
        else:
            later.append(one)
    return together, later


def _answer(one: _Waiting, step: "Outcome | Issuance", signed: dict[str, bytes]) -> None:
    if one.answer.done():
        return
    if not isinstance(step, Issuance):
        one.answer.set_result(step)
    elif (certificate := signed.get(step.serial)) is not None:
        one.answer.set_result(Granted(issuance=step, certificate=certificate))
    else:
        one.answer.set_exception(NotSignable(step.serial))


def _fail(together: Sequence[_Waiting], error: Exception) -> None:
    for one in together:
        if not one.answer.done():
            one.answer.set_exception(error)


@dataclass(slots=True, kw_only=True)
class _Decider:
    """One unit of work: decides over requests and collects what has to be written for them."""

    plan: Callable[..., LeafPlan]
    issuer: str
    own_keys: frozenset[KeyHash]
    zone: Zone
    now: datetime
    intents: list[tuple[Issuance, str]] = field(default_factory=list)
    accepted: list[tuple[int, LastAccepted]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)

    def decide_all(self, connection: Connection, asked: Sequence[Asked]) -> list[Outcome | Issuance]:
        """Give an outcome for each request, or the recorded intent that is to be signed."""
        look_up = _known(connection, asked, self.own_keys)
        steps = [self._decide(connection, one, look_up(one)) for one in asked]
        rows.insert_intents(connection, self.intents, self.now)
        rows.accept_counters(connection, self.accepted, self.now)
        rows.insert_refusals(connection, self.refused, self.now)
        return steps

    def _decide(self, connection: Connection, asked: Asked, known: Known | None) -> Outcome | Issuance:
        decision = decide(asked, known, zone=self.zone, issuer=self.issuer, now=self.now)
        if known is None:
            assert isinstance(decision, Reject)
            return decision
        match decision:
            case Reject():
                if decision.is_fork:
                    add_conflict_sign(connection, known.candidate.number, asked.counter)
                return decision
            case GiveAgain(issuance=issuance):
                assert issuance.certificate is not None
                return Granted(issuance=issuance, certificate=issuance.certificate)
            case Refuse(reasons=reasons):
                self._accept(asked, known)
                self.refused.append((known.candidate.number, described(known.facts, reasons)))
                return Refused(reasons=reasons)
            case Complete(issuance=issuance, is_new=is_new):
                if is_new:
                    self._accept(asked, known)
                return issuance
            case Intend(names=names):
                intent = self._intent(known.candidate, names, asked)
                self.intents.append((intent, described(known.facts)))
                self._accept(asked, known)
                return intent

    def _intent(self, box: Candidate, names: tuple[str, ...], asked: Asked) -> Issuance:
        plan = self.plan(names=names, public_key=asked.request.public_key, now=self.now)
        return intent_of(plan, box=box.number, key_hash=asked.request.key_hash, issuer=self.issuer)

    def _accept(self, asked: Asked, known: Known) -> None:
        box = known.candidate
        self.accepted.append((box.number, accepted(asked.counter, asked.body_hash, box.last)))


def intent_of(plan: LeafPlan, *, box: int | None, key_hash: KeyHash, issuer: str) -> Issuance:
    """Give the record of what is about to be signed."""
    return Issuance(
        serial=format(plan.serial, "x"),
        box=box,
        key_hash=key_hash,
        public_key=plan.public_key,
        names=plan.names,
        not_before=plan.not_before,
        not_after=plan.not_after,
        issuer=issuer,
    )


def _plan_of(issuance: Issuance) -> LeafPlan:
    """Give back the plan out of its record: what is signed is what was recorded."""
    return LeafPlan(
        serial=int(issuance.serial, 16),
        names=issuance.names,
        public_key=issuance.public_key,
        not_before=issuance.not_before,
        not_after=issuance.not_after,
    )


def sign_intent(authority: Authority, issuance: Issuance) -> bytes:
    """Sign what was recorded, and nothing else."""
    return authority.sign(_plan_of(issuance))


def _known(
    connection: Connection, asked: Sequence[Asked], own_keys: frozenset[KeyHash]
) -> Callable[[Asked], Known | None]:
    """Read everything the decisions depend on, for all requests in a handful of queries."""
    keys = [one.request.key_hash for one in asked]
    found = rows.candidates(connection, [one.identity for one in asked])
    subscriptions = subscriptions_of(connection, sorted({box.contract for box in found.values()}))
    issuances = rows.issuances_of_keys(connection, keys)
    blocked = rows.blocked_among(connection, keys) | own_keys

    def look_up(one: Asked) -> Known | None:
        box = found.get(one.identity)
        if box is None:
            return None
        return Known(
            candidate=box,
            facts=EligibilityFacts(
                environment=box.environment,
                is_duplicated=box.is_duplicated,
                subscriptions=subscriptions.get(box.contract, ()),
                seat=box.seat,
                is_suspended=box.is_suspended,
                has_conflict=box.last.has_conflict,
            ),
            issuances=issuances.get(one.request.key_hash, ()),
            is_blocked=one.request.key_hash in blocked,
        )

    return look_up


def described(facts: EligibilityFacts | None, reasons: Sequence[Reason] = ()) -> str:
    """Write down what was judged and what was not met, for the record (S-93)."""
    if facts is None:
        return "{}"
    return _written(
        facts.environment.value,
        status_of(facts.subscriptions),
        facts.seat,
        tuple(reason.criterion.value for reason in reasons),
    )


@lru_cache(maxsize=1024)
def _written(environment: str, status: str, seat: int | None, reasons: tuple[str, ...]) -> str:
    """Write it once: most boxes of a fleet are judged on the same facts."""
    return json.dumps({"environment": environment, "status": status, "seat": seat, "reasons": reasons})
