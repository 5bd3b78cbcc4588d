"""The conversation that loads a certificate, without a network: a generator that yields requests and is sent answers.

The same generator serves the real network and the tests. It enrols when it must, asks for the certificate, enrols
again once if the service does not know the box any more, and turns every answer into a certificate or a problem.
What is in an answer is believed only after ``check_chain``: our key, our names, the expected root (F-31).
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cryptography import x509

from lancert.box.facts import Enrolment, Server, known_options
from lancert.kit.clock import from_text
from lancert.kit.logs import Log
from lancert.protocol import problems
from lancert.protocol.certificate import NotAChain, NotOurs, check_chain, read_chain
from lancert.protocol.credential import Credential
from lancert.protocol.messages import (
    CertificateAnswer,
    CertificateRequest,
    Counter,
    EnrolmentAnswer,
    EnrolmentRequest,
    Kind,
    NotAMessage,
    ProblemAnswer,
    decode,
    encode,
)
from lancert.protocol.names import Label, NotAZone, certificate_names, is_label, parse_zone
from lancert.protocol.problems import Criterion, Occurrence, Reason

log = Log("box.conversation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request to be signed and sent."""

    path: str
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came back. ``media_type`` is lower-case without parameters, ``server_time`` the Date of a proven server."""

    status: int
    media_type: str
    body: bytes
    retry_after: str | None = None
    server_time: datetime | None = None
    location: str | None = None

    def shows_a_wrong_clock(self, now: datetime) -> bool:
        """Say whether the clock of this box differs from the server's by more than five minutes."""
        return self.server_time is not None and abs(self.server_time - now) > timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A chain that is ours, checked, with the window in which the service would like it renewed."""

    enrolment: Enrolment
    chain: tuple[x509.Certificate, ...]
    renewal_start: datetime
    renewal_end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NotLoaded:
    """No certificate, and why. ``retry_after`` is the header as it came."""

    problem: Occurrence
    enrolment: Enrolment | None
    retry_after: str | None = None


Conversation = Generator[Ask, Answered, Loaded | NotLoaded]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a box brings to the conversation. ``public_key`` is the SubjectPublicKeyInfo of the key behind ``csr``."""

    server: Server
    credential: Credential
    enrolment: Enrolment | None
    kind: Kind
    name: str
    version: str
    csr: str
    public_key: bytes
    roots: Sequence[x509.Certificate] = field(default_factory=tuple)


def load(wish: Wish, next_counter: Callable[[], Counter], now: Callable[[], datetime]) -> Conversation:
    """Hold the conversation that loads a certificate."""
    enrolment = wish.enrolment
    answered: Answered | None = None
    for _ in range(2):
        if enrolment is None:
            enrolled = yield from _enrol(wish, next_counter)
            if isinstance(enrolled, NotLoaded):
                return enrolled
            enrolment = enrolled
        request = CertificateRequest(counter=next_counter(), csr=wish.csr)
        answered = yield Ask(path="/api/v1/certificates", body=encode(request))
        if answered.status != 401 or wish.enrolment is None:
            break
        # The service does not know this box (any more): it introduces itself again, once.
        enrolment = None
    assert answered is not None
    if answered.status != 200 or answered.media_type != "application/json":
        return NotLoaded(
            problem=problem_of(answered, wish.server), enrolment=enrolment, retry_after=answered.retry_after
        )
    assert enrolment is not None
    return _take(answered, wish, enrolment, now())


