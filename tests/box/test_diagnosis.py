"""The doctor: every check, fine, wrong and not tried."""

import asyncio
import re
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import (
    CHECKS,
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
from tests.peers.authority import TODAY, make_leaf, make_root, make_server, new_key, server_file
from tests.peers.https import Behaviour, Hang, HttpsPeer, Raw, Reply, Reset

from lancert.box.client import Client, Limits
from lancert.box.diagnosis import (
    certificate_chain,
    certificate_readable,
    clock,
    credential_complete,
    https_at_addresses,
    name_resolves,
    own_https,
    private_files,
    server_configured,
    service_reachable,
    storage,
)
from lancert.box.diagnosis.doctor import Patient, diagnose, is_healthy
from lancert.box.diagnosis.https_at_addresses import Door
from lancert.box.diagnosis.resolution import Heard, Resolution, Said
from lancert.box.diagnosis.resolvers import Resolvers
from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.diagnosis.routers import ROUTERS
from lancert.box.diagnosis.witnesses import Witnesses
from lancert.box.facts import BoxFacts, Enrolment, Ports, Server
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
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


def _resolvers(*found: str, error: OSError | None = None) -> Resolvers:
    async def look_up(name: str) -> set[str]:
        if error is not None:
            raise error
        return set(found)

    return Resolvers(look_up=look_up, public=())


IN_A_ZONE = a_box(enrolment=Enrolment(box="b", label=LABEL, zone=Zone("iot.example.com")))


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("resolvers", "verdict", "because", "told"),
    [
        (_resolvers("192.168.1.5"), FINE, "fine", "leads to this IoT system"),
        (_resolvers("10.0.0.1", "192.168.1.5"), FINE, "fine", "leads to this IoT system"),
        (_resolvers("203.0.113.7"), WRONG, "wrong-address-everywhere", "leads to 203.0.113.7, and so do other names"),
        (_resolvers("192.0.0.170"), WRONG, "wrong-address", "leads to 192.0.0.170, which is not this IoT system"),
        (_resolvers("0.0.0.0"), WRONG, "unknown-zone", "knows any name below iot.example.com"),
        (_resolvers(error=socket.gaierror(socket.EAI_NONAME, "x")), WRONG, "unknown-zone", "iot.example.com"),
        (_resolvers(error=socket.gaierror(socket.EAI_AGAIN, "x")), WRONG, "dns-down-all", "No name server answered"),
        (_resolvers(error=TimeoutError()), WRONG, "dns-down-all", "No name server answered"),
        (_resolvers(error=OSError(5, "x")), WRONG, "dns-down-all", "No name server answered"),
    ],
)
def test_name_by_the_system_alone(resolvers: Resolvers, verdict: Verdict, because: str, told: str) -> None:
    """M10: where nobody else can be asked, what the system's resolver says is told, with what to change."""
    finding = asyncio.run(name_resolves.check(IN_A_ZONE, resolvers))
    text = _told(finding)

    assert (finding.verdict, finding.because) == (verdict, because)
    assert told in text
    assert verdict is FINE or "http://192.168.1.5/" in text


@pytest.mark.promise("M10")
@pytest.mark.parametrize("resolution", list(Resolution))
def test_every_resolution_has_its_words(resolution: Resolution) -> None:
    """M10: what happened, and what to do, with the name servers it is about and the URL that works meanwhile."""
    hiding = Heard(own=Said.EMPTY, canary=Said.RIGHT)
    for servers in ({"192.168.1.1": hiding}, {}):
        said = Witnesses(here=hiding, servers=servers, found=("10.9.9.9",))
        words = {"name": "192-168-1-5.x.iot.example.com", "zone": "iot.example.com", "http": "http://192.168.1.5/"}
        finding = name_resolves.told(resolution, said, words)
        text = _told(finding)

        assert finding.because == resolution.value
        assert (finding.verdict is FINE) is (resolution is Resolution.FINE)
        assert "iot.example.com" in text
        assert finding.verdict is FINE or "http://192.168.1.5/" in text
        assert "server  " not in text


