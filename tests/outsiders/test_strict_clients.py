"""Clients that insist on valid HTTPS, before a running IoT system with the certificate it got by itself.

Each client is told to trust the root of the service and nothing else, as a payment terminal is.
"""

import os
import re
import socket
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.journeys.world import Box, Service
from tests.outsiders.foreign import Done, run
from tests.peers.authority import make_root, pem

Tool = Callable[[str], str]
Client = Callable[[Tool, int, str, Path], Done]


def by_openssl(*version: str) -> Client:
    def connect(tool: Tool, port: int, name: str, root: Path) -> Done:
        strict = ("-x509_strict", "-verify_return_error", "-verify_hostname", name, "-servername", name)
        only = ("-CAfile", root, "-no-CApath", "-no-CAstore")
        return run(tool("openssl"), "s_client", *strict, *version, *only, "-connect", f"127.0.0.1:{port}")

    return connect


def by_gnutls(tool: Tool, port: int, name: str, root: Path) -> Done:
    wanted = (f"--verify-hostname={name}", f"--sni-hostname={name}", f"--x509cafile={root}", "--logfile=/dev/stderr")
    return run(tool("gnutls-cli"), *wanted, "-p", port, "127.0.0.1")


def by_curl(tool: Tool, port: int, name: str, root: Path) -> Done:
    here = ("--resolve", f"{name}:{port}:127.0.0.1", "--noproxy", "*", "--capath", os.devnull)
    return run(tool("curl"), "-q", "-sS", "--fail", *here, "--cacert", root, f"https://{name}:{port}/status.json")


def by_python(tool: Tool, port: int, name: str, root: Path) -> Done:
    context = ssl.create_default_context(cafile=root)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection(("127.0.0.1", port), 10) as plain:
        try:
            with context.wrap_socket(plain, server_hostname=name) as secured:
                return Done("python", 0, secured.version() or "", "")
        except ssl.SSLCertVerificationError as error:
            return Done("python", 1, "", error.verify_message)


CLIENTS: dict[str, Client] = {
    "openssl, TLS 1.2": by_openssl("-tls1_2"),
    "openssl, TLS 1.3": by_openssl("-tls1_3"),
    "gnutls-cli": by_gnutls,
    "curl": by_curl,
    "Python": by_python,
}
every_client = pytest.mark.parametrize("client", CLIENTS.values(), ids=CLIENTS)


@pytest.fixture(scope="module")
def box(service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """An IoT system with the certificate it got by itself."""
    started = Box(tmp_path_factory.mktemp("box") / "box").connect(service.shop()).start()
    started.until_state("secure")
    yield started
    started.stop()


@pytest.fixture(scope="module")
def names(box: Box) -> tuple[str, str]:
    """The name with the address and the stable name."""
    status = box.status()
    return urlsplit(status["url"]).hostname or "", urlsplit(status["stable_url"]).hostname or ""


@pytest.mark.promise("M1")
@every_client
def test_a_strict_client_accepts_the_iot_system(
    client: Client, tool: Tool, box: Box, names: tuple[str, str], service: Service
) -> None:
    """With nothing but the root, by the name with the address and by the stable name."""
    for name in names:
        done = client(tool, box.ports["https"], name, service.root)

        assert done.returncode == 0, done.stdout + done.stderr


@every_client
def test_no_client_accepts_it_without_the_root(
    client: Client, tool: Tool, box: Box, names: tuple[str, str], tmp_path: Path
) -> None:
    """The control: a client that trusts some other root refuses."""
    other = tmp_path / "other-root.pem"
    other.write_bytes(pem(make_root().certificate))

    done = client(tool, box.ports["https"], names[0], other)

    assert done.returncode != 0, done.stdout + done.stderr


@every_client
def test_no_client_accepts_it_for_another_iot_system(client: Client, tool: Tool, box: Box, service: Service) -> None:
    """The label of another IoT system is another name, though root and zone are the same (T-01)."""
    other = "127-0-0-1.aaaaaaaaaaaaaaaa.lancert.localhost"

    done = client(tool, box.ports["https"], other, service.root)

    assert done.returncode != 0, done.stdout + done.stderr


@every_client
def test_no_client_accepts_it_by_ip_address(client: Client, tool: Tool, box: Box, service: Service) -> None:
    """No address stands in the certificate, so none is good (S-71)."""
    assert client(tool, box.ports["https"], "127.0.0.1", service.root).returncode != 0


def _handshake(tool: Tool, box: Box, *options: str, stdin: str = "") -> Done:
    return run(tool("openssl"), "s_client", "-connect", f"127.0.0.1:{box.ports['https']}", *options, stdin=stdin)


WEAK = {
    "TLS 1.0": ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
    "TLS 1.1": ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
    "no forward secrecy": ("-tls1_2", "-cipher", "AES128-GCM-SHA256:AES256-GCM-SHA384"),
    "CBC": ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES128-SHA256"),
    "finite field": ("-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"),
    "without authentication": ("-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"),
    "without encryption": ("-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"),
}


@pytest.mark.parametrize("options", WEAK.values(), ids=WEAK)
def test_weak_versions_and_suites_are_refused(tool: Tool, box: Box, options: tuple[str, ...]) -> None:
    """TLS 1.2 and 1.3 with forward secrecy, nothing older and nothing weaker (S-10)."""
    done = _handshake(tool, box, *options)

    assert done.returncode != 0
    assert "Cipher is (NONE)" in done.stdout
    # The client asked and the server ended it; a client that cannot even ask would prove nothing.
    assert re.search(r"handshake has read 0 bytes and written [1-9][0-9]+ bytes", done.stdout), done.stdout
    assert "unexpected eof" in done.stderr or "alert" in done.stderr, done.stderr


def test_what_is_offered_is_strong(tool: Tool, box: Box) -> None:
    """The control of the test before: with an ordinary suite the handshake succeeds, with forward secrecy (S-10)."""
    done = _handshake(tool, box, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")

    assert done.returncode == 0, done.stderr
    assert "Cipher is ECDHE-ECDSA-AES128-GCM-SHA256" in done.stdout


def test_nothing_is_compressed_and_nothing_renegotiated(tool: Tool, box: Box) -> None:
    """Compression would leak what is sent, renegotiation costs the box and is not needed (S-10)."""
    # A line with an R asks s_client to renegotiate.
    done = _handshake(tool, box, "-tls1_2", "-comp", stdin="R\n")

    assert "Compression: NONE" in done.stdout
    assert "Secure Renegotiation IS supported" in done.stdout
    assert "RENEGOTIATING" in done.stdout + done.stderr
    assert "no renegotiation" in done.stderr, done.stderr
