"""The messages of the box protocol, version 1; both sides read them with the one decoder of ``codec``.

A message is a frozen dataclass; what each field may hold stands beside it. The service refuses fields it does not
know; the box ignores them in an answer, so that a newer service can talk to an older box. No field of any message
can carry a private key (S-01).
"""

import dataclasses
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from lancert.protocol.codec import Many as Many
from lancert.protocol.codec import NotAMessage as NotAMessage
from lancert.protocol.codec import Number as Number
from lancert.protocol.codec import Text as Text
from lancert.protocol.codec import decode as decode
from lancert.protocol.codec import encode as encode
from lancert.protocol.codec import shape_of as shape_of

PROBLEM_TYPE = "urn:lancert:problem:"
"""What the ``type`` of every problem document of the service begins with (RFC 9457)."""

BODY_LIMIT = 16_384
"""The largest body of a request, in bytes."""

ANSWER_LIMIT = 65_536
"""The largest answer a box reads, in bytes."""


class Kind(StrEnum):
    """The two kinds of IoT system of the product."""

    BOX = "iot-box"
    VIRTUAL = "virtual"


class ZoneOption(StrEnum):
    """What a zone may answer beyond RFC 1918 and RFC 4193, when its operator says so."""

    SHARED = "shared"
    """100.64.0.0/10 (RFC 6598)."""

    LINK_LOCAL = "link-local"
    """169.254.0.0/16 (RFC 3927) and fe80::/10."""


Count = Annotated[int, Number(0, 2**53 - 1)]
Moment = Annotated[str, Text(20, pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")]
Version = Annotated[str, Text(32, pattern=r"[0-9A-Za-z.+-]+")]
Pem = Annotated[str, Text(32_768)]
AlsoAnswered = Annotated[list[Annotated[str, Text(32, pattern=r"[a-z][a-z-]*")]], Many(8)]
"""Options of the zone (``ZoneOption``). An older service does not say any, an older box does not read them, and a box
passes over one that it does not know."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Counter:
    """What makes a signed request new without clock or nonce: ``boot`` rises at each start, ``count`` in between."""

    boot: Count
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentRequest:
    """First contact: the credential and who the box is. Signed by the identity it names."""

    counter: Counter
    contract: Annotated[str, Text(64, least=3)]
    database: Annotated[str, Text(36, least=36)]
    kind: Kind
    name: Annotated[str, Text(64)]
    version: Version


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolmentAnswer:
    """Who the box is to the service, and the name space that is its own."""

    box: Annotated[str, Text(64)]
    label: Annotated[str, Text(16, least=16, pattern=r"[a-z2-7]{16}")]
    zone: Annotated[str, Text(180)]
    also_answered: AlsoAnswered = dataclasses.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateRequest:
    """A certificate signing request (RFC 2986) in PEM: a public key with proof of possession, nothing else counts."""

    counter: Counter
    csr: Annotated[str, Text(4096)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewalWindow:
    """When the service would like the certificate renewed (after RFC 9773, 4.2)."""

    start: Moment
    end: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateAnswer:
    """The chain in PEM, leaf first and without the root, with what the box needs to plan."""

    chain: Pem
    not_before: Moment
    not_after: Moment
    renewal: RenewalWindow
    url_suffix: Annotated[str, Text(253)]
    also_answered: AlsoAnswered = dataclasses.field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCertificate:
    """The certificate a box serves: serial in lower-case hexadecimal, and its end."""

    serial: Annotated[str, Text(40, pattern=r"[0-9a-f]+")]
    not_after: Moment


class CheckVerdict(StrEnum):
    """How a check of a box's doctor ended."""

    FINE = "fine"
    WRONG = "wrong"
    NOT_TRIED = "not-tried"


Word = Annotated[str, Text(40, pattern=r"[a-z][a-z0-9-]*")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedCheck:
    """One line of the doctor's table: the check, how it ended, and why in one word of a fixed list."""

    check: Word
    verdict: CheckVerdict
    because: Annotated[str, Text(40, least=0, pattern=r"[a-z0-9-]*")] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedDiagnosis:
    """What the doctor of a box found last; no address and no name of the shop is in it."""

    at: Moment
    checks: Annotated[list[ReportedCheck], Many(24)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """What a box tells about itself: addresses (default route first), certificate, problems by full code.

    ``diagnosis`` is left out by a box that knows none, also by an older one.
    """

    counter: Counter
    version: Version
    addresses: Annotated[list[Annotated[str, Text(45)]], Many(16)]
    certificate: ReportedCertificate | None
    problems: Annotated[list[Annotated[str, Text(80)]], Many(16)]
    diagnosis: ReportedDiagnosis | None = None


class Command(StrEnum):
    """What the service may ask of a box."""

    CHECK_NOW = "check-now"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportAnswer:
    """What waits for the box, and when to report next, in seconds."""

    commands: Annotated[list[Annotated[str, Text(40)]], Many(16)]
    next_report: Annotated[int, Number(10, 86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCriterion:
    """One unmet criterion on the wire: its code, the facts of it, and sentences for people without a catalogue."""

    criterion: Annotated[str, Text(64, pattern=r"[a-z][a-z-]*")]
    facts: dict[str, str]
    meaning: Annotated[str, Text(500)]
    remedy: Annotated[str, Text(500)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemAnswer:
    """A problem document (RFC 9457); ``reasons`` are there when the service refused."""

    MEDIA_TYPE: ClassVar[str] = "application/problem+json"
    REFUSED: ClassVar[str] = PROBLEM_TYPE + "refused"

    type: Annotated[str, Text(200)]
    title: Annotated[str, Text(200)]
    status: Annotated[int, Number(100, 599)]
    detail: Annotated[str, Text(1000, least=0)] = ""
    reasons: Annotated[list[RefusedCriterion], Many(16)] = dataclasses.field(default_factory=list)
