"""The doctor: every check, fine, wrong and not tried."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import (
    CONTRACT,
    DATABASE,
    DAY,
    LABEL,
    NAMES,
    NOW,
    OTHER_LABEL,
    a_box,
    installed,
)
from tests.peers.authority import TODAY, make_root, make_server, server_file
from tests.peers.https import Behaviour, Hang, HttpsPeer, Raw, Reply, Reset

from lancert.box.client import Client, Limits
from lancert.box.diagnosis import (
    certificate_readable,
    credential_complete,
    name_resolves,
    own_https,
    server_configured,
    service_reachable,
)
from lancert.box.diagnosis.doctor import diagnose, is_healthy
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.facts import BoxFacts, Enrolment, Ports, Server
from lancert.kit.clock import SystemClock
from lancert.protocol import problems
from lancert.protocol.certificate import facts_of
from lancert.protocol.credential import Credential
from lancert.protocol.names import DEMO_ZONE, Zone, certificate_names

FINE, WRONG, NOT_TRIED = Verdict.FINE, Verdict.WRONG, Verdict.NOT_TRIED
QUICK = Limits(connect=0.5, handshake=0.5, whole=1.0)


def _told(finding: Finding) -> str:
    """Give everything a reader sees, and make sure that nothing is left to fill in."""
    text = " ".join([finding.words(str), *finding.steps(str)])
    assert "{" not in text
    assert finding.title
    assert finding.verdict is not WRONG or finding.words(str)
    return text


@pytest.mark.promise("M12")
def test_server() -> None:
    """A server is configured, or the doctor says where to do it."""
    fine, wrong = server_configured.check(a_box()), server_configured.check(a_box(server=None))

    assert (fine.verdict, wrong.verdict) == (FINE, WRONG)
    assert "https://service.localhost:8443" in _told(fine)
    assert "paste the token" in _told(wrong)


@pytest.mark.promise("M14")
@pytest.mark.parametrize(
    ("credential", "verdict", "told"),
    [
        (Credential(contract=CONTRACT, database=DATABASE), FINE, "are set"),
        (Credential(database=DATABASE), WRONG, "The contract is missing"),
        (Credential(contract=CONTRACT), WRONG, "The database UUID is missing"),
        (Credential(), WRONG, "The contract and the database UUID are missing"),
    ],
)
def test_credential(credential: Credential, verdict: Verdict, told: str) -> None:
    """Each half and both; the values themselves are never told."""
    finding = credential_complete.check(a_box(credential=credential))
    text = _told(finding)

    assert finding.verdict is verdict
    assert told in text
    assert CONTRACT.reveal() not in text
    assert DATABASE.reveal() not in text


OTHER_NAMES = certificate_names(OTHER_LABEL, DEMO_ZONE)


@pytest.mark.promise("M13")
@pytest.mark.parametrize(
    ("facts", "verdict", "told"),
    [
        (a_box(stored=installed()), FINE, "2026-11-10 to 2026-12-25"),
        (a_box(), NOT_TRIED, "no certificate yet"),
        (a_box(stored=installed(not_before=NOW - 50 * DAY)), WRONG, "which is not now"),
        (a_box(stored=installed(not_before=NOW + DAY)), WRONG, "Check the date"),
        (a_box(stored=installed(names=OTHER_NAMES)), WRONG, "other names"),
        (a_box(stored=installed(names=OTHER_NAMES), enrolment=None), FINE, "Readable"),
        *[(a_box(damage=cause.id), WRONG, cause.meaning) for cause in problems.CHECK_CERT_READ_EXCEPTION.causes],
        (a_box(stored=installed(), damage="damaged"), WRONG, "not a certificate with its key"),
    ],
)
def test_stored_certificate(facts: BoxFacts, verdict: Verdict, told: str) -> None:
    """Readable and valid now, absent, of another time, of other names, or damaged in each way."""
    finding = certificate_readable.check(facts, NOW)

    assert finding.verdict is verdict
    assert told in _told(finding)


# Certificate service


def _reach(server: Server | None, authority: Authority) -> Finding:
    client = Client(server, [authority.root.certificate], SystemClock(), QUICK) if server else None
    finding = asyncio.run(service_reachable.check(a_box(server=server), client))
    _told(finding)
    return finding


@pytest.mark.promise("M9")
def test_service_answers(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """All four hops are fine."""
    finding = _reach(server, authority)

    assert finding.verdict is FINE
    assert server.url in finding.words(str)
    assert [request.path for request in peer.requests] == ["/healthz"]


def test_service_is_not_tried_without_a_server(authority: Authority) -> None:
    """The consequence of a missing server is no finding of its own."""
    assert _reach(None, authority).verdict is NOT_TRIED


@pytest.mark.promise("M9")
@pytest.mark.parametrize(
    ("before_tls", "answer", "step", "told"),
    [
        (Hang(), None, 3, "firewall drops the connection silently"),
        (Reset(), None, 3, "broken off"),
        (None, Hang(), 4, "did not answer in time"),
        (None, Raw(b"hello"), 4, "broken off"),
        (None, Reply(body=b"x" * 100_000), 4, "Reference in the log: "),
        (None, Reply(media_type="text/html", body=b"<html>"), 4, "sign-in page"),
        (None, Reply(status=302), 4, "302"),
        (None, Reply(status=404), 4, "no certificate service lives there"),
        (None, Reply(status=503), 4, "overloaded or under maintenance"),
        (None, Reply(status=500), 4, "500"),
    ],
)
def test_service_fails_at_a_hop(
    peer: HttpsPeer,
    server: Server,
    authority: Authority,
    before_tls: Behaviour | None,
    answer: Behaviour | None,
    step: int,
    told: str,
) -> None:
    """M9: the doctor names the step at which it fails, and why."""
    peer.before_tls = before_tls
    if answer is not None:
        peer.answer = lambda request: answer
    finding = _reach(server, authority)

    assert finding.verdict is WRONG
    assert f"step {step} of 4" in finding.words(str)
    assert told in finding.words(str)
    assert not finding.words(str).endswith(": .")


@pytest.mark.promise("M9")
def test_service_fails_at_the_first_hops(server: Server, authority: Authority) -> None:
    """The name, the connection and the trust are told apart."""
    with socket.create_server(("127.0.0.1", 0)) as door:
        closed = Server(url=f"https://127.0.0.1:{door.getsockname()[1]}")
    stranger = Authority(root=make_root(), issuing=authority.issuing)

    assert "step 1 of 4" in _reach(Server(url=f"https://{'a' * 64}.example"), authority).words(str)
    assert "step 2 of 4" in _reach(closed, authority).words(str)
    assert "not trusted" in _reach(server, stranger).words(str)


# Name


def _look_up(*found: str, error: OSError | None = None) -> Callable[[str], Awaitable[set[str]]]:
    async def look_up(name: str) -> set[str]:
        assert name == f"192-168-1-5.{LABEL}.iot.example.com"
        if error is not None:
            raise error
        return set(found)

    return look_up


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("look_up", "verdict", "told"),
    [
        (_look_up("192.168.1.5"), FINE, "leads to this IoT system"),
        (_look_up("10.0.0.1", "192.168.1.5"), FINE, "leads to this IoT system"),
        (_look_up("203.0.113.7"), WRONG, "leads to 203.0.113.7, which is not this IoT system"),
        (_look_up(error=socket.gaierror(socket.EAI_NONAME, "x")), WRONG, "hide names that lead to private addresses"),
        (_look_up(error=socket.gaierror(socket.EAI_AGAIN, "x")), WRONG, "did not answer"),
        (_look_up(error=TimeoutError()), WRONG, "did not answer"),
        (_look_up(error=OSError(5, "x")), WRONG, "did not answer"),
    ],
)
def test_name(look_up: Callable[[str], Awaitable[set[str]]], verdict: Verdict, told: str) -> None:
    """M10: the name leads here, elsewhere, is hidden, or the name server is silent; each with what to change."""
    enrolment = Enrolment(box="b", label=LABEL, zone=Zone("iot.example.com"))
    finding = asyncio.run(name_resolves.check(a_box(enrolment=enrolment), look_up))
    text = _told(finding)

    assert finding.verdict is verdict
    assert told in text
    assert verdict is FINE or finding.remedy


@pytest.mark.promise("M10")
def test_name_is_asked_of_the_resolver_of_this_machine() -> None:
    """F-43: a name below .invalid does not exist, or the resolver does not answer: both are wrong, with a remedy."""
    enrolment = Enrolment(box="b", label=LABEL, zone=Zone("lancert.invalid"))
    finding = asyncio.run(name_resolves.check(a_box(enrolment=enrolment)))
    _told(finding)

    assert finding.verdict is WRONG
    assert finding.remedy


def test_name_of_the_demo_needs_no_resolver() -> None:
    """Names under localhost never leave the machine (RFC 6761, 6.3)."""
    assert asyncio.run(name_resolves.check(a_box(), _look_up())).verdict is FINE


@pytest.mark.parametrize("facts", [a_box(enrolment=None), a_box(addresses=())], ids=["no enrolment", "no address"])
def test_name_is_not_tried_before_there_is_one(facts: BoxFacts) -> None:
    """Without a name or an address there is nothing to look up."""
    assert asyncio.run(name_resolves.check(facts, _look_up())).verdict is NOT_TRIED


# Own HTTPS


@pytest.fixture
def door(authority: Authority, peer: HttpsPeer, tmp_path: Path) -> Callable[..., BoxFacts]:
    """A door that shows a certificate of this box, and a box that has stored it, or another one."""

    def make(*, is_stored: bool) -> BoxFacts:
        shown = make_server(authority.issuing, NAMES)
        peer.show(server_file(tmp_path / "own.pem", shown, authority.issuing.certificate))
        stored = installed()
        if is_stored:
            stored = replace(stored, facts=facts_of(shown.certificate))
        return a_box(stored=stored, ports=Ports(http=80, https=peer.port))

    return make


@pytest.mark.promise("M1")
def test_own_https_shows_what_is_stored(door: Callable[..., BoxFacts]) -> None:
    """The door is asked, not believed."""
    assert asyncio.run(own_https.check(door(is_stored=True), "127.0.0.1")).verdict is FINE


def test_own_https_shows_something_else(door: Callable[..., BoxFacts]) -> None:
    """Another program on the port, or an agent that serves the old one."""
    finding = asyncio.run(own_https.check(door(is_stored=False), "127.0.0.1"))

    assert finding.verdict is WRONG
    assert "shows another certificate" in _told(finding)


@pytest.mark.parametrize("behaviour", [Reset(), Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")])
def test_own_https_does_not_speak_tls(door: Callable[..., BoxFacts], peer: HttpsPeer, behaviour: Behaviour) -> None:
    """What listens there is not our door."""
    facts = door(is_stored=True)
    peer.before_tls = behaviour

    assert asyncio.run(own_https.check(facts, "127.0.0.1")).verdict is WRONG


def test_own_https_does_not_answer() -> None:
    """Nobody listens: the agent is not running."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    finding = asyncio.run(own_https.check(a_box(stored=installed(), ports=Ports(http=80, https=port)), "127.0.0.1"))

    assert finding.verdict is WRONG
    assert f"port {port}" in _told(finding)


