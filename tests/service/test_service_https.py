"""The service's own HTTPS: a certificate of its own authority or given files, and changed while it runs."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from tests.peers.authority import key_pem, make_root, make_server, pem
from tests.service.harness import RunningService

from lancert.protocol.names import DEMO_ZONE
from lancert.service.authority import EmbeddedAuthority, create_authority, open_authority
from lancert.service.https import LiveContext, OwnCertificate
from lancert.service.store.engine import open_engine
from lancert.service.store.writer import Store

NAMES = ("service.lancert.localhost",)


def served(port: int, root: Path, name: str | None = NAMES[0]) -> x509.Certificate:
    """Make a handshake as a client that trusts this root alone, and give the leaf."""
    context = ssl.create_default_context(cafile=str(root))
    if name is None:
        context.check_hostname = False
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain, server_hostname=name) as connection,
    ):
        der = connection.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


@pytest.mark.parametrize("name", [NAMES[0], None], ids=["by name", "without a name"])
def test_the_service_shows_a_certificate_of_its_own_authority(shared: RunningService, name: str | None) -> None:
    """A strict client that trusts only the root accepts it, whether it names the server or not."""
    leaf = served(shared.ready.https_port, shared.folder / shared.ready.root_file, name)

    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == list(NAMES)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
def test_old_versions_of_tls_are_refused(shared: RunningService, version: ssl.TLSVersion) -> None:
    """TLS 1.2 is the oldest that is spoken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = version
    with (
        socket.create_connection(("127.0.0.1", shared.ready.https_port), timeout=20) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        context.wrap_socket(plain)


def test_given_files_are_shown_instead(start_service: Callable[..., RunningService], tmp_path: Path) -> None:
    """An operator with a certificate of a public authority uses that one."""
    root = make_root()
    server = make_server(root, ["certs.example.com"])
    chain, key, trusted = (tmp_path / name for name in ("chain.pem", "key.pem", "root.pem"))
    chain.write_bytes(pem(server.certificate))
    key.write_bytes(key_pem(server.key))
    trusted.write_bytes(pem(root.certificate))
    service = start_service(
        certificate=chain, key=key, public_url="https://certs.example.com", dns_port=None, http_port=None
    )

    assert served(service.ready.https_port, trusted, "certs.example.com") == server.certificate
    assert service.ready.url == "https://certs.example.com"
    assert (service.ready.dns_port, service.ready.http_port) == (None, None)


@pytest.fixture
def authority(tmp_path: Path) -> EmbeddedAuthority:
    """An authority that is valid now."""
    now = datetime.now(UTC)
    create_authority(tmp_path / "authority", DEMO_ZONE, now=now)
    return open_authority(tmp_path / "authority", DEMO_ZONE, now=now)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store in the same folder."""
    made = Store(open_engine(tmp_path))
    yield made
    await made.close()


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.mark.anyio
async def test_the_certificate_is_due_before_it_ends_and_changes_while_connections_live(
    authority: EmbeddedAuthority, store: Store, tmp_path: Path
) -> None:
    """A connection that is open stays open, the next handshake gets the new certificate."""
    now = datetime.now(UTC)
    own = OwnCertificate(folder=tmp_path, authority=authority, names=NAMES)
    assert own.is_due(now)
    await own.renew(store, now)
    assert not own.is_due(now)
    assert own.is_due(now + timedelta(days=31))
    assert OwnCertificate(folder=tmp_path, authority=authority, names=("other.lancert.localhost",)).is_due(now)
    live = LiveContext(own.file)
    server = await asyncio.start_server(_echo, "127.0.0.1", 0, ssl=live.outer)
    port = server.sockets[0].getsockname()[1]
    root = tmp_path / "authority" / "root.pem"
    async with server:
        client = ssl.create_default_context(cafile=str(root))
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=client, server_hostname=NAMES[0])
        before = await asyncio.to_thread(served, port, root)

        await own.renew(store, now)
        live.use(own.file)

        after = await asyncio.to_thread(served, port, root)
        writer.write(b"still there\n")
        assert await reader.readline() == b"still there\n"
        writer.close()
    assert before.serial_number != after.serial_number


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):  # a client that only looks at the certificate just leaves
        while line := await reader.readline():
            writer.write(line)
            await writer.drain()
    writer.close()


@pytest.mark.anyio
async def test_a_damaged_file_is_replaced(authority: EmbeddedAuthority, store: Store, tmp_path: Path) -> None:
    """Whatever happened to the file, the service has a certificate after its start."""
    now = datetime.now(UTC)
    own = OwnCertificate(folder=tmp_path, authority=authority, names=NAMES)
    await own.renew(store, now)
    for content in (b"", b"garbage", own.file.read_bytes()[:700]):
        own.file.write_bytes(content)
        assert own.is_due(now)


@pytest.mark.anyio
async def test_a_pair_that_does_not_match_leaves_the_old_one(
    authority: EmbeddedAuthority, store: Store, tmp_path: Path
) -> None:
    """A certificate with the key of another is noticed before it takes over."""
    now = datetime.now(UTC)
    own = OwnCertificate(folder=tmp_path, authority=authority, names=NAMES)
    await own.renew(store, now)
    live = LiveContext(own.file)
    root = make_root()
    one, other = make_server(root, NAMES), make_server(root, NAMES)
    (tmp_path / "chain.pem").write_bytes(pem(one.certificate))
    (tmp_path / "key.pem").write_bytes(key_pem(other.key))

    with pytest.raises(ssl.SSLError):
        live.use(tmp_path / "chain.pem", tmp_path / "key.pem")

    server = await asyncio.start_server(_echo, "127.0.0.1", 0, ssl=live.outer)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await asyncio.to_thread(served, port, tmp_path / "authority" / "root.pem")
