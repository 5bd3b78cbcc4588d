"""Bad input at the doors of the running programs: a clear answer each time, and nothing is lost by it.

What exactly is refused is told in ``tests/service`` and ``tests/box``; here the real programs go on after all of it.
"""

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from tests.journeys.world import Box, Service, Shop, lancert, strict_connection, until

from lancert.protocol.signatures import sign

Answer = tuple[int, dict[str, Any]]
CERTIFICATES = "/api/v1/certificates"
ENROLMENTS = "/api/v1/enrolments"
REPORTS = "/api/v1/reports"


class Client:
    """Somebody who signs requests as a box does, and may get them wrong."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.identity = Ed25519PrivateKey.generate()
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.count = 0

    @property
    def authority(self) -> str:
        """Give what the Host header says."""
        return urlsplit(self._service.url).netloc

    def counter(self) -> dict[str, int]:
        """Give the next counter."""
        self.count += 1
        return {"boot": 1, "count": self.count}

    def signed(self, path: str, body: bytes) -> dict[str, str]:
        """Give the headers of an honest request."""
        headers = sign(key=self.identity, method="POST", authority=self.authority, path=path, body=body)
        return {**headers, "Content-Type": "application/json", "Host": self.authority}

    def send(self, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        """Send it over TLS, verified with the root alone."""
        context = ssl.create_default_context(cafile=self._service.root)
        name, _, port = self.authority.partition(":")
        connection = http.client.HTTPSConnection(name, int(port), timeout=20)
        plain = socket.create_connection(("127.0.0.1", int(port)), timeout=20)
        connection.sock = context.wrap_socket(plain, server_hostname=name)
        with contextlib.closing(connection):
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            read = answer.read()
            assert (answer.getheader("Content-Type") or "").startswith("application/"), read[:200]
            return answer.status, json.loads(read)

    def post(self, path: str, body: Any) -> Answer:
        """Sign and send; what is not bytes is written as JSON."""
        written = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(path, written, self.signed(path, written))

    def enrol(self, shop: Shop, **other: Any) -> Answer:
        """Enrol for a shop."""
        body = {
            "counter": self.counter(),
            "contract": shop.contract,
            "database": shop.database,
            "kind": "iot-box",
            "name": "till",
            "version": "0.1.0",
        }
        return self.post(ENROLMENTS, {**body, **other})

    def ask(self, csr: str) -> Answer:
        """Ask for a certificate."""
        return self.post(CERTIFICATES, {"counter": self.counter(), "csr": csr})

    def csr(self, key: Any = None, *names: str) -> x509.CertificateSigningRequest:
        """Make a signing request."""
        builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(key or self.key, hashes.SHA256())


def pem_of(request: x509.CertificateSigningRequest) -> str:
    return request.public_bytes(serialization.Encoding.PEM).decode()


def wrongly_signed(request: x509.CertificateSigningRequest) -> str:
    """Turn the last bit of the signature, which leaves the form of it whole."""
    import base64

    der = bytearray(request.public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{base64.encodebytes(der).decode()}-----END CERTIFICATE REQUEST-----\n"


@pytest.fixture(scope="module")
def good(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An honest IoT system with its certificate, which has to go on working."""
    box = Box(tmp_path_factory.mktemp("good") / "box").connect(service.shop()).start()
    box.until_state("secure")
    yield box
    box.stop()


@pytest.fixture
def client(service: Service) -> Client:
    """A box that is enrolled and may send what it likes."""
    made = Client(service)
    status, _ = made.enrol(service.shop())
    assert status == 200
    return made


def serial(box: Box, service: Service) -> str:
    name = urlsplit(box.status()["url"]).hostname or ""
    with strict_connection(box, name, service.root) as tls:
        return str((tls.getpeercert() or {})["serialNumber"])


def known(service: Service) -> list[dict[str, Any]]:
    """Give the boxes of the service without what changes by itself."""
    fixed = ("label", "contract", "database", "name", "kind")
    return [{name: box[name] for name in fixed} for box in service.admin("box", "list")]


