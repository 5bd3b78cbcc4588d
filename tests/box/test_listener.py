"""The doors of the homepage on real sockets: a new certificate is swapped in and nobody notices."""

import asyncio
import contextlib
import gc
import http.client
import socket
import ssl
import threading
import time
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from tests.box.conftest import Authority
from tests.box.given import ENROLMENT, LABEL, NAMES
from tests.peers.authority import TODAY, make_server, pem, server_file

from lancert.box import tls
from lancert.box.connection import Phase
from lancert.box.crowd import Limits
from lancert.box.listener import CannotListen, Listener, open_sockets, ports_of
from lancert.protocol.names import stable_name

NAME = stable_name(LABEL, ENROLMENT.zone)


async def _homepage(scope: Any, receive: Any, send: Any) -> None:
    """Answer every request with the scheme it came by."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]})
    await send({"type": "http.response.body", "body": scope["scheme"].encode().ljust(6)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A listener in a thread of its own."""

    http: int
    https: int
    swap: Callable[[ssl.SSLContext], None]


async def _form(_scope: Any, receive: Any, send: Any) -> None:
    """Read the whole request before the answer."""
    while (await receive()).get("more_body"):
        pass
    await _homepage({"scheme": "form"}, receive, send)


@contextmanager
def _running(context: ssl.SSLContext, app: Any = _homepage, **settings: Any) -> Iterator[Running]:
    started: Future[tuple[Running, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        listener, enough = Listener(app, context, **settings), asyncio.Event()
        http, https = open_sockets(["127.0.0.1"], 0), open_sockets(["127.0.0.1"], 0)
        await listener.start(http, https)
        ports, loop = ports_of(http, https), asyncio.get_running_loop()

        def swap(newest: ssl.SSLContext) -> None:
            done: Future[None] = Future()
            loop.call_soon_threadsafe(listener.swap, newest)
            loop.call_soon_threadsafe(done.set_result, None)
            done.result(timeout=20)

        started.set_result((Running(http=ports.http, https=ports.https, swap=swap), loop, enough))
        await enough.wait()
        await listener.stop()

    thread = threading.Thread(target=asyncio.run, args=(live(),))
    thread.start()
    try:
        running, loop, enough = started.result(timeout=20)
        yield running
        loop.call_soon_threadsafe(enough.set)
    finally:
        thread.join(timeout=20)
    assert not thread.is_alive()


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A certificate that is served, and the context to serve it."""

    certificate: x509.Certificate
    context: ssl.SSLContext


@pytest.fixture
def make_served(authority: Authority, tmp_path: Path) -> Callable[[], Served]:
    """Make certificates of the box, each with its own key."""

    def make() -> Served:
        server = make_server(authority.issuing, NAMES)
        path = server_file(
            tmp_path / f"{server.certificate.serial_number:x}.pem", server, authority.issuing.certificate
        )
        return Served(certificate=server.certificate, context=tls.server_context(path))

    return make


def _strict(authority: Authority, version: ssl.TLSVersion, *, with_name: bool) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = context.maximum_version = version
    context.load_verify_locations(cadata=pem(authority.root.certificate).decode())
    context.check_hostname = with_name
    return context


def _shown(running: Running, context: ssl.SSLContext, *, with_name: bool) -> bytes:
    """Shake hands, ask for the homepage, and give the certificate that was shown."""
    with (
        socket.create_connection(("127.0.0.1", running.https), timeout=20) as tcp,
        context.wrap_socket(tcp, server_hostname=NAME if with_name else None) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        answer = b""
        while part := connection.recv(4096):
            answer += part
        assert answer.endswith(b"https ")
        shown = connection.getpeercert(binary_form=True)
        assert shown is not None
        return shown


VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.promise("M1")
@pytest.mark.parametrize("with_name", [True, False], ids=["with SNI", "without SNI"])
@pytest.mark.parametrize("version", VERSIONS)
def test_swaps_under_load_break_no_handshake(
    authority: Authority, make_served: Callable[[], Served], version: ssl.TLSVersion, with_name: bool
) -> None:
    """F-75, G11 made small: ten swaps under eighty strict handshakes; each sees a whole certificate, none an error."""
    generations = [make_served() for _ in range(11)]
    known = {x509.load_der_x509_certificate(_der(one)) for one in generations}
    context = _strict(authority, version, with_name=with_name)
    with _running(generations[0].context) as running, ThreadPoolExecutor(4) as clients:
        handshakes = []
        for generation in generations[1:]:
            handshakes += [clients.submit(_shown, running, context, with_name=with_name) for _ in range(8)]
            running.swap(generation.context)
            # Whoever comes after the swap sees the new certificate, while the others are still on their way.
            assert _shown(running, context, with_name=with_name) == _der(generation)
        seen = {x509.load_der_x509_certificate(one.result(timeout=30)) for one in handshakes}

    assert seen <= known
    assert len(handshakes) == 80


def _der(served: Served) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return served.certificate.public_bytes(Encoding.DER)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_established_connection_lives_on(
    authority: Authority, make_served: Callable[[], Served], version: ssl.TLSVersion
) -> None:
    """F-75: a browser's connection outlives every swap, with the certificate it began with."""
    context = _strict(authority, version, with_name=True)
    with _running(make_served().context) as running:
        connection = http.client.HTTPSConnection(NAME, running.https, timeout=20, context=context)
        connection.sock = context.wrap_socket(
            socket.create_connection(("127.0.0.1", running.https), timeout=20), server_hostname=NAME
        )
        first = connection.sock
        for _ in range(6):
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"https "
            running.swap(make_served().context)
        assert connection.sock is first
        connection.close()


@pytest.mark.parametrize("version", VERSIONS)
def test_a_session_is_resumed_until_the_next_swap(
    authority: Authority, make_served: Callable[[], Served], version: ssl.TLSVersion
) -> None:
    """F-75: a client that remembers its session comes through quickly, and after a swap anew, with the new one."""
    context = _strict(authority, version, with_name=True)
    generations = [make_served(), make_served()]

    def shake(session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool | None, bytes | None]:
        with (
            socket.create_connection(("127.0.0.1", running.https), timeout=20) as tcp,
            context.wrap_socket(tcp, server_hostname=NAME, session=session) as connection,
        ):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert connection.recv(4096)
            return connection.session, connection.session_reused, connection.getpeercert(binary_form=True)

    with _running(generations[0].context) as running:
        session, *_ = shake(None)
        assert shake(session)[1:] == (True, _der(generations[0]))
        running.swap(generations[1].context)
        assert shake(session)[1:] == (False, _der(generations[1]))


def test_answers_on_a_kept_connection_do_not_wait_for_each_other(make_served: Callable[[], Served]) -> None:
    """A page with its pictures is there at once: no part of an answer waits 40 ms for an acknowledgement."""
    with _running(make_served().context) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.http, timeout=20)
        taken = []
        for _ in range(20):
            began = time.monotonic()
            connection.request("GET", "/")
            assert connection.getresponse().read() == b"http  "
            taken.append(time.monotonic() - began)
        connection.close()

    assert min(taken[1:]) < 0.03


_SOON = dict.fromkeys(Phase, 0.3)


@pytest.mark.parametrize("is_secure", [False, True], ids=["HTTP", "HTTPS"])
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: ",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
    ids=["nothing", "half a head", "half a form", "half of the chunks"],
)
def test_a_request_that_does_not_come_is_not_waited_for(
    authority: Authority, make_served: Callable[[], Served], sent: bytes, is_secure: bool
) -> None:
    """F-32, T-28: each part of a request has its time, and then the connection is closed."""
    with _running(make_served().context, _form, patience=_SOON) as running:
        port = running.https if is_secure else running.http
        tcp: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        if is_secure:
            tcp = _strict(authority, ssl.TLSVersion.TLSv1_3, with_name=True).wrap_socket(tcp, server_hostname=NAME)
        with tcp:
            tcp.sendall(sent)

            assert _rest(tcp) == b""


