"""What stands on the way and answers in the place of others: name servers that fail, sign-in pages of the network."""

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.peers.authority import make_root, make_server, server_file
from tests.peers.https import Behaviour, HttpsPeer, Reply, Reset
from tests.peers.netns import ROUTER, SERVICE, Host, Site, three_hosts

from lancert.box.client import Client, Hop, Unreachable
from lancert.box.facts import Server
from lancert.kit.clock import SystemClock

_LOOK_UP = """
import asyncio
from lancert.box.client import Unreachable, look_up
try:
    print(asyncio.run(look_up("service.example.com")))
except Unreachable as failed:
    print(failed.cause, failed.hop)
"""


@pytest.fixture
def site() -> Iterator[Site]:
    """Box, router and service, each on its own host."""
    with three_hosts(families=(4,)) as made:
        yield made


@contextlib.contextmanager
def name_server(host: Host, address: str, rcode: int | None) -> Iterator[None]:
    """Answer every question with an rcode, or none at all (RFC 1035, 4.1.1)."""
    with host.inside():
        door = socket.socket(type=socket.SOCK_DGRAM)
        door.bind((address, 53))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                question, asker = door.recvfrom(4096)
                if not asker:
                    return
                if rcode is not None:
                    flags = (0x8180 | rcode).to_bytes(2)
                    # One question and nothing else, so the EDNS part of the question is left out of the answer.
                    end = question.index(b"\0", 12) + 5
                    door.sendto(question[:2] + flags + b"\0\1" + bytes(6) + question[12:end], asker)

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            door.shutdown(socket.SHUT_RDWR)
        door.close()
        thread.join(5)


@pytest.mark.promise("M15")
@pytest.mark.parametrize(
    ("rcode", "cause"),
    [(3, "name-unknown"), (2, "name-server-failed"), (5, "name-server-failed"), (None, "name-server-down")],
    ids=["NXDOMAIN", "SERVFAIL", "REFUSED", "no answer"],
)
def test_a_name_server_that_says_no_is_told_from_one_that_fails_and_one_that_is_silent(
    site: Site, rcode: int | None, cause: str
) -> None:
    """F-26: an unknown name, a failure of the name server and its silence are three causes."""
    site.box.resolv_conf(f"nameserver {ROUTER[0]}\noptions timeout:1 attempts:1\n")
    with name_server(site.router, ROUTER[0], rcode):
        said = site.box.run(sys.executable, "-c", _LOOK_UP).stdout

    assert said.split() == [cause, Hop.LOOKUP]


def test_a_look_up_without_end_is_the_name_server_s_fault(site: Site) -> None:
    """F-26: the system asks for longer than the box waits; that is no fault of the service."""
    site.box.resolv_conf("".join(f"nameserver {SERVICE[0].removesuffix('10')}{n}\n" for n in (201, 202, 203)))
    ask = _LOOK_UP.replace("look_up(", "ask(").replace(
        "try:",
        "from lancert.box.client import Client, Limits\n"
        "from lancert.box.facts import Server\n"
        "from lancert.kit.clock import SystemClock\n"
        "async def ask(name):\n"
        "    await Client(Server(url='https://'+name), [], SystemClock(), Limits(whole=1.0)).get('/')\n"
        "try:",
        1,
    )

    assert site.box.run(sys.executable, "-c", ask).stdout.split() == ["name-server-down", Hop.LOOKUP]


REDIRECTED = (
    "chain portal { type nat hook prerouting priority dstnat; "
    "tcp dport 443 redirect to :8443; tcp dport 80 redirect to :8080; }"
)
LOGIN = "http://login.example.net/start"


@pytest.mark.promise("M15")
@pytest.mark.parametrize(
    ("page", "cause"),
    [
        (Reply(body=b"<html>Welcome</html>", media_type="text/html"), "captive-portal"),
        (Reply(status=302, body=b"", media_type=None, headers={"location": LOGIN}), "captive-portal"),
        (Reply(status=511, body=b"<html>", media_type="text/html"), "captive-portal"),
        (Reply(status=302, body=b"", media_type=None, headers={"location": f"https://{SERVICE[0]}/"}), "untrusted"),
        (Reply(status=404, body=b"<html>", media_type="text/html"), "untrusted"),
        (Reply(body=b"{}"), "untrusted"),
        (Reset(), "untrusted"),
    ],
    ids=["200 HTML", "302", "511", "a web server's own redirect", "404", "a service", "nobody"],
)
def test_a_sign_in_page_that_takes_every_connection_is_told_from_a_stranger(
    site: Site, tmp_path: Path, page: Behaviour, cause: str
) -> None:
    """F-29: the network answers HTTPS with its own certificate and HTTP with its page; nothing signed was sent."""
    certificate = server_file(tmp_path / "portal.pem", make_server(make_root(), ["login.example.net"]))
    with site.router.inside():
        secure, plain = HttpsPeer(certificate, ["0.0.0.0"], 8443), HttpsPeer(None, ["0.0.0.0"], 8080)
    with secure, plain:
        plain.answer = lambda request: page
        site.router.firewall(REDIRECTED)
        client = Client(Server(url=f"https://{SERVICE[0]}"), [make_root().certificate], SystemClock())
        with site.box.inside(), pytest.raises(Unreachable) as failed:
            asyncio.run(client.post("/api/v1/enrolments", b'{"contract": "secret"}', {}))

    assert (failed.value.cause, failed.value.hop) == (cause, Hop.TLS)
    assert secure.requests == []
    assert [(one.method, one.path, one.body) for one in plain.requests] == [("GET", "/healthz", b"")]
