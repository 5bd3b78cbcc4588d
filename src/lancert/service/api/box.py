"""The box protocol, version 1: enrolments, certificates, reports (``protocol.messages``).

Every request is signed (``protocol.signatures``); the signature is checked before anything is looked up or written
(S-50). An unknown identity gets the answer a wrong signature gets (S-39).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

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
from lancert.service.api.asgi import Receive, Scope, Send, read_body, send_answer
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


@dataclass(frozen=True, slots=True)
class _Signed:
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
        clock: Clock,
        zone_changed: Callable[[], None],
        rates: Rates,
    ) -> None:
        self._store = store
        self._desk = desk
        self._chain_pem = chain_pem
        self._zone = zone
        self._ranges = ranges
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

    async def enrolments(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer first contact."""
        source, now = _source(scope), self._clock.monotonic()
        for buckets in (self._sources, self._guesses):
            _slow_down(buckets, source, now)
        self._sources.take(source, now)
        signed = await self._signed(scope, receive)
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
                await send_answer(send, 200, encode(EnrolmentAnswer(box=box, label=label, zone=self._zone)))

    async def certificates(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request for a certificate."""
        signed = await self._signed(scope, receive)
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
                answer = certificate_answer(chain, issued.not_before, issued.not_after, issued.names[1])
                await send_answer(send, 200, answer)
            case Refused(reasons=reasons):
                criteria = [reason.criterion.value for reason in reasons]
                _log.info("certificate refused", identity=signed.identity, criteria=criteria)
                raise ApiProblem(REFUSED, "", reasons=reasons)
            case Reject(objection=objection, detail=detail):
                _log.info("request for a certificate rejected", identity=signed.identity, objection=objection)
                raise _rejected(objection, detail)

    async def reports(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a report."""
        signed = await self._signed(scope, receive)
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
        await send_answer(send, 200, encode(ReportAnswer(commands=[], next_report=NEXT_REPORT)))

    async def _signed(self, scope: Scope, receive: Receive) -> _Signed:
        """Read a request and check its signature. Raises ApiProblem."""
        headers = _headers(scope)
        if scope["method"] != "POST":
            detail = f"Send this with POST, not with {scope['method'][:16]}."
            raise ApiProblem(METHOD_NOT_ALLOWED, detail, headers=((b"allow", b"POST"),))
        if scope["query_string"]:
            raise ApiProblem(MALFORMED, "A signed request has no query string.")
        if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise ApiProblem(NOT_JSON, "Send the body as application/json.")
        body = await read_body(receive, headers.get("content-length"))
        try:
            identity = verify(
                headers=headers,
                method="POST",
                authority=headers.get("host", ""),
                path=scope["path"],
                body=body,
                check=check_with_libsodium,
            )
        except NotSigned as error:
            raise _not_authenticated() from error
        now = self._clock.monotonic()
        _slow_down(self._identities, identity, now)
        self._identities.take(identity, now)
        return _Signed(identity, body)

    def _block(self, identity: Identity, posted: PrivateKeyPosted, connection: Connection) -> None:
        # Only a box that is known can make the list longer.
        if live_box(connection, identity) is not None:
            block_keys(connection, posted.keys, at=self._clock.now(), why="private key posted to the service")


def _headers(scope: Scope) -> Mapping[str, str]:
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers.clear()
    for key, text in pairs:
        # A header that is there twice is one list (RFC 9110, 5.3), which no signature of ours survives.
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _decode(kind: type[_Message], body: bytes) -> _Message:
    try:
        return decode(kind, body)
    except NotAMessage as error:
        raise ApiProblem(MALFORMED, str(error)) from None


def _slow_down(buckets: Buckets, key: str, now: float) -> None:
    if seconds := buckets.wait(key, now):
        _log.info("somebody asks too often", who=key, seconds=seconds)
        raise ApiProblem(TOO_MANY, f"Ask again in {seconds} seconds.", headers=(retry_after(seconds),))


def _source(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


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