@pytest.mark.promise("M10")
@pytest.mark.parametrize(
    ("families", "expected"),
    [
        ((), {router.id for router in ROUTERS}),
        (("fritzbox",), {"fritzbox"}),
        (("opnsense", "pfsense"), {"opnsense", "pfsense"}),
    ],
)
def test_a_filter_comes_with_what_to_type_on_which_router(families: tuple[str, ...], expected: set[str]) -> None:
    """M10: of the router that is there, of those it can be, or of all; the zone is filled in."""
    said = Witnesses(here=Heard(own=Said.EMPTY, canary=Said.RIGHT), servers={}, families=families)
    words = {"name": "n.iot.example.com", "zone": "iot.example.com", "http": "http://192.168.1.5/"}
    finding = name_resolves.told(Resolution.FILTERED, said, words)

    assert {recipe.id for recipe in finding.recipes} == expected
    for recipe in finding.recipes:
        written = " ".join([*finding.instructions(recipe, str), *recipe.lines])
        assert "iot.example.com" in written
        assert "{" not in written


def test_name_of_the_demo_needs_no_resolver() -> None:
    """Names under localhost never leave the machine (RFC 6761, 6.3)."""
    assert asyncio.run(name_resolves.check(a_box(), _resolvers())).verdict is FINE


@pytest.mark.parametrize("facts", [a_box(enrolment=None), a_box(addresses=())], ids=["no enrolment", "no address"])
def test_name_is_not_tried_before_there_is_one(facts: BoxFacts) -> None:
    """Without a name or an address there is nothing to look up."""
    assert asyncio.run(name_resolves.check(facts, _resolvers())).verdict is NOT_TRIED


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


# Clock


@pytest.mark.parametrize(
    ("shown", "told", "verdict", "because"),
    [
        (NOW, NOW, FINE, ""),
        (NOW, NOW + timedelta(minutes=4), FINE, ""),
        (NOW, NOW - timedelta(minutes=6), WRONG, "ahead"),
        (NOW, NOW + 400 * DAY, WRONG, "behind"),
        (NOW, None, NOT_TRIED, ""),
        (NOW - 20 * DAY, None, WRONG, "behind"),
        (datetime(1970, 1, 1, tzinfo=UTC), None, WRONG, "behind"),
    ],
)
def test_clock(shown: datetime, told: datetime | None, verdict: Verdict, because: str) -> None:
    """F-20: compared with a server that proved itself, and with what is known to be past when none answers."""
    finding = clock.check(shown, told, NOW - DAY)
    _told(finding)

    assert (finding.verdict, finding.because) == (verdict, because)


def test_the_time_is_that_of_a_server_that_proved_itself(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """The Date of an answer over verified TLS; no answer, no time."""
    peer.always(Reply(headers={"date": "Fri, 20 Nov 2026 09:30:00 GMT"}))
    trusted = Client(server, [authority.root.certificate], SystemClock(), QUICK)
    stranger = Client(server, [make_root().certificate], SystemClock(), QUICK)

    assert asyncio.run(clock.ask_the_time(trusted)) == NOW
    assert asyncio.run(clock.ask_the_time(stranger)) is None
    assert asyncio.run(clock.ask_the_time(None)) is None


@pytest.fixture
def of_long_ago(authority: Authority, tmp_path: Path) -> Iterator[HttpsPeer]:
    """A server whose certificate, for the clock of this machine, has expired."""
    expired = make_server(authority.issuing, ["service.localhost"], not_before=TODAY - 400 * DAY)
    with HttpsPeer(server_file(tmp_path / "expired.pem", expired, authority.issuing.certificate)) as peer:
        peer.always(Reply(headers={"date": "Fri, 20 Nov 2026 09:30:00 GMT"}))
        yield peer


def test_a_clock_that_is_ahead_is_told_from_a_server_that_is_not_trusted(
    of_long_ago: HttpsPeer, authority: Authority, tmp_path: Path
) -> None:
    """F-20: by a clock two months ahead the server's certificate has expired; the clock is named, not the server."""
    server = Server(url=f"https://service.localhost:{of_long_ago.port}")
    client = Client(server, [authority.root.certificate], SystemClock(), QUICK)
    ahead = replace(_patient(tmp_path, a_box(server=server), client), shown=NOW + 60 * DAY)
    findings = {finding.check: finding for finding in asyncio.run(diagnose(ahead))}
    right = {finding.check: finding for finding in asyncio.run(diagnose(replace(ahead, shown=NOW)))}

    assert (findings["clock"].because, findings["service-reachable"].because) == ("ahead", "clock")
    assert "clock" in _told(findings["service-reachable"])
    assert (right["clock"].verdict, right["service-reachable"].because) == (FINE, "untrusted")


# Disk and files


def test_storage_that_can_be_used(tmp_path: Path) -> None:
    """Tried by writing, and nothing is left of that."""
    finding = storage.check(tmp_path, storage.look(tmp_path, writes=True))

    assert finding.verdict is FINE
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("room", "because"),
    [
        (storage.Room(wrong=None, free=storage.ROOM - 1), "little-room"),
        (storage.Room(wrong="full", free=0), "full"),
        (storage.Room(wrong="read-only", free=0), "read-only"),
        (storage.Room(wrong="no-right", free=0), "no-right"),
        (storage.Room(wrong="failing", free=0), "failing"),
        (storage.Room(wrong="missing", free=0), "missing"),
    ],
)
def test_storage_that_cannot_be_used(room: storage.Room, because: str) -> None:
    """Each cause has its own words and its own remedy."""
    finding = storage.check(Path("/srv/box"), room)

    assert (finding.verdict, finding.because) == (WRONG, because)
    assert "/srv/box" in _told(finding)
    assert finding.remedy


