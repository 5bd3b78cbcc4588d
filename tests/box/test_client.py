"""The way to the server over real sockets: each thing that can go wrong is recognised for what it is."""

import asyncio
import contextlib
import gzip
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from itertools import repeat
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import a_box
from tests.peers.authority import DAY, TODAY, Signer, make_issuing, make_leaf, make_root, make_server, pem, server_file
from tests.peers.https import Behaviour, Close, Hang, HttpsPeer, Raw, Reply, Reset
from tests.peers.proxy import ConnectProxy

from lancert.box.client import Client, Hop, Limits, Unreachable, look_up
from lancert.box.connecting import ConnectRefused, connect, fetch_root, unreachable
from lancert.box.conversation import Answered
from lancert.box.diagnosis import service_reachable
from lancert.box.diagnosis.result import Verdict
from lancert.box.dialing import dial
from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.proxies import Proxies
from lancert.kit.clock import SystemClock
from lancert.kit.secret import Secret
from lancert.protocol import problems
from lancert.protocol.messages import ANSWER_LIMIT

QUICK = Limits(connect=0.5, handshake=0.5, whole=1.0)


def _client(server: Server, authority: Authority, limits: Limits = QUICK) -> Client:
    return Client(server, [authority.root.certificate], SystemClock(), limits)


def _ask(server: Server, authority: Authority, limits: Limits = QUICK) -> Answered:
    return asyncio.run(_client(server, authority, limits).post("/api/v1/certificates", b'{"a": 1}', {"x-a": "b"}))


def _failure(server: Server, authority: Authority, limits: Limits = QUICK) -> tuple[str, Hop]:
    with pytest.raises(Unreachable) as failed:
        _ask(server, authority, limits)
    assert failed.value.cause in {cause.id for cause in problems.LOAD_REQUEST_EXCEPTION.causes}
    assert str(failed.value)
    return failed.value.cause, failed.value.hop


@pytest.mark.promise("M3")
def test_one_request_goes_to_the_service_and_its_answer_comes_back(
    peer: HttpsPeer, server: Server, authority: Authority
) -> None:
    """M3: what is sent arrives as it is, what comes back is handed on with what the plan needs."""
    headers = {
        "retry-after": "7",
        "date": "Fri, 20 Nov 2026 09:30:00 GMT",
        "content-type": "Application/JSON; charset=x",
    }
    peer.always(Reply(status=429, body=b'{"b": 2}', media_type=None, headers=headers))
    answered = _ask(server, authority)
    (request,) = peer.requests

    assert (request.method, request.path, request.body) == ("POST", "/api/v1/certificates", b'{"a": 1}')
    assert request.headers["host"] == f"service.localhost:{peer.port}"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["x-a"] == "b"
    assert (answered.status, answered.media_type, answered.body) == (429, "application/json", b'{"b": 2}')
    assert answered.retry_after == "7"
    assert answered.server_time is not None
    assert answered.server_time.isoformat() == "2026-11-20T09:30:00+00:00"


@pytest.mark.parametrize(
    "date",
    [
        "",
        "yesterday",
        "Fri, 20 Nov 2026 09:30:00",
        "Mon, 01 Jan 2024 00:00:00 +999999999999999999",
        "٣",
        "Mon, 99999999999999999999 Jan 2024 00:00:00 GMT",
    ],
)
def test_a_date_that_makes_no_sense_does_not_count(
    peer: HttpsPeer, server: Server, authority: Authority, date: str
) -> None:
    """F-31: an answer with a strange Date is read all the same."""
    peer.always(Reply(headers={"date": date}))

    assert _ask(server, authority).status == 200


