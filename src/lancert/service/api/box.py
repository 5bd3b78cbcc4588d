"""The box protocol, version 1: enrolments, certificates, reports (``protocol.messages``).

Every request is signed (``protocol.signatures``); the signature is checked before anything is looked up or written
(S-50). An unknown identity gets the answer a wrong signature gets (S-39).
"""

import hashlib
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple, TypeVar

from lancert.kit.clock import Clock
from lancert.kit.logs import Log
from lancert.protocol.messages import (
    CertificateRequest,
    EnrolmentAnswer,
    EnrolmentRequest,
    NotAMessage,
    ReportAnswer,
    ReportRequest,
    decode,
    encode,
)
from lancert.protocol.names import AddressRanges, Zone
from lancert.protocol.signatures import Identity, NotSigned, verify
from lancert.service.api.answers import certificate_answer
from lancert.service.api.exchange import Answer, Asking
from lancert.service.api.problems import (
    CSR_REFUSED,
    KEY_NOT_USABLE,
    MALFORMED,
    METHOD_NOT_ALLOWED,
    NOT_AUTHENTICATED,
    NOT_JSON,
    PRIVATE_KEY_POSTED,
    REFUSED,
    REPLAYED,
    TOO_MANY,
    ApiProblem,
    retry_after,
)
from lancert.service.decision import Asked, Objection, Reject
from lancert.service.ed25519 import check_with_libsodium
from lancert.service.eligibility import NOT_RECOGNISED
from lancert.service.enrolment import Enrolled, NotRecognised, Repeated, enrol
from lancert.service.issuance import Desk, Granted, Refused
from lancert.service.limits import Buckets, Rates
from lancert.service.reports import NotAReport, keep_report, read_report
from lancert.service.signing_request import PrivateKeyPosted, RequestRefused, read_signing_request
from lancert.service.store import Connection
from lancert.service.store.boxes import live_box
from lancert.service.store.issuances import block_keys
from lancert.service.store.writer import Store

NEXT_REPORT: Final = 3600
"""Seconds until a box reports again."""

_log = Log("service.api")
_Message = TypeVar("_Message")


class _Signed(NamedTuple):
    """A body whose signature is that of this identity."""

    identity: Identity
    body: bytes

    @property
    def body_hash(self) -> str:
        """Give the SHA-256 of the body in hexadecimal."""
        return hashlib.sha256(self.body).hexdigest()