@pytest.mark.parametrize(
    ("place", "wrong"), [("/nowhere/at/all", "missing"), ("/proc/self", "failing"), ("/dev/null", "missing")]
)
def test_storage_is_looked_at_for_real(place: str, wrong: str) -> None:
    """What is not there, is no folder, or takes no files."""
    seen = storage.look(Path(place), writes=True)

    assert seen.wrong is not None
    assert storage.check(Path(place), seen).verdict is WRONG
    assert wrong in (seen.wrong, "failing")


def test_private_files(tmp_path: Path) -> None:
    """Keys are the agent's alone; the settings, which are no secret, may be read by all."""
    folder = Folder(tmp_path / "box")
    folder.change_credential(Credential(contract=CONTRACT, database=DATABASE))
    (folder.path / "box.toml").write_text("")
    (folder.path / "box.toml").chmod(0o644)
    fine = private_files.look(folder.path)
    key = folder.path / "identity.pem"
    key.write_text("key")
    key.chmod(0o640)
    is_open = private_files.look(folder.path)

    assert private_files.check(folder.path, fine).verdict is FINE
    assert is_open == private_files.Seen(open=("identity.pem",))
    assert "identity.pem" in _told(private_files.check(folder.path, is_open))


@pytest.mark.parametrize(
    ("seen", "because", "told"),
    [
        (private_files.Seen(foreign=("pin.json",)), "foreign", "chown -R --reference=/srv/box /srv/box"),
        (private_files.Seen(open=tuple("abcde")), "open-to-others", "a, b, c …"),
        (private_files.Seen(hidden=True), "no-right", "/srv/box"),
    ],
)
def test_private_files_that_are_not(seen: private_files.Seen, because: str, told: str) -> None:
    """What is wrong with which file, and the command that mends it."""
    finding = private_files.check(Path("/srv/box"), seen)

    assert (finding.verdict, finding.because) == (WRONG, because)
    assert told in _told(finding)


def test_private_files_of_a_folder_that_is_not_there(tmp_path: Path) -> None:
    """Nothing to look at is not fine."""
    assert private_files.look(tmp_path / "nowhere") == private_files.Seen(hidden=True)


# Chain