def test_the_largest_answer_is_read(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """The limit itself is allowed, with its length told, in chunks, or up to the end of the connection."""
    content = b"x" * ANSWER_LIMIT
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
    replies = [
        Reply(body=content),
        Reply(body=[chunked], headers={"transfer-encoding": "chunked"}),
        Reply(body=[content]),
    ]
    for reply in replies:
        peer.always(reply)
        assert _ask(server, authority).body == content


# Hop by hop: each cause for real


@pytest.mark.promise("M15")
def test_an_unknown_name_is_told_from_a_name_server_that_is_down() -> None:
    """F-26: a name below .invalid (RFC 6761, 6.4) fails as this machine's resolver says."""
    with pytest.raises(socket.gaierror) as said:
        socket.getaddrinfo("lancert-test.invalid", None)
    with pytest.raises(Unreachable) as failed:
        asyncio.run(look_up("lancert-test.invalid"))

    expected = {socket.EAI_NONAME: "name-unknown", socket.EAI_AGAIN: "name-server-down"}[said.value.errno or 0]
    assert (failed.value.cause, failed.value.hop) == (expected, Hop.LOOKUP)


_LOOK_UP = """
import asyncio
from lancert.box.client import Unreachable, look_up
try:
    asyncio.run(look_up("lancert-test.invalid"))
except Unreachable as failed:
    print(failed.cause, failed.hop)
"""


@pytest.mark.promise("M15")
def test_a_name_server_that_cannot_be_reached_is_named(tool: Callable[[str], str]) -> None:
    """F-26: when no packet reaches the name server, that is the cause, and not a mistyped name."""
    ended = subprocess.run(
        [
            tool("strace"),
            "-f",
            "-o",
            "/dev/null",
            "-e",
            "inject=connect:error=ENETUNREACH",
            sys.executable,
            "-c",
            _LOOK_UP,
        ],
        capture_output=True,
        timeout=60,
        check=False,
        text=True,
    )

    assert ended.stdout.split() == ["name-server-down", "lookup"], ended.stderr


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port: int = door.getsockname()[1]
        return port


@pytest.mark.promise("M9", "M15")
def test_a_refused_connection_is_named(authority: Authority) -> None:
    """F-26: nobody listens, or a firewall rejects."""
    server = Server(url=f"https://service.localhost:{_closed_port()}")

    assert _failure(server, authority) == ("refused", Hop.CONNECT)


@contextlib.contextmanager
def _silent(address: str, port: int = 0) -> Iterator[int]:
    """Drop connections without a word, as a firewall does: the queue is full and nobody accepts."""
    with socket.create_server((address, port), backlog=0) as door:
        taken: int = door.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for one in fillers:
            one.setblocking(False)
            one.connect_ex((address, taken))
        yield taken
        for one in fillers:
            one.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that drops connections without a word."""
    with _silent("127.0.0.1") as port:
        yield port


@pytest.mark.promise("M9", "M15")
def test_a_firewall_that_drops_is_named_a_timeout(silent_port: int, authority: Authority) -> None:
    """F-25, M9: no answer to the connection itself."""
    assert _failure(Server(url=f"https://127.0.0.1:{silent_port}"), authority) == ("timeout", Hop.CONNECT)


def test_a_failure_without_a_word_from_the_system_is_told_in_ours() -> None:
    """A reset sometimes comes without text; the log says at least what and where."""
    assert str(Unreachable("broken-off", Hop.TLS, "")) == "broken-off at tls"


@pytest.mark.promise("M9", "M15")
@pytest.mark.parametrize(
    ("behaviour", "cause"), [(Hang(), "timeout"), (Reset(), "broken-off"), (Close(), "broken-off")]
)
def test_a_connection_that_ends_before_tls_is_named(
    peer: HttpsPeer, server: Server, authority: Authority, behaviour: Behaviour, cause: str
) -> None:
    """M9: accepted and then silent, reset or closed: what firewalls that know host names do."""
    peer.before_tls = behaviour

    assert _failure(server, authority) == (cause, Hop.TLS)


def test_a_handshake_that_hangs_is_tried_once_more(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """F-27: over a bad wire a fresh connection comes through; two that hang are a timeout."""
    limits = replace(QUICK, whole=5.0)
    peer.first = [Hang()]
    assert _ask(server, authority, limits).status == 200
    assert peer.connections == 2
    peer.first = [Hang(), Hang()]
    assert _failure(server, authority, limits) == ("timeout", Hop.TLS)
    assert len(peer.requests) == 1


def test_a_dead_first_address_costs_moments_and_not_the_try(peer: HttpsPeer) -> None:
    """F-25: the second address joins while the first one keeps silent (RFC 8305)."""

    async def connect() -> tuple[str, float]:
        began = asyncio.get_running_loop().time()
        door = await dial(["127.0.0.2", "127.0.0.1"], peer.port, 8.0)
        with door:
            return str(door.getpeername()[0]), asyncio.get_running_loop().time() - began

    with _silent("127.0.0.2", peer.port):
        address, seconds = asyncio.run(connect())

    assert address == "127.0.0.1"
    assert seconds < 4.0


@pytest.mark.promise("M15")
@pytest.mark.parametrize(
    ("behaviour", "cause"),
    [
        (Hang(), "timeout"),
        (Reset(), "broken-off"),
        (Close(), "broken-off"),
        (Raw(b"hello\r\n\r\n"), "broken-off"),
        (Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"), "broken-off"),
        (Raw(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000), "broken-off"),
        (Raw(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"), "broken-off"),
        (Raw(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nabcdef"), "broken-off"),
    ],
)
def test_an_exchange_that_breaks_off_is_named(
    peer: HttpsPeer, server: Server, authority: Authority, behaviour: Behaviour, cause: str
) -> None:
    """F-28, F-31: silence, a cut at any place and what is not HTTP: nothing is accepted in part."""
    peer.always(behaviour)

    assert _failure(server, authority) == (cause, Hop.HTTP)


def test_an_answer_cut_anywhere_is_never_taken_for_a_whole_one(
    peer: HttpsPeer, server: Server, authority: Authority
) -> None:
    """F-28: cut after every seventh byte, the answer is refused; whole, it is read."""
    body = b'{"chain": "0123456789abcdefghijk"}'
    whole = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 34\r\n\r\n" + body
    for cut in range(0, len(whole), 7):
        peer.always(Raw(whole[:cut]))
        assert _failure(server, authority) == ("broken-off", Hop.HTTP), cut
    peer.always(Raw(whole))

    assert len(_ask(server, authority).body) == 34


def _serve(path: Path, issuer: Signer, *chain: Signer, names: tuple[str, ...] = ("service.localhost",)) -> Path:
    return server_file(path, make_server(issuer, names), *(one.certificate for one in chain))


@pytest.mark.promise("M15")
def test_a_server_of_another_root_or_name_is_not_trusted(
    peer: HttpsPeer, server: Server, authority: Authority, tmp_path: Path
) -> None:
    """S-09: a stranger's certificate, our root with another name, a self-signed one, a missing intermediate."""
    stranger = make_root()
    wrong = [
        _serve(tmp_path / "1.pem", stranger),
        _serve(tmp_path / "2.pem", authority.issuing, authority.issuing, names=("other.localhost",)),
        _serve(tmp_path / "3.pem", authority.issuing),
        _serve(tmp_path / "4.pem", make_issuing(stranger, permitted=["localhost"]), stranger),
    ]
    for certificate in wrong:
        peer.show(certificate)
        assert _failure(server, authority) == ("untrusted", Hop.TLS)
    assert peer.requests == []


@pytest.mark.promise("M15")
@pytest.mark.parametrize(
    ("leaf", "root", "cause"),
    [
        (TODAY + DAY, TODAY - DAY, "clock"),
        (TODAY - 60 * DAY, TODAY - 70 * DAY, "untrusted"),
        (TODAY - 60 * DAY, TODAY - 5000 * DAY, "clock"),
        (TODAY + 10 * DAY, TODAY + DAY, "clock"),
    ],
    ids=["server not yet valid", "server expired", "everything expired", "nothing valid yet"],
)
def test_a_wrong_clock_is_told_from_a_wrong_server(
    peer: HttpsPeer, server: Server, tmp_path: Path, leaf: datetime, root: datetime, cause: str
) -> None:
    """F-20: certificates that are all from another time mean that it is this system's clock that is wrong."""
    signer = make_root(not_before=root)
    own = make_server(signer, ["service.localhost"], not_before=leaf)
    peer.show(server_file(tmp_path / "wrong.pem", own))

    assert _failure(server, Authority(root=signer, issuing=signer)) == (cause, Hop.TLS)


def test_what_does_not_speak_tls_is_not_trusted(authority: Authority) -> None:
    """A web server on the port, speaking plain HTTP."""
    with HttpsPeer(None) as plain:
        plain.before_tls = Raw(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        assert _failure(Server(url=f"https://service.localhost:{plain.port}"), authority) == ("untrusted", Hop.TLS)


def test_a_redirect_or_a_sign_in_page_is_handed_on_as_it_came(
    peer: HttpsPeer, server: Server, authority: Authority
) -> None:
    """F-29: redirects are not followed, so nothing signed is sent elsewhere."""
    peer.answer = lambda request: Reply(
        status=302, body=b"<html>", media_type="text/html", headers={"location": "https://portal.localhost/"}
    )
    answered = _ask(server, authority)

    assert (answered.status, answered.media_type, len(peer.requests)) == (302, "text/html", 1)


def _endless() -> Iterable[bytes]:
    return repeat(b"x" * 65_536)


HOSTILE: dict[str, Reply] = {
    "without end": Reply(body=_endless()),
    "1 GB told": Reply(body=_endless(), headers={"content-length": str(10**9)}),
    "chunks without end": Reply(
        body=repeat(b"10000\r\n" + b"x" * 65_536 + b"\r\n"), headers={"transfer-encoding": "chunked"}
    ),
    "one byte too many": Reply(body=b"x" * (ANSWER_LIMIT + 1)),
    "gzip bomb": Reply(body=gzip.compress(bytes(50_000_000)), headers={"content-encoding": "gzip"}),
    "deflate": Reply(body=b"x", headers={"content-encoding": "deflate"}),
    "gzip in capitals": Reply(body=gzip.compress(b"{}"), headers={"content-encoding": "GZIP"}),
}


@pytest.mark.parametrize("reply", HOSTILE.values(), ids=HOSTILE)
def test_an_answer_larger_than_agreed_or_compressed_is_refused(
    peer: HttpsPeer, server: Server, authority: Authority, reply: Reply
) -> None:
    """F-31: a gigabyte or a gzip bomb takes neither memory nor time."""
    peer.always(reply)

    assert _failure(server, authority, replace(QUICK, whole=10.0)) == ("unexpected", Hop.HTTP)


def test_a_slow_drip_does_not_outlast_the_limit(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """F-25: one byte every tenth of a second is still no answer within the time for everything together."""
    peer.always(Reply(body=repeat(b"x"), pause=0.1))

    assert _failure(server, authority) == ("timeout", Hop.HTTP)


def test_the_limits_of_the_agent_keep_every_try_short() -> None:
    """F-25: fifteen seconds in all."""
    limits = Limits()

    assert limits.whole <= 15
    assert limits.connect < limits.whole
    assert limits.handshake < limits.whole


def test_a_pinned_server_is_not_trusted_by_the_system_s_roots(
    peer: HttpsPeer, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """S-09: when the root that a server is pinned to cannot be read, nobody else's root takes its place."""
    everybody = tmp_path / "everybody.pem"
    everybody.write_bytes(pem(authority.root.certificate))
    monkeypatch.setenv("SSL_CERT_FILE", str(everybody))
    url = f"https://service.localhost:{peer.port}"
    unpinned = Client(Server(url=url), [], SystemClock(), QUICK)
    pinned = Client(Server(url=url, root_fingerprint=authority.root.fingerprint), [], SystemClock(), QUICK)

    assert asyncio.run(unpinned.get("/healthz")).status == 200
    with pytest.raises(Unreachable) as failed:
        asyncio.run(pinned.get("/healthz"))
    assert (failed.value.cause, failed.value.hop) == ("untrusted", Hop.TLS)


# Proxies


@pytest.fixture
def proxied(authority: Authority, tmp_path: Path) -> Iterator[tuple[ConnectProxy, HttpsPeer]]:
    """A proxy, and behind it the service under a name that only the proxy knows."""
    issuing = make_issuing(authority.root, permitted=["service.invalid"])
    certificate = _serve(tmp_path / "proxied.pem", issuing, issuing, names=("service.invalid",))
    with HttpsPeer(certificate) as service, ConnectProxy() as proxy:
        yield proxy, service


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_used_and_looks_the_name_up(
    proxied: tuple[ConnectProxy, HttpsPeer], authority: Authority, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A shop behind a proxy is served; TLS still ends at the service."""
    proxy, service = proxied
    monkeypatch.setenv(name, proxy.url)

    assert _ask(Server(url=f"https://service.invalid:{service.port}"), authority).status == 200
    assert proxy.asked_for == [f"service.invalid:{service.port}"]
    assert service.requests[0].headers["host"] == f"service.invalid:{service.port}"


@pytest.mark.parametrize(
    ("exempt", "host", "port", "is_used"),
    [
        ("", "iot.example.com", 443, True),
        ("example.com", "iot.example.com", 443, False),
        (".example.com", "iot.example.com", 443, False),
        ("*.example.com", "iot.example.com", 443, False),
        ("ample.com", "iot.example.com", 443, True),
        ("other.com, IOT.example.com", "iot.example.com", 443, False),
        ("iot.example.com:8443", "iot.example.com", 443, True),
        ("iot.example.com:8443", "iot.example.com", 8443, False),
        ("*", "iot.example.com", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "192.168.1.2", 443, True),
        ("10.1.2.3", "10.1.2.3", 443, False),
        ("10.1.2.3:443", "10.1.2.3", 443, False),
        ("fd12::/16", "fd12::1", 443, False),
        ("[fd12::1]", "fd12::1", 443, False),
        (",, ,", "iot.example.com", 443, True),
        ("::", "iot.example.com", 443, True),
    ],
)
def test_what_is_exempt_from_the_proxy_is_read_as_people_write_it(
    monkeypatch: pytest.MonkeyPatch, exempt: str, host: str, port: int, is_used: bool
) -> None:
    """Hosts, domains, addresses, networks and ports, as other programs take them; the box's own setting too."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.com")
    monkeypatch.setenv("NO_PROXY", exempt)
    for proxies in (Proxies(), Proxies(setting=Secret("proxy.example.com:3128"))):
        assert (proxies.proxy_for(host, port) is not None) is is_used


def test_the_box_s_own_proxy_comes_before_the_environment_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """The setting, then small letters, then capitals; "none" and an empty variable say that there is none."""

    def name(proxies: Proxies) -> str | None:
        found = proxies.proxy_for("iot.example.com", 443)
        return found.name if found else None

    monkeypatch.setenv("ALL_PROXY", "http://all.example.com:1")
    assert name(Proxies()) == "all.example.com:1"
    monkeypatch.setenv("HTTPS_PROXY", "http://capitals.example.com:2")
    assert name(Proxies()) == "capitals.example.com:2"
    monkeypatch.setenv("https_proxy", "http://small.example.com")
    assert name(Proxies()) == "small.example.com:80"
    assert name(Proxies(setting=Secret("http://own.example.com:3128"))) == "own.example.com:3128"
    assert name(Proxies(setting=Secret("none"))) is None
    monkeypatch.setenv("https_proxy", "")
    assert name(Proxies()) is None


def test_an_exception_from_the_proxy_is_respected(
    peer: HttpsPeer, server: Server, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_PROXY counts, and what is on this machine is never asked of a proxy."""
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{_closed_port()}")
    assert _ask(server, authority).status == 200
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    by_address = Server(url=f"https://127.0.0.1:{peer.port}")

    assert _failure(by_address, authority) == ("untrusted", Hop.TLS)


@pytest.mark.promise("M9", "M15")
@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", "proxy-sign-in"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "proxy"),
        (b"HTTP/1.1 405 Method Not Allowed\r\n\r\n", "proxy"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", "proxy-cannot-reach"),
        (b"HTTP/1.1 302 Found\r\nlocation: http://portal.localhost/\r\n\r\n", "proxy"),
        (b"hello\r\n\r\n", "not-a-proxy"),
        (b"", "not-a-proxy"),
    ],
)
def test_a_proxy_that_does_not_let_through_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, answer: bytes, cause: str
) -> None:
    """F-34b, M9: a proxy that wants a password, forbids the server or cannot reach it: causes that name the proxy."""
    with HttpsPeer(None) as proxy:
        proxy.answer = lambda request: Raw(answer)
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(Unreachable) as failed:
            _ask(Server(url="https://service.invalid"), authority)

    assert (failed.value.cause, failed.value.hop) == (cause, Hop.PROXY)
    told = unreachable(failed.value, Server(url="https://service.invalid"))
    assert f"127.0.0.1:{proxy.port}" in " ".join([told.cause_meaning(str) or "", *told.remedy(str)])


@pytest.mark.promise("M15")
def test_a_proxy_that_does_not_answer_is_told_from_a_server_that_does_not(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proxy is named, at the hop where it failed: nobody looks for the fault at the service."""
    server = Server(url="https://service.invalid")
    for proxy, hop in ((f"127.0.0.1:{_closed_port()}", Hop.CONNECT), ("no-such-proxy.invalid:3128", Hop.LOOKUP)):
        monkeypatch.setenv("HTTPS_PROXY", f"http://{proxy}")
        with pytest.raises(Unreachable) as failed:
            _ask(server, authority, replace(QUICK, whole=10.0))

        assert (failed.value.cause, failed.value.hop) == ("proxy-unreachable", hop)
        assert failed.value.facts == {"proxy": proxy}


def test_the_password_of_a_proxy_is_sent_to_the_proxy_only(
    proxied: tuple[ConnectProxy, HttpsPeer], authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Name and password of the proxy's address go into its own header."""
    with HttpsPeer(None) as proxy:
        proxy.answer = lambda request: Raw(b"HTTP/1.1 407 No\r\n\r\n")
        monkeypatch.setenv("HTTPS_PROXY", f"http://shop:p%40ss@127.0.0.1:{proxy.port}")
        _failure(Server(url="https://service.invalid"), authority)
        (request,) = proxy.requests

    assert request.headers["proxy-authorization"] == "Basic c2hvcDpwQHNz"


def test_the_password_of_a_proxy_is_never_told(
    proxied: tuple[ConnectProxy, HttpsPeer],
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """S-95: neither the service nor the log nor the failure learns it, whether the proxy works or not."""
    proxy, service = proxied
    server = Server(url=f"https://service.invalid:{service.port}")
    proxy.wants = ("shop", "p@ss-canary")
    for written, works in (("p%40ss-canary", True), ("p%40ss-canary-wrong", False)):
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", f"//shop:{written}@"))
        client = _client(server, authority)
        finding = asyncio.run(service_reachable.check(a_box(server=server), client))

        assert (finding.verdict is Verdict.FINE) is works
        told = repr(finding) + repr(finding.document(str)) + repr(client.taken) + repr(client.__dict__)
        assert "canary" not in told + caplog.text
    assert [request.headers.get("proxy-authorization") for request in service.requests] == [None]
    monkeypatch.setenv("HTTPS_PROXY", "http://shop:p%40ss-canary@:1")
    with pytest.raises(Unreachable) as failed:
        _ask(server, authority)
    assert "canary" not in repr(unreachable(failed.value, server)) + str(failed.value) + repr(failed.value.__cause__)


@pytest.mark.parametrize(
    "proxy",
    ["http://127.0.0.1:99999", "http://[::1", "http://", "://", "socks5://127.0.0.1:1", "https://h:1", "a b:1", "h:0"],
)
def test_a_proxy_setting_that_makes_no_sense_is_named(
    authority: Authority, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    """Whatever the environment says, the failure has a cause that people can mend."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)

    assert _failure(Server(url="https://service.invalid"), authority) == ("proxy-setting", Hop.LOOKUP)


# Connecting by fingerprint


def test_the_root_is_fetched_by_its_fingerprint(peer: HttpsPeer, server: Server, authority: Authority) -> None:
    """Among what the server offers, exactly the certificate with this fingerprint is taken."""
    another = make_root(name="Another")
    peer.always(Reply(body=pem(another.certificate, authority.root.certificate)))

    assert asyncio.run(fetch_root(server, authority.root.fingerprint)) == authority.root.certificate
    assert [(request.method, request.path, request.body) for request in peer.requests] == [("GET", "/root.pem", b"")]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=pem(make_root().certificate)),
        Reply(body=b"<html>", media_type="text/html"),
        Reply(body=b""),
        Reply(status=404),
        Reply(body=b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        Reply(status=302, headers={"location": "https://elsewhere.localhost/root.pem"}),
    ],
)
def test_a_server_without_that_root_is_refused_and_nothing_is_changed(
    peer: HttpsPeer, server: Server, authority: Authority, reply: Reply, tmp_path: Path
) -> None:
    """S-09: another root, a sign-in page or nothing: the box stays connected to what it was."""
    folder = Folder(tmp_path / "box")
    peer.always(reply)
    with pytest.raises(ConnectRefused) as refused:
        asyncio.run(connect(folder, replace(server, root_fingerprint=authority.root.fingerprint), None))

    assert refused.value.problem.cause_id == "untrusted"
    assert (folder.server(), folder.roots()) == (None, [])


def test_connecting_remembers_server_and_root(
    peer: HttpsPeer, server: Server, authority: Authority, tmp_path: Path
) -> None:
    """After connecting, the server is trusted by that root and by no other."""
    folder = Folder(tmp_path / "box")
    peer.always(Reply(body=pem(authority.root.certificate)))
    pinned = replace(server, root_fingerprint=authority.root.fingerprint)
    asyncio.run(connect(folder, pinned, None))

    assert (folder.server(), folder.roots()) == (pinned, [authority.root.certificate])


def test_a_leaf_with_that_fingerprint_is_what_was_asked_for(
    peer: HttpsPeer, server: Server, authority: Authority
) -> None:
    """A fingerprint names one certificate, whatever it is; what it can prove is decided by verification."""
    leaf = make_leaf(authority.root, ["a.localhost"], authority.issuing.key.public_key())
    signer = Signer(certificate=leaf, key=authority.issuing.key)
    peer.always(Reply(body=pem(leaf)))

    assert asyncio.run(fetch_root(server, signer.fingerprint)) == leaf
