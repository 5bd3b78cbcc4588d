"""The doctor: for each situation the check that fails, where on the way it fails, and what to do."""

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.box.given import CHECKS
from tests.journeys.world import Box, Service, lancert
from tests.peers.authority import make_root, make_server, pem, server_file
from tests.peers.https import Behaviour, Close, Hang, HttpsPeer, Raw, Reply, Reset

NewBox = Callable[[], Box]
NO_CERTIFICATE = {"certificate-readable", "certificate-chain", "own-https", "https-at-addresses", "name-resolves"}


def examined(box: Box) -> tuple[int, dict[str, dict[str, Any]]]:
    """Run the doctor twice, for people and for programs, which say the same."""
    command = ("box", "doctor", "--folder", str(box.folder))
    for_people, for_programs = lancert(*command, check=False), lancert(*command, "--json", check=False)
    findings = json.loads(for_programs.stdout)
    assert [finding["check"] for finding in findings] == CHECKS
    assert for_people.returncode == for_programs.returncode
    assert for_people.stderr == for_programs.stderr == ""
    for finding in findings:
        # The clock goes on between the two runs.
        assert finding["check"] == "clock" or finding["sentence"] in for_people.stdout
        assert all(step in for_people.stdout for step in finding["remedy"])
        assert "{" not in finding["sentence"] + "".join(finding["remedy"])
    return for_people.returncode, {finding["check"]: finding for finding in findings}


def ended(findings: dict[str, dict[str, Any]], verdict: str) -> set[str]:
    """Give the checks that ended in this way."""
    return {check for check, finding in findings.items() if finding["verdict"] == verdict}


def test_a_healthy_iot_system(service: Service, new_box: NewBox) -> None:
    """Every check is fine: exit status 0, nothing to do."""
    box = new_box().connect(service.shop()).start()
    box.until_state("secure")

    status, findings = examined(box)

    assert (status, ended(findings, "fine")) == (0, set(CHECKS))
    assert all(finding["remedy"] == [] for finding in findings.values())
    assert service.url in findings["service-reachable"]["sentence"]


@pytest.mark.promise("M12")
def test_an_iot_system_that_nobody_connected(new_box: NewBox) -> None:
    """The cause comes first, what follows from it is not tried."""
    status, findings = examined(new_box().start())

    assert (status, ended(findings, "wrong")) == (1, {"server-configured", "credential-complete"})
    assert ended(findings, "not-tried") == {"clock", "service-reachable"} | NO_CERTIFICATE
    assert "connection token" in findings["server-configured"]["remedy"][0]


@pytest.mark.promise("M14")
def test_half_a_credential(service: Service, new_box: NewBox) -> None:
    """The missing half is named; the service itself is fine."""
    box = new_box()
    lancert(
        *("box", "connect", "--folder", str(box.folder), service.url, "--ca", str(service.root)),
        *("--contract", "M240401"),
    )

    status, findings = examined(box)

    assert (status, ended(findings, "wrong")) == (1, {"credential-complete"})
    assert ended(findings, "not-tried") == NO_CERTIFICATE
    assert findings["credential-complete"]["sentence"] == "The database UUID is missing."


def test_a_refusal(service: Service, new_box: NewBox) -> None:
    """Everything answers and there is no certificate: the doctor says that it was refused and where the reasons are."""
    box = new_box().connect(service.shop(environment="copy")).start()
    box.until_problem("ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT", "refused")

    status, findings = examined(box)

    assert status == 1
    assert findings["service-reachable"]["verdict"] == "fine"
    assert "refused" in findings["certificate-readable"]["sentence"]
    assert "lancert box status" in findings["certificate-readable"]["remedy"][0]


@pytest.fixture
def peer(tmp_path: Path) -> Iterator[HttpsPeer]:
    """Somebody who answers in the place of the service, trusted by the box, with a control panel."""
    root = make_root()
    (tmp_path / "peer-root.pem").write_bytes(pem(root.certificate))
    with HttpsPeer(server_file(tmp_path / "peer.pem", make_server(root, ["service.localhost"]))) as made:
        yield made


def _box_at(url: str, root: Path, new_box: NewBox) -> Box:
    return new_box().connect_to(url, root)