def test_own_https_is_not_tried_without_a_certificate() -> None:
    """The stop-gap is nothing to compare with."""
    assert asyncio.run(own_https.check(a_box(), "127.0.0.1")).verdict is NOT_TRIED


# All together


def test_the_doctor_runs_every_check_once_causes_first() -> None:
    """One table; all is well only if every check was tried and is fine."""
    ill = asyncio.run(
        diagnose(a_box(server=None, enrolment=None, credential=Credential()), None, NOW, own_host="127.0.0.1")
    )

    assert [finding.check for finding in ill] == [
        "server-configured",
        "credential-complete",
        "service-reachable",
        "certificate-readable",
        "name-resolves",
        "own-https",
    ]
    assert [finding.verdict for finding in ill] == [WRONG, WRONG, NOT_TRIED, NOT_TRIED, NOT_TRIED, NOT_TRIED]
    assert not is_healthy(ill)


def test_a_healthy_box_is_called_healthy(tmp_path: Path, authority: Authority) -> None:
    """Service and own door answer for real, and every line is fine."""
    service = make_server(authority.issuing, ["service.localhost"])
    own = make_server(authority.issuing, NAMES)
    with (
        HttpsPeer(server_file(tmp_path / "service.pem", service, authority.issuing.certificate)) as peer,
        HttpsPeer(server_file(tmp_path / "own.pem", own, authority.issuing.certificate)) as door,
    ):
        server = Server(url=f"https://service.localhost:{peer.port}")
        client = Client(server, [authority.root.certificate], SystemClock(), QUICK)
        facts = a_box(
            server=server,
            stored=replace(installed(), facts=facts_of(own.certificate)),
            ports=Ports(http=80, https=door.port),
        )
        findings = asyncio.run(diagnose(facts, client, TODAY, own_host="127.0.0.1"))

    assert [finding.verdict for finding in findings] == [FINE] * 6
    assert is_healthy(findings)