@pytest.fixture
def nothing_is_lost(service: Service, good: Box) -> Iterator[None]:
    """After the test the service runs, knows whom it knew, and gives the honest box another certificate."""
    before = known(service)
    first = serial(good, service)
    yield
    assert service.program.process.poll() is None
    assert [box for box in known(service) if box in before] == before
    lancert("box", "renew", "--folder", str(good.folder))
    until(lambda: serial(good, service) != first, "another certificate for the honest box")
    assert good.until_state("secure")["problems"] == []


def _is_clear(answer: Answer, status: int, name: str) -> None:
    """Claim that an answer is a problem document people can read, with nothing of the inside."""
    assert answer[0] == status, answer
    document = answer[1]
    assert document["type"] == f"urn:lancert:problem:{name}"
    assert document["status"] == status
    assert document["title"]
    assert "Traceback" not in json.dumps(document)
    assert ".py" not in json.dumps(document)


@pytest.mark.usefixtures("nothing_is_lost")
def test_bodies_that_are_not_messages(client: Client) -> None:
    """Unknown and missing fields, another type, twice the same key, no JSON, no UTF-8, too deep, too large (S-53)."""
    honest = {"counter": {"boot": 1, "count": 9}, "csr": pem_of(client.csr())}
    bodies: list[Any] = [
        {**honest, "names": ["google.com"]},
        {"counter": honest["counter"]},
        {**honest, "csr": 7},
        {**honest, "counter": {"boot": "1", "count": 9}},
        {**honest, "counter": {"boot": 1, "count": -1}},
        [],
        b"",
        b"{",
        b'{"csr": "a", "csr": "b", "counter": {"boot": 1, "count": 9}}',
        b'{"csr": "\xff\xfe", "counter": {"boot": 1, "count": 9}}',
        b'{"csr": "\\ud800", "counter": {"boot": 1, "count": 9}}',
        b"[" * 8000 + b"]" * 8000,
        b'{"counter": {"boot": 1, "count": NaN}, "csr": "a"}',
    ]

    for body in bodies:
        _is_clear(client.post(CERTIFICATES, body), 400, "malformed")
    _is_clear(client.post(CERTIFICATES, b" " * 20_000), 413, "too-large")
    _is_clear(client.post(REPORTS, {**honest, "addresses": ["8.8.8.8"] * 3000}), 413, "too-large")
    assert client.ask(pem_of(client.csr()))[0] == 200


@pytest.mark.usefixtures("nothing_is_lost")
def test_signing_requests_that_are_not_acceptable(service: Service, client: Client, good: Box) -> None:
    """Huge, malformed, wrongly signed, weak, with extra names, or a key somebody else uses (S-44 to S-47)."""
    small = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    odd = ec.generate_private_key(ec.SECP256K1())
    other = Client(service)
    assert other.enrol(service.shop())[0] == 200
    assert other.ask(pem_of(other.csr()))[0] == 200
    refused = {
        "huge": "-----BEGIN CERTIFICATE REQUEST-----\n" + "A" * 4000 + "\n-----END CERTIFICATE REQUEST-----\n",
        "no PEM": "please",
        "no DER": "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "two": pem_of(client.csr()) * 2,
        "wrongly signed": wrongly_signed(client.csr()),
        "weak": pem_of(client.csr(small)),
        "strange curve": pem_of(client.csr(odd)),
        "names of somebody": pem_of(client.csr(None, "google.com")),
        "names of the honest box": pem_of(client.csr(None, urlsplit(good.status()["stable_url"]).hostname or "")),
    }

    for what, csr in refused.items():
        status, document = client.ask(csr)
        assert (what, status, document["type"]) == (what, 400, "urn:lancert:problem:csr-refused")
        assert document["detail"].endswith(".")
    _is_clear(client.ask(pem_of(client.csr(other.key))), 409, "key-not-usable")
    assert client.ask(pem_of(client.csr()))[0] == 200


