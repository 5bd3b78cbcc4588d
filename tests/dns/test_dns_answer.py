"""One query in, one answer out: flags, sections, sizes and refusals, as messages."""

import dataclasses
from collections.abc import Callable
from ipaddress import ip_address

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.tsigkeyring
import pytest

from lancert.dns.answer import answer, rcode_of
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts
from lancert.protocol.names import Label, Zone

Ask = Callable[..., dns.message.Message]

LABEL = "k3v7q2m4x5a6b7c2"
SILENT = "aaaaaaaaaaaaaaaa"
UNKNOWN = "bbbbbbbbbbbbbbbb"
HEADER = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00"


def values(message: dns.message.Message) -> list[tuple[str, int, str]]:
    return [
        (dns.rdatatype.to_text(rrset.rdtype), rrset.ttl, rdata.to_text()) for rrset in message.answer for rdata in rrset
    ]


@pytest.mark.promise("M6")
@pytest.mark.parametrize(
    ("name", "rdtype", "expected"),
    [
        (f"192-168-1-5.{LABEL}", "A", [("A", 3600, "192.168.1.5")]),
        (f"10-255-0-1.{SILENT}", "A", [("A", 3600, "10.255.0.1")]),
        (f"fd12-3456-0-0-0-0-0-1.{LABEL}", "AAAA", [("AAAA", 3600, "fd12:3456::1")]),
        (LABEL, "A", [("A", 60, "192.168.1.5")]),
        (LABEL, "AAAA", [("AAAA", 60, "fd12:3456::1")]),
        (LABEL, "MX", [("MX", 3600, "0 .")]),
        (f"192-168-1-5.{LABEL}", "TXT", [("TXT", 3600, '"v=spf1 -all"')]),
        (f"192-168-1-5.{LABEL}", "CAA", [("CAA", 3600, '0 issue ";"')]),
        ("service", "A", [("A", 300, "203.0.113.7")]),
        ("canary", "A", [("A", 1, "192.0.0.170")]),
        ("canary", "AAAA", [("AAAA", 1, "100::1")]),
        (
            "",
            "SOA",
            [("SOA", 3600, "ns1.lancert.localhost. nobody.invalid. 42 3600 600 1209600 60")],
        ),
        ("", "NS", [("NS", 3600, "ns1.lancert.localhost."), ("NS", 3600, "ns.elsewhere.example.")]),
    ],
)
def test_a_question_gets_its_records(ask: Ask, name: str, rdtype: str, expected: list[tuple[str, int, str]]) -> None:
    """The address written in a name, the address reported last, and what else the zone says."""
    message = ask(name, rdtype)

    assert message.rcode() == dns.rcode.NOERROR
    assert values(message) == expected
    assert not message.authority
    assert not message.additional


@pytest.mark.parametrize(
    ("name", "rdtype", "rcode"),
    [
        (UNKNOWN, "A", dns.rcode.NXDOMAIN),
        (f"192-168-1-5.{UNKNOWN}", "A", dns.rcode.NXDOMAIN),
        (f"8-8-8-8.{LABEL}", "A", dns.rcode.NXDOMAIN),
        (f"8-8-8-8.{LABEL}", "TXT", dns.rcode.NXDOMAIN),
        (f"192-168-1-5.evil.{LABEL}", "A", dns.rcode.NXDOMAIN),
        ("www", "A", dns.rcode.NXDOMAIN),
        ("www", "ANY", dns.rcode.NXDOMAIN),
        (LABEL, "HTTPS", dns.rcode.NOERROR),
        (LABEL, "NS", dns.rcode.NOERROR),
        (SILENT, "A", dns.rcode.NOERROR),
        (f"192-168-1-5.{LABEL}", "AAAA", dns.rcode.NOERROR),
        (f"fd00-0-0-0-0-0-0-1.{LABEL}", "A", dns.rcode.NOERROR),
        ("_domainkey", "TXT", dns.rcode.NOERROR),
        ("_domainkey", "ANY", dns.rcode.NOERROR),
        ("", "A", dns.rcode.NOERROR),
        ("", "DS", dns.rcode.NOERROR),
    ],
)
def test_what_is_missing_is_said_with_the_soa_and_forgotten_soon(
    ask: Ask, name: str, rdtype: str, rcode: dns.rcode.Rcode
) -> None:
    """No such name and no such type both carry the SOA, so that resolvers may remember it, briefly (F-42, S-64)."""
    message = ask(name, rdtype)

    (soa,) = message.authority
    assert (message.rcode(), values(message)) == (rcode, [])
    assert soa.name == dns.name.from_text("lancert.localhost")
    assert soa.rdtype == dns.rdatatype.SOA
    assert soa.ttl == soa[0].minimum <= 300