def test_a_handshake_that_does_not_come_is_not_waited_for(make_served: Callable[[], Served]) -> None:
    """F-32: a connection to the HTTPS port without a handshake, or with half of one, is closed."""
    with _running(make_served().context, patience=_SOON) as running:
        for sent in (b"", bytes.fromhex("16030102000100")):
            with socket.create_connection(("127.0.0.1", running.https), timeout=20) as tcp:
                tcp.sendall(sent)

                assert _rest(tcp) == b""


def test_a_visitor_who_is_served_keeps_the_place(make_served: Callable[[], Served]) -> None:
    """F-32: of those who only wait, the one who came first goes; the next visitor is served."""
    with _running(make_served().context, limits=Limits(total=3, each=2)) as running:
        waiting = [socket.create_connection(("127.0.0.1", running.http), timeout=20) for _ in range(5)]
        connection = http.client.HTTPConnection("127.0.0.1", running.http, timeout=20)
        connection.request("GET", "/")
        answer = connection.getresponse().read()
        gone = [_rest(one) for one in waiting[:4]]
        connection.close()
        for one in waiting:
            one.close()

    assert answer == b"http  "
    assert gone == [b""] * 4


@pytest.mark.parametrize("sent", [b"no TLS at all\r\n\r\n", b""], ids=["garbage", "nothing, and sent away"])
def test_a_handshake_that_failed_leaves_nothing_in_memory(make_served: Callable[[], Served], sent: bytes) -> None:
    """F-32: what strangers open and leave is gone with them, not when the garbage collector comes by."""
    gc.collect()
    gc.disable()
    try:
        with _running(make_served().context, limits=Limits(total=8, each=8)) as running:
            strangers = [socket.create_connection(("127.0.0.1", running.https), timeout=20) for _ in range(30)]
            for stranger in strangers if sent else strangers[:22]:
                stranger.sendall(sent)
                _rest(stranger)
            connection = http.client.HTTPConnection("127.0.0.1", running.http, timeout=20)
            connection.request("GET", "/")
            connection.getresponse().read()
            left = sum(isinstance(one, SSLProtocol) for one in gc.get_objects())
            connection.close()
            for stranger in strangers:
                stranger.close()
    finally:
        gc.enable()

    assert left <= 8


