"""What the tests of the box start from: a connected box, its certificate, the last try, as plain values."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from lancert.box.facts import (
    BoxFacts,
    Enrolment,
    InstalledCertificate,
    LastTry,
    Outcome,
    Ports,
    Server,
    StoredCertificate,
)
from lancert.kit.secret import Secret
from lancert.protocol import problems
from lancert.protocol.certificate import CertificateFacts
from lancert.protocol.credential import Credential
from lancert.protocol.messages import Kind
from lancert.protocol.names import DEMO_ZONE, Label, certificate_names
from lancert.protocol.problems import Criterion, Occurrence, Reason

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

LABEL = Label("k3v7q2m4x5a6b7c2")
OTHER_LABEL = Label("aaaaaaaaaaaaaaaa")
NAMES = certificate_names(LABEL, DEMO_ZONE)
ENROLMENT = Enrolment(box="box-1", label=LABEL, zone=DEMO_ZONE)
SERVER = Server(url="https://service.localhost:8443")
CONTRACT, DATABASE = Secret("M240719-1"), Secret("0f8fad5b-d9cb-469f-a165-70867728950e")
CREDENTIAL = Credential(contract=CONTRACT, database=DATABASE)

UNREACHABLE = Occurrence(
    problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="timeout", facts={"server": "https://service.localhost:8443"}
)
REFUSED = Occurrence(
    problem=problems.LOAD_REQUEST_NO_RESULT,
    cause_id="refused",
    facts={"server": "https://service.localhost:8443"},
    reasons=(
        Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts={"environment": "staging"}),
        Reason(criterion=Criterion.NO_IOT_BOX_LINE),
    ),
)

CHECKS = [
    "clock",
    "storage",
    "private-files",
    "settings-readable",
    "server-configured",
    "credential-complete",
    "service-reachable",
    "certificate-readable",
    "certificate-chain",
    "own-https",
    "https-at-addresses",
    "name-resolves",
    "hand-over",
]
"""The checks of the doctor, causes before consequences."""


def installed(
    *,
    not_before: datetime = NOW - 10 * DAY,
    life: timedelta = 45 * DAY,
    renewal: tuple[datetime, datetime] | None = None,
    names: tuple[str, ...] = NAMES,
    fingerprint: str = "00" * 32,
) -> InstalledCertificate:
    """Give a certificate a box has; its renewal window is in the last third of its life unless told.

    Its renewal falls on the beginning of that window; a higher fingerprint puts it later.
    """
    start, end = renewal or (not_before + life * 2 / 3, not_before + life * 5 / 6)
    return InstalledCertificate(
        facts=CertificateFacts(
            names=names,
            not_before=not_before,
            not_after=not_before + life,
            serial="1a2b",
            fingerprint=fingerprint,
            issuer="CN=An issuing authority",
        ),
        renewal_start=start,
        renewal_end=end,
    )


def failed(at: datetime = NOW, *, wait: timedelta | None = MINUTE, problem: Occurrence = UNREACHABLE) -> LastTry:
    """Give a try that did not succeed, with the next one after the wait."""
    outcome = Outcome.REFUSED if problem is REFUSED else Outcome.FAILED
    return LastTry(at=at, outcome=outcome, problem=problem, failures=1, next_at=None if wait is None else at + wait)


def a_box(*, stored: InstalledCertificate | None = None, damage: str | None = None, **changed: Any) -> BoxFacts:
    """Give a connected and enrolled box, without a certificate unless told."""
    facts = BoxFacts(
        name="Shop at the corner",
        kind=Kind.BOX,
        ports=Ports(http=80, https=443),
        server=SERVER,
        credential=CREDENTIAL,
        enrolment=ENROLMENT,
        stored=StoredCertificate(usable=stored, damage=damage),
        addresses=(ip_address("192.168.1.5"),),
    )
    return replace(facts, **changed)