@pytest.mark.parametrize("zone", [".", "localhost.", "example.com.", "notlancert.localhost.", "lancert.localhost.x."])
def test_a_name_outside_the_zone_is_refused(ask: Ask, zone: str) -> None:
    """The server knows one zone and asks nobody else (S-60)."""
    message = ask("" if zone == "." else LABEL, zone=zone)

    assert message.rcode() == dns.rcode.REFUSED
    assert not message.answer
    assert not message.authority
    assert not message.flags & dns.flags.AA


@pytest.mark.parametrize("rdtype", ["AXFR", "IXFR"])
@pytest.mark.parametrize("transport", Transport)
def test_the_zone_is_not_handed_out(ask: Ask, rdtype: str, transport: Transport) -> None:
    """Nobody gets the list of all boxes (S-62, F-47)."""
    message = ask("", rdtype, transport=transport)

    assert message.rcode() == dns.rcode.REFUSED
    assert not message.answer


@pytest.mark.parametrize("name", ["", LABEL, f"192-168-1-5.{LABEL}", "service", "_dmarc"])
def test_any_gets_one_small_record(ask: Ask, name: str) -> None:
    """A question for everything is no lever (RFC 8482, S-61, F-49)."""
    assert values(ask(name, "ANY")) == [("HINFO", 3600, '"RFC8482" ""')]


@pytest.mark.parametrize("rdclass", ["CH", "HS", "ANY", "NONE"])
def test_only_the_internet_class_is_answered(ask: Ask, rdclass: str) -> None:
    """There is nothing to learn about the server in the others (F-48)."""
    assert ask(LABEL, "A", rdclass=rdclass).rcode() == dns.rcode.REFUSED


@pytest.mark.parametrize("rdtype", ["OPT", "TSIG", "TKEY", "MAILA", "MAILB", "TYPE0"])
def test_a_type_that_no_record_has_is_not_implemented(ask: Ask, rdtype: str) -> None:
    """Types that are no data types cannot be looked up (RFC 6895, 3.1)."""
    assert ask(LABEL, rdtype).rcode() == dns.rcode.NOTIMP


@pytest.mark.parametrize("name", [LABEL, "service"])
def test_flags_are_those_of_an_authority(facts: ZoneFacts, name: str) -> None:
    """AA is set, RA never; RD comes back as sent and does nothing; AD and CD do not come back (S-60)."""
    for sent, returned in {
        dns.flags.Flag(0): dns.flags.QR | dns.flags.AA,
        dns.flags.RD: dns.flags.QR | dns.flags.AA | dns.flags.RD,
        dns.flags.RD | dns.flags.AD | dns.flags.CD: dns.flags.QR | dns.flags.AA | dns.flags.RD,
    }.items():
        query = dns.message.make_query(f"{name}.lancert.localhost", "A", flags=sent)
        response = answer(query.to_wire(), facts, transport=Transport.UDP)
        assert response is not None
        assert dns.message.from_wire(response).flags == returned


@pytest.mark.parametrize("name", ["192-168-1-5.K3v7Q2m4X5a6B7c2.LanCert.LOCALhost", "SerVice.lAncert.localHost"])
def test_the_case_of_the_question_comes_back(facts: ZoneFacts, name: str) -> None:
    """Resolvers mix the case of letters to recognise forged answers, and compare byte by byte (0x20)."""
    query = dns.message.make_query(name, "A")
    response = answer(query.to_wire(), facts, transport=Transport.UDP)
    assert response is not None
    message = dns.message.from_wire(response)

    assert message.question[0].name.labels == query.question[0].name.labels
    assert message.answer[0].name.labels == query.question[0].name.labels


@pytest.mark.parametrize("name", [LABEL, UNKNOWN, "service", "www"])
def test_edns_is_answered_with_our_size_and_the_clients_do(facts: ZoneFacts, name: str) -> None:
    """An OPT record is answered with one, without options, DO as sent; no OPT, no OPT (RFC 6891, 6.1.1)."""
    cookie: list[dns.edns.Option] = [dns.edns.CookieOption(b"12345678", b"")]
    for flags, options in ((0, None), (dns.flags.DO, None), (dns.flags.DO, cookie)):
        query = dns.message.make_query(f"{name}.lancert.localhost", "A", use_edns=0, ednsflags=flags, options=options)
        response = answer(query.to_wire(), facts, transport=Transport.UDP)
        assert response is not None
        message = dns.message.from_wire(response)
        assert (message.edns, message.payload, message.ednsflags, message.options) == (0, 1232, flags, ())
    plain = answer(dns.message.make_query(f"{name}.lancert.localhost", "A").to_wire(), facts, transport=Transport.UDP)
    assert plain is not None
    assert dns.message.from_wire(plain).opt is None