def test_chain(authority: Authority) -> None:
    """It leads to a root that is known, or it does not; dates and absence are told elsewhere."""
    chain = (make_leaf(authority.issuing, NAMES, new_key().public_key()), authority.issuing.certificate)
    root, stranger = authority.root.certificate, make_root().certificate

    assert certificate_chain.check(chain, [stranger, root], TODAY).verdict is FINE
    assert certificate_chain.check(chain, [stranger], TODAY).verdict is WRONG
    assert certificate_chain.check(chain[:1], [root], TODAY).verdict is WRONG
    assert certificate_chain.check(chain, [root], TODAY + 4000 * DAY).verdict is NOT_TRIED
    assert certificate_chain.check(None, [root], TODAY).verdict is NOT_TRIED
    _told(certificate_chain.check(chain, [stranger], TODAY))


def test_chain_as_it_is_stored(authority: Authority, tmp_path: Path) -> None:
    """The current generation is read, an older one when that is damaged, and nothing is changed."""
    store = CertificateStore(tmp_path / "certificates")
    chains = []
    for _ in range(2):
        key = store.pending_key()
        chains.append((make_leaf(authority.issuing, NAMES, key.public_key()), authority.issuing.certificate))
        store.install(key, chains[-1], renewal_start=NOW, renewal_end=NOW + DAY)
    assert certificate_chain.stored_chain(tmp_path / "certificates") == chains[1]
    newest = max((tmp_path / "certificates").glob("generation-*.pem"))
    newest.write_bytes(newest.read_bytes()[:300])

    assert certificate_chain.stored_chain(tmp_path / "certificates") == chains[0]
    assert newest.exists()
    assert certificate_chain.stored_chain(tmp_path / "nowhere") is None


# HTTPS at each address


def _at(port: int, *addresses: str) -> BoxFacts:
    return a_box(
        stored=installed(), ports=Ports(http=80, https=port), addresses=tuple(ip_address(one) for one in addresses)
    )


@pytest.mark.promise("M1")
def test_https_at_addresses(peer: HttpsPeer, authority: Authority, tmp_path: Path) -> None:
    """Each address is tried by its own name, and the certificate verified like a payment terminal does."""
    peer.show(server_file(tmp_path / "own.pem", make_server(authority.issuing, NAMES), authority.issuing.certificate))
    root = [authority.root.certificate]

    assert asyncio.run(https_at_addresses.check(_at(peer.port, "127.0.0.1"), root)).verdict is FINE
    untrusted = asyncio.run(https_at_addresses.check(_at(peer.port, "127.0.0.1"), [make_root().certificate]))
    closed = asyncio.run(https_at_addresses.check(_at(peer.port, "127.0.0.1", "127.0.0.2"), root))
    assert (untrusted.because, closed.because) == ("untrusted", "closed")
    assert "127.0.0.2" in _told(closed)
    assert "listen" in _told(closed)
    _told(untrusted)


@pytest.mark.promise("M1")
def test_https_at_addresses_shows_something_else(peer: HttpsPeer, authority: Authority, tmp_path: Path) -> None:
    """The certificate of another box, and a program that speaks no TLS."""
    other = make_server(authority.issuing, certificate_names(OTHER_LABEL, DEMO_ZONE))
    peer.show(server_file(tmp_path / "own.pem", other, authority.issuing.certificate))
    facts, root = _at(peer.port, "127.0.0.1"), [authority.root.certificate]
    wrong_name = asyncio.run(https_at_addresses.check(facts, root))
    peer.before_tls = Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    no_tls = asyncio.run(https_at_addresses.check(facts, root))

    assert (wrong_name.because, no_tls.because) == ("wrong-name", "not-tls")
    _told(wrong_name)
    _told(no_tls)


def test_https_at_several_addresses_that_fail() -> None:
    """The first is told with its cause, the others by their address."""
    met = {ip_address(f"192.168.1.{n}"): door for n, door in ((5, Door.FINE), (6, Door.NOT_NOW), (7, Door.CLOSED))}
    finding = https_at_addresses.told(met, dict.fromkeys(met, "name"), 443)

    assert finding.because == "not-valid-now"
    assert "192.168.1.6" in finding.words(str)
    assert "These addresses fail too: 192.168.1.7" in finding.words(str)