class BoxApi:
    """Answers the requests of boxes; ``routes`` maps a path to its handler."""

    def __init__(
        self,
        *,
        store: Store,
        desk: Desk,
        chain_pem: Callable[[bytes], str],
        zone: Zone,
        ranges: AddressRanges,
        also_answered: list[str],
        clock: Clock,
        zone_changed: Callable[[], None],
        rates: Rates,
    ) -> None:
        self._store = store
        self._desk = desk
        self._chain_pem = chain_pem
        self._zone = zone
        self._ranges = ranges
        self._also_answered = also_answered
        self._clock = clock
        self._zone_changed = zone_changed
        self._identities = Buckets(rates.per_identity)
        self._sources = Buckets(rates.per_source)
        self._guesses = Buckets(rates.guesses)
        self.routes = {
            "/api/v1/enrolments": self.enrolments,
            "/api/v1/certificates": self.certificates,
            "/api/v1/reports": self.reports,
        }

    async def enrolments(self, asking: Asking) -> Answer:
        """Answer first contact."""
        source, now = asking.source, self._clock.monotonic()
        for buckets in (self._sources, self._guesses):
            _slow_down(buckets, source, now)
        self._sources.take(source, now)
        signed = self._signed(asking)
        request = _decode(EnrolmentRequest, signed.body)
        if not request.name.isprintable():
            raise ApiProblem(MALFORMED, "name: must hold printable characters only")
        outcome = await self._store.write(
            partial(
                enrol,
                request=request,
                identity=signed.identity,
                body_hash=signed.body_hash,
                now=self._clock.now(),
            )
        )
        match outcome:
            case NotRecognised():
                self._guesses.take(source, now)
                _log.warning("credential not recognised", source=source)
                raise ApiProblem(REFUSED, "", reasons=NOT_RECOGNISED.reasons)
            case Repeated():
                raise _rejected(Objection.REPLAYED)
            case Enrolled(box=box, label=label, is_changed=is_changed):
                if is_changed:
                    _log.info("box enrolled", box=box, label=label)
                    self._zone_changed()
                answer = EnrolmentAnswer(box=box, label=label, zone=self._zone, also_answered=self._also_answered)
                return Answer(200, encode(answer))

    async def certificates(self, asking: Asking) -> Answer:
        """Answer a request for a certificate."""
        signed = self._signed(asking)
        message = _decode(CertificateRequest, signed.body)
        try:
            request = read_signing_request(message.csr)
        except PrivateKeyPosted as posted:
            await self._store.write(partial(self._block, signed.identity, posted))
            _log.warning("a private key was posted", identity=signed.identity)
            raise ApiProblem(PRIVATE_KEY_POSTED, _sentence(str(posted))) from None
        except RequestRefused as refused:
            raise ApiProblem(CSR_REFUSED, _sentence(str(refused))) from None
        outcome = await self._desk.ask(
            Asked(
                identity=signed.identity,
                counter=message.counter,
                body_hash=signed.body_hash,
                request=request,
            )
        )
        match outcome:
            case Granted(issuance=issued, certificate=certificate):
                chain = self._chain_pem(certificate)
                written = certificate_answer(
                    chain, issued.not_before, issued.not_after, issued.names[1], tuple(self._also_answered)
                )
                return Answer(200, written)
            case Refused(reasons=reasons):
                criteria = [reason.criterion.value for reason in reasons]
                _log.info("certificate refused", identity=signed.identity, criteria=criteria)
                raise ApiProblem(REFUSED, "", reasons=reasons)
            case Reject(objection=objection, detail=detail):
                _log.info("request for a certificate rejected", identity=signed.identity, objection=objection)
                raise _rejected(objection, detail)

    async def reports(self, asking: Asking) -> Answer:
        """Answer a report."""
        signed = self._signed(asking)
        request = _decode(ReportRequest, signed.body)
        try:
            report = read_report(request, self._ranges)
        except NotAReport as error:
            raise ApiProblem(MALFORMED, str(error)) from None
        outcome = await self._store.write(
            partial(
                keep_report,
                report=report,
                request=request,
                identity=signed.identity,
                body_hash=signed.body_hash,
                now=self._clock.now(),
            )
        )
        if isinstance(outcome, Reject):
            _log.info("report rejected", identity=signed.identity, objection=outcome.objection)
            raise _rejected(outcome.objection, outcome.detail)
        if outcome.is_changed:
            self._zone_changed()
        return Answer(200, encode(ReportAnswer(commands=[], next_report=NEXT_REPORT)))

    def _signed(self, asking: Asking) -> _Signed:
        """Check the signature of a request. Raises ApiProblem."""
        headers = asking.headers
        if asking.method != "POST":
            detail = f"Send this with POST, not with {asking.method[:16]}."
            raise ApiProblem(METHOD_NOT_ALLOWED, detail, headers=((b"allow", b"POST"),))
        if asking.query:
            raise ApiProblem(MALFORMED, "A signed request has no query string.")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiProblem(NOT_JSON, "Send the body as application/json.")
        try:
            identity = verify(
                headers=headers,
                method="POST",
                authority=headers.get("host", ""),
                path=asking.path,
                body=asking.body,
                check=check_with_libsodium,
            )
        except NotSigned as error:
            raise _not_authenticated() from error
        now = self._clock.monotonic()
        _slow_down(self._identities, identity, now)
        self._identities.take(identity, now)
        return _Signed(identity, asking.body)

    def _block(self, identity: Identity, posted: PrivateKeyPosted, connection: Connection) -> None:
        # Only a box that is known can make the list longer.
        if live_box(connection, identity) is not None:
            block_keys(connection, posted.keys, at=self._clock.now(), why="private key posted to the service")


def _decode(kind: type[_Message], body: bytes) -> _Message:
    try:
        return decode(kind, body)
    except NotAMessage as error:
        raise ApiProblem(MALFORMED, str(error)) from None


def _slow_down(buckets: Buckets, key: str, now: float) -> None:
    if seconds := buckets.wait(key, now):
        _log.info("somebody asks too often", who=key, seconds=seconds)
        raise ApiProblem(TOO_MANY, f"Ask again in {seconds} seconds.", headers=(retry_after(seconds),))


def _rejected(objection: Objection, detail: str = "") -> ApiProblem:
    match objection:
        case Objection.NOT_RECOGNISED:
            return _not_authenticated()
        case Objection.REPLAYED:
            return ApiProblem(REPLAYED, "The counter is not greater than the last one that was accepted.")
        case Objection.NAMES_DIFFER:
            return ApiProblem(CSR_REFUSED, _sentence(detail))
        case Objection.KEY_BLOCKED | Objection.KEY_TAKEN:
            return ApiProblem(KEY_NOT_USABLE, detail)


def _not_authenticated() -> ApiProblem:
    return ApiProblem(
        NOT_AUTHENTICATED,
        "Sign the request with the identity key of an IoT system that is enrolled here.",
        headers=((b"www-authenticate", b'Signature tag="lancert-box-1"'),),
    )


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."