@pytest.mark.promise("M9", "M15")
@pytest.mark.parametrize(
    ("behaviour", "step", "word"),
    [
        (Hang(), "TLS handshake (step 3 of 4)", "firewall drops the connection silently"),
        (Reset(), "(step ", "something in between cuts connections"),
        (Raw(b"HTTP/1.1 302 Found\r\n\r\n"), "TLS handshake (step 3 of 4)", "not trusted"),
    ],
)
def test_a_firewall_in_the_way_is_recognised(
    peer: HttpsPeer, tmp_path: Path, new_box: NewBox, behaviour: Behaviour, step: str, word: str
) -> None:
    """The hop that fails is named, then the cause, then what to allow. (A reset strikes at the second or third.)"""
    peer.before_tls = behaviour
    box = _box_at(f"https://service.localhost:{peer.port}", tmp_path / "peer-root.pem", new_box)

    status, findings = examined(box)

    assert (status, ended(findings, "wrong")) == (1, {"service-reachable"})
    assert ended(findings, "not-tried") >= NO_CERTIFICATE
    assert step in findings["service-reachable"]["sentence"]
    assert word in findings["service-reachable"]["sentence"]
    assert "firewall" in " ".join(findings["service-reachable"]["remedy"]).lower()


@pytest.mark.promise("M9", "M15")
def test_a_service_that_is_down(service: Service, new_box: NewBox) -> None:
    """Refused at the TCP connection: the service is not running, or a firewall rejects."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    box = _box_at(f"https://service.lancert.localhost:{port}", service.root, new_box)

    status, findings = examined(box)

    assert (status, ended(findings, "wrong")) == (1, {"service-reachable"})
    assert ended(findings, "not-tried") >= NO_CERTIFICATE
    assert "TCP connection (step 2 of 4)" in findings["service-reachable"]["sentence"]
    assert "refused the connection" in findings["service-reachable"]["sentence"]


@pytest.mark.promise("M15")
def test_a_name_that_is_unknown(service: Service, new_box: NewBox) -> None:
    """The look-up is the first hop."""
    _, findings = examined(_box_at("https://no-such-host.invalid", service.root, new_box))

    assert "address look-up (step 1 of 4)" in findings["service-reachable"]["sentence"]


@pytest.mark.promise("M15")
def test_somebody_else_in_the_place_of_the_service(peer: HttpsPeer, service: Service, new_box: NewBox) -> None:
    """A certificate from another root fails at the TLS handshake, and nothing was asked of the impostor."""
    _, findings = examined(_box_at(f"https://service.localhost:{peer.port}", service.root, new_box))

    assert "TLS handshake (step 3 of 4)" in findings["service-reachable"]["sentence"]
    assert "not trusted" in findings["service-reachable"]["sentence"]
    assert peer.requests == []


@pytest.mark.promise("M15", "M16")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Reply(body=b"<html>Welcome</html>", media_type="text/html"), "sign-in page"),
        (Reply(status=404, body=b"<html></html>", media_type="text/html"), "no certificate service lives there"),
        (Reply(status=503), "under maintenance"),
        (Close(), "broken off before an answer came"),
    ],
)
def test_an_answer_that_is_not_the_service(
    peer: HttpsPeer, tmp_path: Path, new_box: NewBox, answer: Behaviour, words: str
) -> None:
    """The connection stands and the HTTP request fails: the fourth hop, with its cause."""
    peer.answer = lambda request: answer
    box = _box_at(f"https://service.localhost:{peer.port}", tmp_path / "peer-root.pem", new_box)

    status, findings = examined(box)

    assert (status, ended(findings, "wrong")) == (1, {"service-reachable"})
    assert ended(findings, "not-tried") >= NO_CERTIFICATE
    assert "HTTP request (step 4 of 4)" in findings["service-reachable"]["sentence"]
    assert words in findings["service-reachable"]["sentence"]


@pytest.mark.promise("M13")
def test_a_damaged_certificate(service: Service, new_box: NewBox) -> None:
    """The doctor looks at the file itself and leaves it where it is."""
    box = new_box().connect(service.shop()).start()
    box.until_state("secure")
    box.stop()
    (file,) = (box.folder / "certificates").glob("generation-*.pem")
    file.write_bytes(file.read_bytes()[:700])

    status, findings = examined(box)

    assert status == 1
    assert findings["certificate-readable"]["verdict"] == "wrong"
    assert "incomplete" in findings["certificate-readable"]["sentence"]
    assert file.exists()


def test_an_agent_that_is_not_running(service: Service, new_box: NewBox) -> None:
    """The certificate is there and nobody serves it."""
    box = new_box().connect(service.shop()).start()
    box.until_state("secure")
    box.stop()

    status, findings = examined(box)

    assert (status, ended(findings, "wrong")) == (1, {"own-https"})
    assert ended(findings, "not-tried") == {"https-at-addresses"}
    assert f"HTTPS port {box.ports['https']}" in findings["own-https"]["sentence"]
    assert "lancert box run" in findings["own-https"]["remedy"][0]