@pytest.mark.usefixtures("nothing_is_lost")
def test_requests_that_are_replayed_or_tampered_with(service: Service, client: Client) -> None:
    """A copy of a request is refused, and so is one whose body, path or signature was changed (S-50, T-04)."""
    body = json.dumps(
        {"counter": client.counter(), "version": "0.1.0", "addresses": [], "certificate": None, "problems": []}
    ).encode()
    headers = client.signed(REPORTS, body)
    assert client.send(REPORTS, body, headers)[0] == 200

    older = json.loads(body) | {"counter": {"boot": 0, "count": 99}}
    _is_clear(client.post(REPORTS, older), 401, "replayed")
    signature = headers["signature"]
    other_bit = "B" if signature[20] == "A" else "A"
    for path, changed, sent in (
        (REPORTS, body.replace(b"0.1.0", b"0.1.1"), headers),
        (CERTIFICATES, body, headers),
        (REPORTS, body, {**headers, "signature": f"{signature[:20]}{other_bit}{signature[21:]}"}),
        (REPORTS, body, {name: value for name, value in headers.items() if name != "signature"}),
        (REPORTS, body, Client(service).signed(REPORTS, body)),
    ):
        _is_clear(client.send(path, changed, sent), 401, "not-authenticated")


def test_noise_at_every_port_of_a_running_world(service: Service, good: Box) -> None:
    """What is no TLS, no HTTP and no DNS is turned away, and whoever comes next is served."""
    noise = [
        b"",
        b"\x00" * 1000,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nHost: b\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nzzz\r\n",
        b"\x16\x03\x01\xff\xff" + os.urandom(500),
        os.urandom(3000),
    ]
    ports = [*good.ports.values(), service.facts["https_port"], service.facts["dns_port"]]

    for port in ports:
        for sent in noise:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as door, contextlib.suppress(OSError):
                door.sendall(sent)
                door.shutdown(socket.SHUT_WR)
                while door.recv(65_536):
                    pass
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagram:
            datagram.sendto(os.urandom(600), ("127.0.0.1", port))

    assert good.status()["state"] == "secure"
    assert serial(good, service)
    assert lancert("box", "doctor", "--folder", str(good.folder), "--address", "127.0.0.1").returncode == 0


@pytest.mark.parametrize(
    ("line", "status", "sentence"),
    [
        ("", 2, "lancert demo --check"),
        ("bxo", 2, "Did you mean: lancert box?"),
        ("frobnicate", 2, "There are: box, service, admin, authority, demo, explain."),
        ("ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 404", 2, "lancert explain ERR_IOT_HTTPS_LOAD_REQUEST_STATUS 404"),
        ("explain NOPE", 2, "ERR_IOT_HTTPS_CHECK_NO_SERVER"),
        ("box", 2, "lancert box connect lct1."),
        ("box conect lct1.a", 2, "Did you mean 'connect'?"),
        ("box run --http-prot 80", 2, "'--http-port'"),
        ("box connect http://iot.example.com", 2, "write https:// before the host"),
        ("box connect lct1.broken", 2, "copy the whole of it again"),
        ("demo --chek", 2, "--check"),
        ("service", 2, "lancert service run"),
        ("service run --zone localhost", 1, "is not a zone"),
        ("authority create", 2, "--zone"),
        ("admin tenant ad x", 2, "admin tenant add?"),
    ],
)
def test_a_wrong_command_line_says_what_to_type(tmp_path: Path, line: str, status: int, sentence: str) -> None:
    """The sentence people need, an exit status for programs, never a trace."""
    folders = {"LANCERT_BOX_FOLDER": str(tmp_path / "box"), "LANCERT_SERVICE_FOLDER": str(tmp_path / "service")}

    done = lancert(*line.split(), check=False, env=folders)

    assert done.returncode == status, done.stdout + done.stderr
    assert sentence in " ".join((done.stdout + done.stderr).split())
    assert "Traceback" not in done.stderr