def _enrol(wish: Wish, next_counter: Callable[[], Counter]) -> Generator[Ask, Answered, Enrolment | NotLoaded]:
    assert wish.credential.contract is not None
    assert wish.credential.database is not None
    request = EnrolmentRequest(
        counter=next_counter(),
        contract=wish.credential.contract.reveal(),
        database=wish.credential.database.reveal(),
        kind=wish.kind,
        name=wish.name,
        version=wish.version,
    )
    answered = yield Ask(path="/api/v1/enrolments", body=encode(request))
    if answered.status not in (200, 201) or answered.media_type != "application/json":
        return NotLoaded(problem=problem_of(answered, wish.server), enrolment=None, retry_after=answered.retry_after)
    try:
        answer = decode(EnrolmentAnswer, answered.body, ignore_unknown=True)
        if not is_label(answer.label):
            raise NotAMessage("label", "is not a label")
        return Enrolment(
            box=answer.box,
            label=Label(answer.label),
            zone=parse_zone(answer.zone),
            also_answered=known_options(answer.also_answered),
        )
    except (NotAMessage, NotAZone) as error:
        return NotLoaded(problem=_unusable(wish.server, str(error)), enrolment=None)


def _take(answered: Answered, wish: Wish, enrolment: Enrolment, now: datetime) -> Loaded | NotLoaded:
    # The Date of an answer came from a server that proved itself, so it counts more than a clock that may say 1970.
    moment = answered.server_time if answered.server_time and answered.shows_a_wrong_clock(now) else now
    try:
        answer = decode(CertificateAnswer, answered.body, ignore_unknown=True)
        chain = read_chain(answer.chain.encode())
        check_chain(
            chain,
            names=certificate_names(enrolment.label, enrolment.zone),
            public_key=wish.public_key,
            roots=wish.roots,
            now=moment,
        )
        start, end = from_text(answer.renewal.start), from_text(answer.renewal.end)
    except (NotAMessage, NotAChain, NotOurs, ValueError) as error:
        return NotLoaded(problem=_unusable(wish.server, str(error)), enrolment=enrolment)
    # What the zone answers may have changed since the enrolment.
    enrolment = replace(enrolment, also_answered=known_options(answer.also_answered))
    return Loaded(enrolment=enrolment, chain=chain, renewal_start=start, renewal_end=end)


def _unusable(server: Server, detail: str) -> Occurrence:
    log.error("the answer cannot be used", detail=detail)
    return Occurrence(problem=problems.LOAD_REQUEST_NO_RESULT, cause_id="unusable-answer", facts={"server": server.url})


def problem_of(answered: Answered, server: Server) -> Occurrence:
    """Turn any answer but a good one into its problem.

    A refusal is recognised by status, media type and problem type together: a bare 403 comes from a proxy.
    """
    refusal = _problem_answer(answered)
    if answered.status == 403 and refusal is not None and refusal.type == ProblemAnswer.REFUSED:
        return Occurrence(
            problem=problems.LOAD_REQUEST_NO_RESULT,
            cause_id="refused",
            facts={"server": server.url},
            reasons=tuple(_reasons(refusal)),
        )
    if answered.status == 511 or answered.status in (200, 301, 302, 303, 307, 308):
        cause = "captive-portal" if answered.status == 511 or answered.media_type != "application/json" else None
        if cause is not None:
            return Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id=cause, facts={"server": server.url})
    return Occurrence(
        problem=problems.LOAD_REQUEST_STATUS,
        cause_id=_cause_of_status(answered, refusal is not None),
        facts={"server": server.url, "status": f"{answered.status:03}"},
    )


def _problem_answer(answered: Answered) -> ProblemAnswer | None:
    if answered.media_type != ProblemAnswer.MEDIA_TYPE:
        return None
    try:
        return decode(ProblemAnswer, answered.body, ignore_unknown=True)
    except NotAMessage:
        return None


def _reasons(refusal: ProblemAnswer) -> list[Reason]:
    known = {criterion.value for criterion in Criterion}
    return [
        Reason(criterion=Criterion(reason.criterion), facts=reason.facts)
        for reason in refusal.reasons
        if reason.criterion in known
    ]


def _cause_of_status(answered: Answered, from_service: bool) -> str | None:
    if answered.status in (429, 502, 503, 504):
        return "maintenance"
    if answered.status == 404:
        return "not-found"
    if from_service and 400 <= answered.status < 500:
        return "request-refused"
    if answered.media_type == "text/html":
        return "intermediary"
    return None