# All together


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('{"http": 80, "https": 443, "host": "192.168.1.5", "addresses": ["192.168.1.5"]}', ("192.168.1.5", 1)),
        ('{"http": 80, "https": 443}', ("127.0.0.1", 0)),
        ('{"host": "elsewhere.example", "addresses": ["x", 1, null, "10.0.0.1"]}', ("127.0.0.1", 1)),
        ('{"host": 1, "addresses": "10.0.0.1"}', ("127.0.0.1", 0)),
        ("[]", ("127.0.0.1", 0)),
    ],
)
def test_the_doctor_looks_at_the_box_the_agent_was_started_as(
    tmp_path: Path, written: str, expected: tuple[str, int]
) -> None:
    """The running agent says where it listens and what it publishes; an older one does not, and nonsense is nothing."""
    folder = Folder(tmp_path / "box")
    (folder.path / "listening.json").write_text(written)
    host, addresses = folder.told_by_agent()

    assert (host, len(addresses)) == expected


def _patient(folder: Path, facts: BoxFacts, client: Client | None = None, now: datetime = NOW) -> Patient:
    return Patient(
        facts=facts,
        folder=Folder(folder),
        client=client,
        now=now,
        shown=now,
        own_host="127.0.0.1",
        resolvers=_resolvers(),
    )


def test_the_doctor_runs_every_check_once_causes_first(tmp_path: Path) -> None:
    """One table; all is well only if every check was tried and is fine."""
    ill = asyncio.run(diagnose(_patient(tmp_path, a_box(server=None, enrolment=None, credential=Credential()))))

    assert [finding.check for finding in ill] == CHECKS
    assert {finding.check for finding in ill if finding.verdict is WRONG} == {
        "server-configured",
        "credential-complete",
    }
    assert not is_healthy(ill)


def test_a_healthy_box_is_called_healthy(tmp_path: Path, authority: Authority) -> None:
    """Service and own door answer for real, and every line is fine."""
    service = make_server(authority.issuing, ["service.localhost"])
    folder = Folder(tmp_path / "box")
    store = CertificateStore(folder.certificates)
    key = store.pending_key()
    chain = (make_leaf(authority.issuing, NAMES, key.public_key()), authority.issuing.certificate)
    generation = store.install(key, chain, renewal_start=TODAY, renewal_end=TODAY + DAY)
    with (
        HttpsPeer(server_file(tmp_path / "service.pem", service, authority.issuing.certificate)) as peer,
        HttpsPeer(generation.path) as door,
    ):
        peer.always(Reply(headers={"date": formatdate(usegmt=True)}))
        server = Server(url=f"https://service.localhost:{peer.port}")
        folder.connect(server, [authority.root.certificate])
        client = Client(server, [authority.root.certificate], SystemClock(), QUICK)
        facts = a_box(
            server=server,
            stored=store.stored.usable,
            ports=Ports(http=80, https=door.port),
            addresses=(ip_address("127.0.0.1"),),
        )
        findings = asyncio.run(diagnose(_patient(folder.path, facts, client, SystemClock().now())))

    assert {finding.check: finding.verdict for finding in findings} == dict.fromkeys(CHECKS, FINE)
    assert is_healthy(findings)


@pytest.mark.promise("M9", "M10")
def test_every_check_and_every_resolution_is_explained(root: Path) -> None:
    """Ids are public: an operator who reads one finds its page."""
    reference = (root / "docs" / "reference" / "diagnosis.md").read_text(encoding="utf-8")
    guide = (root / "docs" / "guides" / "routers.md").read_text(encoding="utf-8")
    reasons = {*clock_words(), *storage_words(), *(door.value for door in Door if door is not Door.FINE)}

    assert re.findall(r"^\| `([a-z-]+)` \|", reference, re.MULTILINE) == CHECKS
    assert [reason for reason in sorted(reasons) if f"`{reason}`" not in reference] == []
    assert [one.value for one in Resolution if one is not Resolution.FINE and f"| `{one.value}` |" not in guide] == []


def clock_words() -> set[str]:
    return {clock.check(NOW, NOW + step, NOW).because for step in (DAY, -DAY)}


def storage_words() -> set[str]:
    rooms = [storage.Room(wrong=None, free=1), *(storage.Room(wrong=one, free=0) for one in ("full", "read-only"))]
    return {storage.check(Path("/srv/box"), room).because for room in rooms}