def _rest(connection: socket.socket) -> bytes:
    """Give what comes until the other side closes, or ends the connection in another way."""
    came = b""
    with contextlib.suppress(ConnectionError, ssl.SSLEOFError):
        while part := connection.recv(4096):
            came += part
    return came


@pytest.mark.promise("M10")
def test_http_answers_beside_https(make_served: Callable[[], Served]) -> None:
    """M10, I-1: the homepage stays reachable by HTTP."""
    with _running(make_served().context) as running:
        connection = http.client.HTTPConnection("127.0.0.1", running.http, timeout=20)
        connection.request("GET", "/")
        answer = connection.getresponse()
        connection.close()

        assert (answer.status, answer.getheader("server")) == (200, None)


@pytest.mark.parametrize(
    "offer",
    [
        {"maximum_version": ssl.TLSVersion.TLSv1_1, "minimum_version": ssl.TLSVersion.TLSv1},
        {"ciphers": "AES128-GCM-SHA256:AES256-GCM-SHA384"},
        {"ciphers": "ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA384"},
    ],
    ids=["TLS 1.1", "no forward secrecy", "no authenticated encryption"],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_tls_is_not_spoken(authority: Authority, make_served: Callable[[], Served], offer: dict[str, Any]) -> None:
    """S-10: TLS 1.2 and 1.3, forward secrecy and authenticated encryption, nothing else."""
    context = _strict(authority, ssl.TLSVersion.TLSv1_2, with_name=True)
    ciphers = offer.get("ciphers", "ALL:@SECLEVEL=0")
    context.minimum_version = offer.get("minimum_version", ssl.TLSVersion.TLSv1_2)
    context.maximum_version = offer.get("maximum_version", ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(ciphers)
    with _running(make_served().context) as running, pytest.raises(OSError, match=r"(?i)alert|handshake|protocol|EOF"):
        _shown(running, context, with_name=True)


def test_a_pair_that_does_not_match_is_never_put_into_service(
    authority: Authority, make_served: Callable[[], Served], tmp_path: Path
) -> None:
    """F-09: the context is built before it is swapped, so what is wrong fails there, and the old one serves on."""
    wrong = tmp_path / "wrong.pem"
    one, other = make_server(authority.issuing, NAMES), make_server(authority.issuing, NAMES)
    server_file(wrong, type(one)(certificate=one.certificate, key=other.key))
    served = make_served()
    with _running(served.context) as running:
        with pytest.raises(ssl.SSLError):
            running.swap(tls.server_context(wrong))
        context = _strict(authority, ssl.TLSVersion.TLSv1_3, with_name=True)

        assert _shown(running, context, with_name=True) == _der(served)


def test_the_stop_gap_is_self_signed_private_and_gives_way(
    authority: Authority, make_served: Callable[[], Served], tmp_path: Path
) -> None:
    """Before the first certificate a browser gets a warning and the homepage; afterwards only the certificate."""
    path = tmp_path / "stop-gap.pem"
    tls.write_stop_gap(path, [ip_address("192.168.1.5"), ip_address("fd12::1")], TODAY)
    stop_gap = x509.load_pem_x509_certificate(path.read_bytes())
    strict = _strict(authority, ssl.TLSVersion.TLSv1_3, with_name=True)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE
    served = make_served()
    with _running(tls.server_context(path)) as running:
        with pytest.raises(ssl.SSLCertVerificationError):
            _shown(running, strict, with_name=True)
        assert x509.load_der_x509_certificate(_shown(running, unverified, with_name=True)) == stop_gap
        running.swap(served.context)

        assert _shown(running, strict, with_name=True) == _der(served)
    stop_gap.verify_directly_issued_by(stop_gap)
    names = stop_gap.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.IPAddress) == [ip_address("192.168.1.5"), ip_address("fd12::1")]
    assert not stop_gap.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert path.stat().st_mode & 0o077 == 0


def test_a_port_that_is_taken_is_named() -> None:
    """Whoever starts a second agent reads which port and what to do, and no socket stays open."""
    (taken,) = open_sockets(["127.0.0.1"], 0)
    port = taken.getsockname()[1]
    with taken, pytest.raises(CannotListen, match=rf"port {port} cannot be opened: another program uses it"):
        open_sockets(["127.0.0.1"], port)


def test_an_address_of_another_machine_is_named() -> None:
    """An address nobody here has is told apart from nothing."""
    with pytest.raises(CannotListen, match=r"192\.0\.2\.1 is not an address of this machine"):
        open_sockets(["127.0.0.1", "192.0.2.1"], 0)


def test_both_versions_of_loopback_share_a_port() -> None:
    """A free port is the same on every address."""
    sockets = open_sockets(["127.0.0.1", "::1"], 0)
    ports = {one.getsockname()[1] for one in sockets}
    for one in sockets:
        one.close()

    assert len(ports) == 1