def test_an_edns_version_of_the_future_is_said_to_be_bad(ask: Ask) -> None:
    """BADVERS names the version we speak (RFC 6891, 6.1.3)."""
    message = ask(LABEL, edns=1)

    assert message.rcode() == dns.rcode.BADVERS
    assert (message.edns, message.answer, message.authority) == (0, [], [])
    assert rcode_of(message.to_wire()) == 16


@pytest.mark.parametrize(
    ("edns", "payload", "transport", "is_truncated"),
    [
        (None, 0, Transport.UDP, True),
        (0, 512, Transport.UDP, True),
        (0, 0, Transport.UDP, True),
        (0, 1232, Transport.UDP, True),
        (0, 65535, Transport.UDP, True),
        (None, 0, Transport.TCP, False),
        (0, 512, Transport.TCP, False),
    ],
)
def test_an_answer_too_long_for_udp_is_truncated_to_nothing(
    facts: ZoneFacts, ask: Ask, edns: int | None, payload: int, transport: Transport, is_truncated: bool
) -> None:
    """A box with very many addresses is read over TCP; over UDP nobody gets more than 1232 bytes (S-61)."""
    many = dataclasses.replace(facts, boxes={Label(LABEL): tuple(ip_address(f"fd00::{n:x}") for n in range(1, 200))})

    message = ask(LABEL, "AAAA", edns=edns, payload=payload, about=many, transport=transport)

    assert bool(message.flags & dns.flags.TC) is is_truncated
    assert len(values(message)) == (0 if is_truncated else 199)


@pytest.mark.parametrize(
    ("count", "edns", "payload", "fits"),
    [(16, None, 0, True), (17, None, 0, False), (40, 0, 1232, True), (42, 0, 1232, False), (42, 0, 4096, False)],
)
def test_the_room_of_a_udp_answer_is_used_to_the_end(
    facts: ZoneFacts, ask: Ask, count: int, edns: int | None, payload: int, fits: bool
) -> None:
    """512 bytes without EDNS, otherwise what the client announces up to 1232."""
    boxes = {Label(LABEL): tuple(ip_address(f"fd00::{n:x}") for n in range(count))}

    message = ask(LABEL, "AAAA", edns=edns, payload=payload, about=dataclasses.replace(facts, boxes=boxes))

    assert len(values(message)) == (count if fits else 0)
    assert bool(message.flags & dns.flags.TC) is not fits


def test_a_stable_name_has_a_bounded_number_of_addresses(facts: ZoneFacts, ask: Ask) -> None:
    """A box that reports thousands still gets an answer that TCP can carry: the first ones."""
    boxes = {Label(LABEL): tuple(ip_address(0xFD << 120 | n) for n in range(5000))}

    message = ask(LABEL, "AAAA", about=dataclasses.replace(facts, boxes=boxes), transport=Transport.TCP)

    assert [text for _, _, text in values(message)] == [str(ip_address(0xFD << 120 | n)) for n in range(256)]


A_RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\0\0\4\x0a\0\0\1"
BOX_IN_ZONE = b"\x10k3v7q2m4x5a6b7c2\7lancert\tlocalhost\0\0\1\0\1"
QUESTION = dns.message.make_query(f"{LABEL}.lancert.localhost", "A", id=0x1234, flags=0).to_wire()


@pytest.mark.parametrize(
    ("packet", "rcode"),
    [
        (HEADER[:4] + b"\0\0" + HEADER[6:], dns.rcode.FORMERR),
        (HEADER[:4] + b"\0\2" + HEADER[6:] + QUESTION[12:] * 2, dns.rcode.FORMERR),
        (HEADER, dns.rcode.FORMERR),
        (HEADER + b"\xc0\x0c\0\1\0\1", dns.rcode.FORMERR),
        (HEADER + b"\x40" + bytes(80), dns.rcode.FORMERR),
        (QUESTION[:-1], dns.rcode.FORMERR),
        (QUESTION + b"\0", dns.rcode.FORMERR),
        (QUESTION[:6] + b"\0\1" + QUESTION[8:], dns.rcode.FORMERR),
        (QUESTION[:11] + b"\1" + QUESTION[12:] + b"\0\0\x29\4\xd0\0\0\0\0\0\4\0\x0a\0\1", dns.rcode.FORMERR),
        (QUESTION[:11] + b"\2" + QUESTION[12:] + b"\0\0\x29\4\xd0\0\0\0\0\0\0" * 2, dns.rcode.FORMERR),
        (QUESTION[:6] + b"\0\1" + QUESTION[8:] + A_RECORD, dns.rcode.FORMERR),
        (QUESTION[:8] + b"\0\2" + QUESTION[10:] + A_RECORD * 2, dns.rcode.FORMERR),
        (QUESTION[:10] + b"\0\3" + QUESTION[12:] + A_RECORD * 3, dns.rcode.FORMERR),
        (
            QUESTION[:11] + b"\1" + QUESTION[12:] + b"\0\0\x29\4\xd0\0\0\0\0\5\4\0\x0c\5\0" + bytes(1280),
            dns.rcode.FORMERR,
        ),
        (HEADER + b"\x46" + b"a" * 70 + BOX_IN_ZONE, dns.rcode.FORMERR),
        (HEADER + b"\0" + BOX_IN_ZONE, dns.rcode.FORMERR),
        (QUESTION + bytes(60000), dns.rcode.FORMERR),
        (QUESTION[:2] + b"\x28" + QUESTION[3:], dns.rcode.NOTIMP),
        (QUESTION[:2] + b"\x20" + QUESTION[3:], dns.rcode.NOTIMP),
        (QUESTION[:2] + b"\x10" + QUESTION[3:], dns.rcode.NOTIMP),
        (QUESTION[:2] + b"\x78" + QUESTION[3:], dns.rcode.NOTIMP),
    ],
    ids=lambda value: f"{len(value)}-bytes" if isinstance(value, bytes) else dns.rcode.to_text(value),
)
def test_what_is_no_question_gets_a_header_that_says_so(facts: ZoneFacts, packet: bytes, rcode: int) -> None:
    """Malformed packets and other opcodes are answered with twelve bytes, the id and opcode theirs (F-48)."""
    response = answer(packet, facts, transport=Transport.TCP)

    assert response == packet[:2] + bytes((0x80 | packet[2], rcode)) + bytes(8)


