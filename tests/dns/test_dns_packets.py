"""Packets nobody should send: each gets a refusal or silence, and none gets an exception."""

import random

import dns.message
from hypothesis import given, settings
from hypothesis import strategies as st

from lancert.dns.answer import answer
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts

COUNT = 60_000


def seeds() -> list[bytes]:
    """Well-formed queries of every kind, to be damaged."""
    names = ("k3v7q2m4x5a6b7c2", "192-168-1-5.k3v7q2m4x5a6b7c2", "www", "_x._domainkey")
    queries = [
        dns.message.make_query(f"{name}.lancert.localhost", rdtype, use_edns=edns)
        for name in names
        for rdtype in ("A", "ANY", "SOA", "AXFR")
        for edns in (None, 0)
    ]
    options = [b"\0\x08\0\x04\0\1\x18\0", b"\0\x0a\0\x08abcdefgh", b"\0\x03\0\0", b"\0\x0f\0\x05\0\1\xff\xfe\xfd"]
    packets = [query.to_wire() for query in queries]
    with_options = [
        packet[:11] + b"\1" + packet[12:] + b"\0\0\x29\4\xd0\0\0\0\0" + len(option).to_bytes(2, "big") + option
        for packet in packets[::2]
        for option in options
    ]
    update = dns.message.from_text("opcode UPDATE\n;ZONE\nlancert.localhost. IN SOA\n").to_wire()
    loop = b"\0\1\0\0\0\1\0\0\0\0\0\0" + b"\3abc\xc0\x0c" + b"\0\1\0\1"
    return [*packets, *with_options, update, loop]


def damaged(packet: bytes, chance: random.Random) -> bytes:
    changed = bytearray(packet)
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(changed) + 1)
        match chance.randrange(5):
            case 0 if at < len(changed):
                changed[at] = chance.getrandbits(8)
            case 1 if at < len(changed):
                changed[at] ^= 1 << chance.randrange(8)
            case 2:
                del changed[at:]
            case 3:
                changed[at:at] = chance.randbytes(chance.randint(1, 6))
            case _:
                changed[at : at + 2] = bytes((0xC0, chance.choice((0, 4, 12, 13, 20, 255))))
    return bytes(changed)


def is_reply(packet: bytes, response: bytes | None, most: int) -> bool:
    """Say whether this is what may come back for a packet: nothing for responses and scraps, else a response."""
    if len(packet) < 12 or packet[2] & 0x80:
        return response is None
    return (
        response is not None
        and 12 <= len(response) <= most
        and response[:2] == packet[:2]
        and response[2] & 0xF8 == 0x80 | packet[2] & 0x78
        and not response[3] & 0x80
        and dns.message.from_wire(response, question_only=True) is not None
    )


def test_damaged_packets_are_answered_or_dropped(facts: ZoneFacts) -> None:
    """Truncated, looped, miscounted, garbled: a refusal of at most 1232 bytes or silence, never an exception (F-48)."""
    chance, packets = random.Random(48), seeds()
    for _ in range(COUNT):
        packet = damaged(chance.choice(packets), chance)
        response = answer(packet, facts, transport=Transport.UDP)
        assert is_reply(packet, response, 1232), packet


@settings(max_examples=1_000)
@given(
    packet=st.one_of(st.binary(max_size=80), st.builds(lambda body: b"\0\1\0\0\0\1\0\0\0\0\0\1" + body, st.binary()))
)
def test_random_packets_are_answered_or_dropped(facts: ZoneFacts, packet: bytes) -> None:
    """Noise, with and without a header that promises a question."""
    assert is_reply(packet, answer(packet, facts, transport=Transport.TCP), 65535)


def test_a_packet_of_64_kilobytes_is_not_read(facts: ZoneFacts) -> None:
    """Thousands of records in one TCP message cost what one header costs (F-48, F-51)."""
    record = b"\0\0\1\0\1\0\0\0\0\0\0"
    for counts in (b"\0\1\x17\0\0\0\0\0", b"\0\1\0\0\x17\0\0\0", b"\0\1\0\0\0\0\x17\0", b"\0\1\0\0\0\0\0\2"):
        packet = b"\0\1\0\0" + counts + b"\0\0\1\0\1" + record * 5900
        assert answer(packet[:65535], facts, transport=Transport.TCP) == b"\0\1\x80\1" + bytes(8)
