"""One DNS question: what goes out, what is believed, and what is not."""

import asyncio
import random
from collections.abc import Callable
from ipaddress import ip_address

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.peers.name_server import NameServerPeer

from lancert.box.diagnosis.question import Answer, Class, Kind, NoAnswer, NotAnAnswer, Question, ask

NAME = "192-168-1-5.k3v7q2m4x5a6b7c2.iot.example.com"
FOUND = ip_address("192.168.1.5")
Change = Callable[[dns.message.Message], None]


def answer_to(question: bytes, *, change: Change | None = None, records: tuple[str, ...] = ("A 192.168.1.5",)) -> bytes:
    """Answer a question the way a good server does, or with a change."""
    query = dns.message.from_wire(question)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AA
    for record in records:
        kind, _, value = record.partition(" ")
        name = query.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, query.question[0].rdclass, kind, value))
    if change is not None:
        change(response)
    return response.to_wire()


def asked(
    peer: NameServerPeer, kind: Kind = Kind.A, *, name: str = NAME, of: Class = Class.IN, tries: int = 2
) -> Answer:
    return asyncio.run(ask(name, kind, "127.0.0.1", port=peer.port, of=of, seconds=0.3, tries=tries))


def test_a_question_as_it_goes_out() -> None:
    """One question of RFC 1035 with a random id and random capitals, which a DNS library reads."""
    wires = {Question(NAME, Kind.A, Class.IN).wire for _ in range(20)}
    read = dns.message.from_wire(next(iter(wires)))

    assert len(wires) == 20
    assert len({wire[12:] for wire in wires}) > 10
    assert read.question[0].to_text().lower() == f"{NAME}. in a"
    assert read.flags == dns.flags.RD
    assert (
        dns.message.from_wire(Question(".", Kind.NS, Class.IN, recurse=False).wire).question[0].to_text() == ". IN NS"
    )
    assert not Question(NAME, Kind.A, Class.IN, recurse=False).wire[2] & 1


def told(*addresses: str, names: tuple[str, ...] = (), texts: tuple[str, ...] = ()) -> Answer:
    found = frozenset(map(ip_address, addresses))
    return Answer(rcode=0, is_authoritative=True, addresses=found, names=names, texts=texts)


@pytest.mark.parametrize(
    ("kind", "of", "records", "expected"),
    [
        (Kind.A, Class.IN, ("A 192.168.1.5",), told("192.168.1.5")),
        (Kind.A, Class.IN, (), told()),
        (Kind.AAAA, Class.IN, ("AAAA fd12::5",), told("fd12::5")),
        (Kind.NS, Class.IN, ("NS ns1.example.com.", "NS a.B."), told(names=("ns1.example.com", "a.b"))),
        (Kind.TXT, Class.CHAOS, ('TXT "dnsmasq-2.90"',), told(texts=("dnsmasq-2.90",))),
        (Kind.A, Class.IN, ("CNAME elsewhere.example.", "A 10.9.9.9"), told("10.9.9.9")),
    ],
)
def test_an_answer_is_read(kind: Kind, of: Class, records: tuple[str, ...], expected: Answer) -> None:
    """Addresses, name servers and texts, with compressed names and beside other records."""
    with NameServerPeer(lambda question: [answer_to(question, records=records)]) as peer:
        assert asked(peer, kind, of=of) == expected


@pytest.mark.parametrize(
    ("change", "rcode", "is_authoritative"),
    [
        (lambda message: message.set_rcode(dns.rcode.NXDOMAIN), 3, True),
        (lambda message: message.set_rcode(dns.rcode.SERVFAIL), 2, True),
        (lambda message: setattr(message, "flags", message.flags & ~dns.flags.AA), 0, False),
        (lambda message: setattr(message, "flags", message.flags | dns.flags.RA), 0, False),
    ],
)
def test_who_speaks_is_read(change: Change, rcode: int, is_authoritative: bool) -> None:
    """A router that answers in the place of the zone's server gives itself away."""
    with NameServerPeer(lambda question: [answer_to(question, change=change)]) as peer:
        answer = asked(peer)

    assert (answer.rcode, answer.is_authoritative) == (rcode, is_authoritative)


