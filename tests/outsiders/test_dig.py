"""dig judges the name server: the whole zone, over UDP and TCP, as an administrator would look at it."""

import asyncio
import re
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from ipaddress import ip_address

import pytest

from lancert.dns.server import NameServer
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import Label, Zone, ranges_for_zone

ZONE = Zone("iot.example.com")
BOX = Label("k3v7q2m4x5a6b7c2")
CROWDED = Label("ccccccccccccccc2")
UNKNOWN = "bbbbbbbbbbbbbbbb"
NO_RECURSION = "WARNING: recursion requested but not available"  # the only remark of dig that is right
TRANSPORTS = ("+notcp", "+tcp")

FACTS = ZoneFacts(
    zone=ZONE,
    ranges=ranges_for_zone(ZONE),
    serial=2026112001,
    name_servers=("ns1.iot.example.com", "ns2.iot.example.com"),
    boxes={
        BOX: (ip_address("192.168.1.5"), ip_address("fd12:3456::1"), ip_address("8.8.8.8")),
        CROWDED: tuple(ip_address(f"fd00::{n:x}") for n in range(1, 61)),
    },
    hosts={
        "ns1": (ip_address("203.0.113.1"),),
        "ns2": (ip_address("203.0.113.2"), ip_address("2001:db8::2")),
        "service": (ip_address("203.0.113.7"),),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What dig printed."""

    status: str
    flags: set[str]
    answer: list[str]
    authority: list[str]
    opt: str
    text: str


Dig = Callable[..., Seen]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """The port of a name server that runs in a thread while the module is tested."""
    started: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def live() -> None:
        server, enough = NameServer(FACTS), asyncio.Event()
        await server.start("127.0.0.1", 0)
        started.set_result((server.port, asyncio.get_running_loop(), enough))
        await enough.wait()
        await server.stop()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    number, loop, enough = started.result(timeout=20)
    yield number
    loop.call_soon_threadsafe(enough.set)
    thread.join(timeout=20)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def dig(tool: Callable[[str], str], port: int) -> Dig:
    """Ask with dig; a missing dig fails and names its Debian package, dnsutils."""
    program = tool("dig")

    def ask(*words: str) -> Seen:
        # -r: no .digrc; one try, so that nothing is hidden by a second one
        command = [program, "-r", "@127.0.0.1", "-p", str(port), "+tries=1", "+time=10", "+norecurse", *words]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        printed = ended.stdout.replace(NO_RECURSION, "")
        for complaint in ("WARNING", "malformed", "mismatch", "Got bad packet", "extra bytes"):
            assert complaint not in printed, printed
        return read(ended.stdout)

    return ask


def read(text: str) -> Seen:
    status = re.search(r"status: (\w+)", text)
    flags = re.search(r";; flags: ([a-z ]*);", text)
    opt = re.search(r"^; (EDNS: .*)$", text, re.MULTILINE)
    return Seen(
        status=status[1] if status else "",
        flags=set(flags[1].split()) if flags else set(),
        answer=section(text, "ANSWER"),
        authority=section(text, "AUTHORITY"),
        opt=opt[1] if opt else "",
        text=text,
    )


def section(text: str, name: str) -> list[str]:
    """Give the records of one section, their fields joined by single spaces."""
    found = re.search(rf";; {name} SECTION:\n((?:.+\n)*)", text)
    return [" ".join(line.split()) for line in found[1].splitlines()] if found else []


SOA = "ns1.iot.example.com. nobody.invalid. 2026112001 3600 600 1209600 60"


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("name", "rdtype", "records"),
    [
        (f"192-168-1-5.{BOX}.", "A", ["3600 IN A 192.168.1.5"]),
        (f"10-0-0-99.{BOX}.", "A", ["3600 IN A 10.0.0.99"]),
        (f"fd12-3456-0-0-0-0-0-1.{BOX}.", "AAAA", ["3600 IN AAAA fd12:3456::1"]),
        (f"{BOX}.", "A", ["60 IN A 192.168.1.5"]),
        (f"{BOX}.", "AAAA", ["60 IN AAAA fd12:3456::1"]),
        (f"{BOX}.", "MX", ["3600 IN MX 0 ."]),
        (f"{BOX}.", "TXT", ['3600 IN TXT "v=spf1 -all"']),
        (f"{BOX}.", "CAA", ['3600 IN CAA 0 issue ";"']),
        ("service.", "A", ["300 IN A 203.0.113.7"]),
        ("", "SOA", [f"3600 IN SOA {SOA}"]),
        ("", "NS", ["3600 IN NS ns1.iot.example.com.", "3600 IN NS ns2.iot.example.com."]),
        ("", "CAA", ['3600 IN CAA 0 issue ";"']),
        ("", "MX", ["3600 IN MX 0 ."]),
        ("", "TXT", ['3600 IN TXT "v=spf1 -all"']),
        ("_dmarc.", "TXT", ['3600 IN TXT "v=DMARC1; p=reject; sp=reject; adkim=s; aspf=s"']),
        ("any._domainkey.", "TXT", ['3600 IN TXT "v=DKIM1; p="']),
        (f"{BOX}.", "ANY", ['3600 IN HINFO "RFC8482" ""']),
    ],
)
def test_dig_reads_the_records(dig: Dig, transport: str, name: str, rdtype: str, records: list[str]) -> None:
    """Every kind of record, with its TTL, authoritative, over both transports."""
    seen = dig(transport, f"{name}{ZONE}", rdtype)

    assert seen.status == "NOERROR"
    assert seen.flags == {"qr", "aa"}
    assert seen.answer == [f"{name}{ZONE}. {record}" for record in records]
    assert seen.authority == []


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("name", "rdtype", "status"),
    [
        (f"{UNKNOWN}.", "A", "NXDOMAIN"),
        (f"192-168-1-5.{UNKNOWN}.", "A", "NXDOMAIN"),
        (f"8-8-8-8.{BOX}.", "A", "NXDOMAIN"),
        (f"192-168-1-05.{BOX}.", "A", "NXDOMAIN"),
        (f"192-168-1-5.evil.{BOX}.", "A", "NXDOMAIN"),
        ("www.", "A", "NXDOMAIN"),
        (f"192-168-1-5.{BOX}.", "AAAA", "NOERROR"),
        (f"{BOX}.", "HTTPS", "NOERROR"),
        (f"{CROWDED}.", "A", "NOERROR"),
        ("_domainkey.", "TXT", "NOERROR"),
        ("", "A", "NOERROR"),
    ],
)
def test_dig_sees_what_is_missing(dig: Dig, transport: str, name: str, rdtype: str, status: str) -> None:
    """No such name, or no such type: the SOA beside it says for how long (F-42, S-64)."""
    seen = dig(transport, f"{name}{ZONE}", rdtype)

    assert (seen.status, seen.answer) == (status, [])
    assert seen.authority == [f"{ZONE}. 60 IN SOA {SOA}"]
    assert seen.flags == {"qr", "aa"}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("words", [("example.org", "A"), (".", "NS"), ("-c", "CH", "version.bind", "TXT")])
def test_dig_is_refused_what_is_not_ours(dig: Dig, transport: str, words: tuple[str, ...]) -> None:
    """Other zones and other classes (S-60)."""
    seen = dig(transport, *words)

    assert (seen.status, seen.answer, seen.authority) == ("REFUSED", [], [])
    assert seen.flags == {"qr"}


def test_dig_gets_no_transfer(tool: Callable[[str], str], port: int) -> None:
    """AXFR is refused (S-62)."""
    command = [tool("dig"), "-r", "@127.0.0.1", "-p", str(port), str(ZONE), "AXFR"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert "Transfer failed" in ended.stdout
    assert BOX not in ended.stdout


def test_dig_asks_for_recursion_in_vain(dig: Dig) -> None:
    """RD comes back, RA does not (S-60)."""
    seen = dig("+recurse", f"192-168-1-5.{BOX}.{ZONE}", "A")

    assert (seen.flags, seen.status) == ({"qr", "aa", "rd"}, "NOERROR")
    assert NO_RECURSION in seen.text


def test_dig_sees_the_case_it_sent(dig: Dig) -> None:
    """The letters of question and answer are those of the query (0x20)."""
    name = "192-168-1-5.K3V7q2m4X5a6B7c2.IoT.eXample.COM"
    seen = dig(name, "A")

    assert f";{name}." in seen.text
    assert seen.answer == [f"{name}. 3600 IN A 192.168.1.5"]


@pytest.mark.parametrize(
    ("words", "opt"),
    [
        (("+noedns",), ""),
        (("+edns=0", "+bufsize=4096"), "EDNS: version: 0, flags:; udp: 1232"),
        (("+dnssec", "+bufsize=512"), "EDNS: version: 0, flags: do; udp: 1232"),
        (("+nocookie", "+nsid"), "EDNS: version: 0, flags:; udp: 1232"),
        (("+subnet=192.0.2.0/24",), "EDNS: version: 0, flags:; udp: 1232"),
        (("+ednsflags=0x0040",), "EDNS: version: 0, flags:; udp: 1232"),
    ],
)
def test_dig_speaks_edns(dig: Dig, words: tuple[str, ...], opt: str) -> None:
    """Whatever dig announces, it hears our size, its own DO, and nothing else (RFC 6891)."""
    for name in (f"{BOX}.{ZONE}", f"service.{ZONE}"):
        seen = dig(*words, name, "A")
        assert (seen.opt, seen.status, len(seen.answer)) == (opt, "NOERROR", 1)


def test_dig_hears_that_a_later_edns_is_not_known(dig: Dig) -> None:
    """BADVERS, with the version that is."""
    seen = dig("+edns=1", "+noednsnegotiation", f"{BOX}.{ZONE}", "A")

    assert (seen.status, seen.answer) == ("BADVERS", [])
    assert seen.opt == "EDNS: version: 0, flags:; udp: 1232"


@pytest.mark.parametrize("room", [("+noedns",), ("+bufsize=512",), ("+bufsize=1232",), ("+bufsize=4096",)])
def test_dig_comes_back_over_tcp_for_a_long_answer(dig: Dig, room: tuple[str, ...]) -> None:
    """Sixty addresses do not fit into UDP: truncated there, complete over TCP (S-61)."""
    name = f"{CROWDED}.{ZONE}"
    over_udp = dig(*room, "+ignore", name, "AAAA")
    retried = dig(*room, name, "AAAA")

    assert over_udp.flags == {"qr", "aa", "tc"}
    assert over_udp.answer == []
    assert "Truncated, retrying in TCP mode" in retried.text
    assert retried.flags == {"qr", "aa"}
    assert retried.answer == [f"{name}. 60 IN AAAA fd00::{n:x}" for n in range(1, 61)]


@pytest.mark.parametrize("opcode", ["status", "notify", "update", "15"])
def test_dig_sees_that_other_opcodes_are_not_implemented(dig: Dig, opcode: str) -> None:
    """Only questions are answered."""
    assert dig("+noedns", f"+opcode={opcode}", f"{BOX}.{ZONE}", "SOA").status == "NOTIMP"


def test_dig_may_ask_many_things_on_one_connection(dig: Dig) -> None:
    """Several questions over one TCP connection (RFC 7766)."""
    seen = dig("+tcp", "+keepopen", f"{BOX}.{ZONE}", "A", f"{UNKNOWN}.{ZONE}", "A", str(ZONE), "NS")

    assert re.findall(r"status: (\w+)", seen.text) == ["NOERROR", "NXDOMAIN", "NOERROR"]
