"""What foreign programs are shown: an authority, a chain of it, servers that use it, and what a thief could make."""

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from tests.journeys.fixtures import new_box, own_service, service

from lancert.protocol.certificate import public_bytes
from lancert.protocol.names import certificate_names, new_label, parse_zone
from lancert.service.authority import EmbeddedAuthority, create_authority, open_authority
from lancert.service.authority.keys import new_key, read_key, read_passphrase

__all__ = ["new_box", "own_service", "service"]

# Linters and verifiers treat names under localhost in ways of their own, so the zone is an ordinary one.
ZONE = parse_zone("iot.example.com")
CRL_URL = "http://service.iot.example.com/crl"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFiles:
    """What a TLS server is configured with: its names, its chain and its key, in PEM files."""

    names: tuple[str, ...]
    chain: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """An HTTPS server that answers ``hello``."""

    port: int
    names: tuple[str, ...]


Steal = Callable[..., ServerFiles]
Serve = Callable[[ServerFiles], Served]


@pytest.fixture(scope="session")
def authority_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an authority; ``root.pem`` in it is all that the foreign programs are told to trust."""
    folder = tmp_path_factory.mktemp("outsiders") / "authority"
    create_authority(folder, ZONE, now=datetime.now(UTC))
    return folder


@pytest.fixture(scope="session")
def authority(authority_folder: Path) -> EmbeddedAuthority:
    """The authority, opened."""
    return open_authority(authority_folder, ZONE, now=datetime.now(UTC), crl_url=CRL_URL)


@pytest.fixture(scope="session")
def root_file(authority_folder: Path) -> Path:
    """The root certificate in PEM."""
    return authority_folder / "root.pem"


@pytest.fixture(scope="session")
def box_files(authority: EmbeddedAuthority, tmp_path_factory: pytest.TempPathFactory) -> ServerFiles:
    """The certificate of a box, issued as the service does, with its chain and key."""
    key = new_key()
    names = certificate_names(new_label(), ZONE)
    leaf = authority.sign(authority.plan(names=names, public_key=public_bytes(key.public_key()), now=datetime.now(UTC)))
    return write_files(tmp_path_factory.mktemp("box"), names, authority.chain_pem(leaf), key)


@pytest.fixture(scope="session")
def stolen_leaf(authority_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Steal:
    """Make certificates with the stolen issuing key: ``stolen_leaf("google.com")``.

    With ``more``, other kinds of names are added; with ``subject`` the name stands in the subject and, without names,
    nowhere else. Only what is inside the certificate differs from a box's: the signature is right.
    """
    key = read_key(authority_folder / "issuing.key", read_passphrase(authority_folder / "issuing.passphrase"))
    issuing_pem = (authority_folder / "issuing.pem").read_bytes()
    issuing = x509.load_pem_x509_certificate(issuing_pem)

    def steal(*names: str, more: tuple[x509.GeneralName, ...] = (), subject: x509.Name | None = None) -> ServerFiles:
        leaf_key = new_key()
        alternatives = [*(x509.DNSName(name) for name in names), *more]
        leaf = forge(issuing, key, leaf_key.public_key(), alternatives, subject)
        chain = leaf.public_bytes(serialization.Encoding.PEM) + issuing_pem
        return write_files(tmp_path_factory.mktemp("stolen"), names, chain.decode(), leaf_key)

    return steal


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start HTTPS servers on loopback; they stop with the test."""
    running: list[tuple[HTTPServer, threading.Thread]] = []

    def start(files: ServerFiles) -> Served:
        server = _TlsServer(files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        running.append((server, thread))
        return Served(port=server.server_port, names=files.names)

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join(10)
        server.server_close()


def write_files(folder: Path, names: tuple[str, ...], chain: str, key: ec.EllipticCurvePrivateKey) -> ServerFiles:
    """Write a chain and its key as a TLS server wants them."""
    files = ServerFiles(names=names, chain=folder / "chain.pem", key=folder / "key.pem")
    files.chain.write_text(chain, encoding="ascii")
    files.key.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return files


def forge(
    issuing: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
    leaf_key: ec.EllipticCurvePublicKey,
    names: list[x509.GeneralName],
    subject: x509.Name | None,
) -> x509.Certificate:
    """Sign whatever is asked for, as a thief would."""
    now = datetime.now(UTC).replace(microsecond=0)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuing.subject)
        .subject_name(subject or x509.Name([]))
        .public_key(leaf_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_usage_of(issuing), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(leaf_key), critical=False)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=subject is None)
    return builder.sign(key, hashes.SHA256())


def _usage_of(issuing: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    own = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


class _Hello(BaseHTTPRequestHandler):
    timeout = 10

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class _TlsServer(HTTPServer):
    """Serves one connection at a time; a client that refuses the certificate is no error."""

    def __init__(self, files: ServerFiles) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(files.chain, files.key)
        super().__init__(("127.0.0.1", 0), _Hello)

    def get_request(self) -> tuple[ssl.SSLSocket, tuple[str, int]]:
        plain, address = self.socket.accept()
        plain.settimeout(10)
        try:
            return self._context.wrap_socket(plain, server_side=True), address
        except OSError:
            plain.close()
            raise

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that went away."""
