"""A shop on paper: an IoT system in every state, and a visitor who speaks ASGI to its homepage."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlencode

import pytest

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
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.exchange import AsgiApp
from lancert.box.homepage.paper import PaperAgent
from lancert.protocol import problems
from lancert.protocol.certificate import CertificateFacts
from lancert.protocol.credential import Credential, parse_contract, parse_database_uuid
from lancert.protocol.messages import Kind
from lancert.protocol.names import Label, Zone, certificate_names
from lancert.protocol.problems import Criterion, Occurrence, Reason

NOW = datetime(2026, 11, 20, 14, 5, tzinfo=UTC)
LABEL, ZONE = Label("k3v7q2m4x5a6b7c2"), Zone("iot.example.com")
PIN = "4829157306"
CREDENTIAL = Credential(
    contract=parse_contract("CANARY-contract-7391"),
    database=parse_database_uuid("cafebabe-0000-4000-8000-00000badf00d"),
)


def _stored(*, from_days: int = -15, to_days: int = 30) -> StoredCertificate:
    start, end = NOW + timedelta(days=from_days), NOW + timedelta(days=to_days)
    return StoredCertificate(
        usable=InstalledCertificate(
            facts=CertificateFacts(
                names=certificate_names(LABEL, ZONE),
                not_before=start,
                not_after=end,
                serial="feedfacecafe",
                fingerprint="00" * 32,
                issuer="CN=Example issuing",
            ),
            renewal_start=end - timedelta(days=15),
            renewal_end=end - timedelta(days=14),
        )
    )


def _tried(problem: Occurrence | None = None) -> LastTry:
    refused = problem is not None and problem.problem is problems.LOAD_REQUEST_NO_RESULT
    outcome = Outcome.INSTALLED if problem is None else Outcome.REFUSED if refused else Outcome.FAILED
    return LastTry(
        at=NOW - timedelta(minutes=1),
        outcome=outcome,
        problem=problem,
        next_at=None if problem is None else NOW + timedelta(minutes=4),
    )


_PLAIN = BoxFacts(
    name="Shop counter",
    kind=Kind.BOX,
    ports=Ports(http=8069, https=8443),
    server=Server(url="https://service.example.com"),
    credential=CREDENTIAL,
    enrolment=Enrolment(box="b1", label=LABEL, zone=ZONE),
    addresses=(ip_address("192.168.1.5"), ip_address("fd12:3456::1")),
)
_UNREACHABLE = Occurrence(
    problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="timeout", facts={"server": "https://service.example.com"}
)
_REFUSED = Occurrence(
    problem=problems.LOAD_REQUEST_NO_RESULT,
    cause_id="refused",
    facts={"server": "https://service.example.com"},
    reasons=(
        Reason(criterion=Criterion.DATABASE_NOT_PRODUCTION, facts={"environment": "staging"}),
        Reason(criterion=Criterion.NO_IOT_BOX_LINE),
    ),
)

STATES: dict[str, BoxFacts] = {
    "secure": replace(_PLAIN, stored=_stored(), last_try=_tried()),
    "attention": replace(_PLAIN, stored=_stored(from_days=-40, to_days=5), last_try=_tried(_UNREACHABLE)),
    "loading": replace(_PLAIN, is_loading=True),
    "due": _PLAIN,
    "unreachable": replace(_PLAIN, last_try=_tried(_UNREACHABLE)),
    "refused": replace(_PLAIN, last_try=_tried(_REFUSED)),
    "no-credential": replace(_PLAIN, credential=Credential()),
    "half-credential": replace(_PLAIN, credential=Credential(contract=CREDENTIAL.contract)),
    "damaged": replace(_PLAIN, stored=StoredCertificate(damage="key-mismatch"), last_try=_tried(_UNREACHABLE)),
    "expired": replace(_PLAIN, stored=_stored(from_days=-50, to_days=-5), last_try=_tried(_UNREACHABLE)),
    "not-connected": replace(_PLAIN, server=None, enrolment=None, credential=Credential(), kind=Kind.VIRTUAL),
    "no-address": replace(_PLAIN, addresses=()),
}


@dataclass(frozen=True, slots=True)
class Reply:
    """What the homepage answered."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """Give a header that is there once at most."""
        values = [value for header, value in self.headers if header == name]
        assert len(values) <= 1, f"{name} appears {len(values)} times"
        return values[0] if values else None

    @property
    def text(self) -> str:
        """Give the body as text."""
        return self.body.decode("utf-8")


@pytest.fixture(scope="session")
def states() -> dict[str, BoxFacts]:
    """Facts of an IoT system in every state."""
    return STATES


@pytest.fixture
def agent() -> PaperAgent:
    """An agent on paper, waiting for the service to answer; tests replace its facts."""
    return PaperAgent(paper=STATES["unreachable"], moment=NOW, pin=PIN)


@pytest.fixture
def homepage(agent: PaperAgent) -> AsgiApp:
    """The homepage of that agent."""
    return homepage_app(agent, machine_name="Shop-Counter.lan")


@pytest.fixture
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for a test."""
    with asyncio.Runner() as running:
        yield running


@pytest.fixture
def ask(homepage: AsgiApp, runner: asyncio.Runner) -> Callable[..., Reply]:
    """Ask the homepage for something; ``form`` is sent the way a browser sends it, from a page of this box."""

    def speak(
        method: str,
        path: str = "/",
        *,
        secure: bool = False,
        host: str | None = None,
        headers: dict[str, str] | None = None,
        form: dict[str, str] | None = None,
        body: bytes = b"",
        app: AsgiApp | None = None,
    ) -> Reply:
        named = host if host is not None else f"192.168.1.5:{8443 if secure else 8069}"
        sent = {"host": named}
        if form is not None:
            body = urlencode(form).encode()
            sent["content-type"] = "application/x-www-form-urlencoded"
            sent["origin"] = f"{'https' if secure else 'http'}://{named}"
            sent["sec-fetch-site"] = "same-origin"
        sent |= headers or {}
        raw = [(name.encode(), value.encode("latin-1")) for name, value in sent.items()]
        return runner.run(speak_asgi(app or homepage, method, path, raw, body, secure=secure))

    return speak


async def speak_asgi(
    app: AsgiApp, method: str, target: str, headers: list[tuple[bytes, bytes]], body: bytes, *, secure: bool
) -> Reply:
    """Hold one ASGI conversation."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": query.encode(),
        "headers": headers,
        "scheme": "https" if secure else "http",
        "client": ("192.168.1.77", 50000),
        "server": ("192.168.1.5", 8443 if secure else 8069),
    }
    said: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        said.append(message)

    await app(scope, receive, send)
    start, content = said
    answered = [(name.decode(), value.decode("latin-1")) for name, value in start["headers"]]
    return Reply(start["status"], answered, content["body"])