def _other_id(packet: bytes) -> bytes:
    return bytes((packet[0] ^ 1,)) + packet[1:]


def _other_name(packet: bytes) -> bytes:
    return packet.replace(b"192-168-1-5", b"192-168-1-6", 1)


def _not_a_response(packet: bytes) -> bytes:
    return packet[:2] + bytes((packet[2] & 0x7F,)) + packet[3:]


@pytest.mark.parametrize(
    "forge", [_other_id, _other_name, _not_a_response, lambda packet: packet[:11], lambda packet: b"?"]
)
def test_an_answer_to_another_question_is_passed_over(forge: Callable[[bytes], bytes]) -> None:
    """RFC 5452: what does not belong to the question changes nothing, and the right answer that follows counts."""

    def answers(question: bytes) -> list[bytes]:
        return [forge(answer_to(question, records=("A 10.6.6.6",))), answer_to(question)]

    with NameServerPeer(answers) as peer:
        assert asked(peer).addresses == {FOUND}
        assert len(peer.asked) == 1


def test_a_router_that_makes_letters_small_is_asked_without_capitals() -> None:
    """Such an answer is not believed, and not waited out either: the next try has small letters from the start."""

    def small(question: bytes) -> list[bytes]:
        packet = answer_to(question)
        return [packet[:12] + packet[12 : len(question)].lower() + packet[len(question) :]]

    with NameServerPeer(small) as peer:
        answer = asyncio.run(ask(NAME, Kind.A, "127.0.0.1", port=peer.port, seconds=20, tries=2))

        assert answer.addresses == {FOUND}
        assert peer.asked[-1][12:] == peer.asked[-1][12:].lower()


def test_an_answer_that_was_cut_is_asked_for_over_tcp() -> None:
    """RFC 1035, 4.2.1: the bit TC says that there is more."""

    def cut(question: bytes) -> list[bytes]:
        return [answer_to(question, records=(), change=lambda message: setattr(message, "flags", 0x8600))]

    with NameServerPeer(cut, lambda question: [answer_to(question)]) as peer:
        assert asked(peer).addresses == {FOUND}
    with NameServerPeer(cut, cut) as peer, pytest.raises(NoAnswer):
        asked(peer)


def test_silence_ends() -> None:
    """Each try has its time, and there are so many; a closed port is no answer either."""
    with NameServerPeer(lambda question: []) as peer:
        with pytest.raises(NoAnswer):
            asked(peer, tries=3)
        assert len(peer.asked) == 3
    with pytest.raises(NoAnswer):
        asked(peer)
    with pytest.raises(NoAnswer):
        asyncio.run(ask(NAME, Kind.A, "not an address", seconds=0.3, tries=1))


def test_a_refusal_without_the_question_is_heard() -> None:
    """Some servers refuse with a bare header."""
    with NameServerPeer(lambda question: [question[:2] + b"\x80\x05" + bytes(8)]) as peer:
        assert asked(peer).rcode == 5


@given(data=st.data())
def test_no_answer_is_too_strange(data: st.DataObject) -> None:
    """F-48: whatever arrives is read or refused; nothing else happens, and reading always ends."""
    question = Question(NAME, Kind.NS, Class.IN)
    packet = bytearray(answer_to(question.wire, records=("NS ns1.iot.example.com.", "NS ns2.iot.example.com.")))
    chance = random.Random(data.draw(st.integers(0, 2**32)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = chance.randrange(12, len(packet))
        packet[at] = chance.choice([0, 1, 12, 63, 64, 192, 193, 255, chance.randrange(256)])
    cut = data.draw(st.one_of(st.none(), st.integers(0, len(packet))))

    try:
        answer = question.read(bytes(packet[:cut]))
    except NotAnAnswer:
        return
    assert answer is None or len(answer.names) <= 64