def test_a_name_longer_than_names_can_be_is_malformed(facts: ZoneFacts) -> None:
    """255 bytes, whatever the zone leaves room for (RFC 1035, 3.1)."""
    zone = Zone(".".join("z" * 43 for _ in range(4)))
    long = dataclasses.replace(facts, zone=zone, name_servers=("ns.elsewhere.example",))
    suffix = b"\x10" + LABEL.encode() + (b"\x2b" + b"z" * 43) * 4 + b"\0\0\1\0\1"
    rcodes = []
    for length in (60, 61):
        response = answer(HEADER + bytes((length,)) + b"a" * length + suffix, long, transport=Transport.UDP)
        assert response is not None
        rcodes.append(response[3] & 0xF)

    assert rcodes == [dns.rcode.NXDOMAIN, dns.rcode.FORMERR]


@pytest.mark.parametrize("packet", [b"", b"\0" * 11, QUESTION[:2] + b"\x80" + QUESTION[3:], b"\xff" * 12])
def test_responses_and_scraps_are_not_answered(facts: ZoneFacts, packet: bytes) -> None:
    """Two servers must never talk to each other for ever (RFC 1035, 7.3)."""
    assert answer(packet, facts, transport=Transport.UDP) is None


def test_a_signed_query_is_told_that_no_key_is_shared(facts: ZoneFacts) -> None:
    """Nobody has a key of this server, so no signature can be right (RFC 8945, 5.2.1)."""
    query = dns.message.make_query(f"{LABEL}.lancert.localhost", "A")
    query.use_tsig(dns.tsigkeyring.from_text({"key": "c2VjcmV0c2VjcmV0"}))
    response = answer(query.to_wire(), facts, transport=Transport.UDP)

    assert response is not None
    assert response[3] & 0xF == dns.rcode.NOTAUTH


def test_little_comes_out_for_what_goes_in(facts: ZoneFacts) -> None:
    """Whatever is asked with a forged sender, the victim gets about what the forger spends (F-49).

    Measured with the headers of IP and UDP (28 bytes each way). Addresses, and the answer to ANY, stay under 1.5;
    what is missing cannot: the SOA it must carry weighs as much as a short question.
    """
    address4, address6 = f"10-0-0-1.{LABEL}", f"fd00-0-0-0-0-0-0-1.{LABEL}"
    found = [(LABEL, "A"), (LABEL, "AAAA"), (LABEL, "ANY"), (address4, "A"), (address4, "ANY"), (address6, "AAAA")]
    names = [LABEL, address4, address6, UNKNOWN, f"8-8-8-8.{LABEL}", "www", "service", "_dmarc", ""]

    assert max(factor(facts, name, rdtype) for name, rdtype in found) <= 1.5
    assert max(factor(facts, name, rdtype) for name in names for rdtype in EVERY_TYPE) <= 2.0


EVERY_TYPE = ("A", "AAAA", "ANY", "TXT", "MX", "CAA", "NS", "SOA", "HTTPS", "AXFR")


def factor(facts: ZoneFacts, name: str, rdtype: str) -> float:
    query = dns.message.make_query(f"{name}.lancert.localhost".lstrip("."), rdtype).to_wire()
    response = answer(query, facts, transport=Transport.UDP)
    assert response is not None
    return (28 + len(response)) / (28 + len(query))
