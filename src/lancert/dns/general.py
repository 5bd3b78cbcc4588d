"""The general path: every query the strict path leaves, read and answered with dnspython.

All the server has to do with a DNS library is here. It refuses before it reads: a query that is not one question of
ordinary size never reaches the parser, so that no packet costs more than one packet should. It never recurses,
transfers no zone (S-62), and answers ANY with one short record (RFC 8482, 4.2).
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rcode import Rcode
from dns.rdatatype import RdataType

from lancert.dns.wire import HEADER_SIZE, MOST_OVER_TCP, MOST_OVER_UDP, MOST_WITHOUT_EDNS, Transport
from lancert.dns.zone import FIXED_TTL, Records, ZoneFacts, look_up

_MOST_QUERY: Final = MOST_OVER_UDP
_MOST_AUTHORITY: Final = 1  # an IXFR carries its SOA there
_MOST_ADDITIONAL: Final = 2  # OPT and a signature
_TRANSFERS: Final = frozenset((RdataType.AXFR, RdataType.IXFR))
_META_TYPES: Final = range(128, 255)  # RFC 6895, 3.1; ANY is 255
_QR: Final = 0x80
_RD: Final = 0x01
_ANY_ANSWER: Final = Records(type="HINFO", ttl=FIXED_TTL, values=('"RFC8482" ""',))


def answer_generally(query: bytes, facts: ZoneFacts, *, transport: Transport) -> bytes | None:
    """Answer any bytes at all; None for what must not be answered: responses, and less than a header."""
    if len(query) < HEADER_SIZE or query[2] & _QR:
        return None
    refusal = _refuse_unread(query)
    if refusal is not None:
        return bare_answer(query, refusal)
    try:
        # Signatures are not verified: no key is shared with anybody, and none is claimed to be.
        message = dns.message.from_wire(query, keyring=False)
    except (dns.exception.DNSException, ValueError):
        return bare_answer(query, Rcode.FORMERR)
    return _to_wire(_respond(message, facts), message, transport)


def bare_answer(query: bytes, rcode: int) -> bytes:
    """Answer with nothing but a header: the query's id, opcode and RD, and the rcode."""
    return bytes((query[0], query[1], _QR | query[2] & (0x78 | _RD), rcode)) + bytes(8)


def _refuse_unread(query: bytes) -> Rcode | None:
    questions, answers, authority, additional = (int.from_bytes(query[at : at + 2]) for at in (4, 6, 8, 10))
    if query[2] >> 3 & 0xF != dns.opcode.QUERY:
        return Rcode.NOTIMP
    if questions != 1 or answers or authority > _MOST_AUTHORITY or additional > _MOST_ADDITIONAL:
        return Rcode.FORMERR
    return Rcode.FORMERR if len(query) > _MOST_QUERY else None


def _respond(query: dns.message.Message, facts: ZoneFacts) -> dns.message.Message:
    """Build the answer to a well-formed query of one question."""
    response = dns.message.QueryMessage(id=query.id)
    response.flags = dns.flags.QR | (query.flags & dns.flags.RD)
    response.question = list(query.question)
    if query.opt is not None:
        response.use_edns(0, query.ednsflags & dns.flags.DO, payload=MOST_OVER_UDP)
    question = query.question[0]
    zone = _zone_name(facts.zone)

    rcode = _refuse(query, question, zone)
    if rcode is not None:
        response.set_rcode(rcode)
        return response

    response.flags |= dns.flags.AA
    found = look_up(facts, _relative(question.name, zone))
    chosen = _choose(question.rdtype, found or ())
    if found is None:
        response.set_rcode(Rcode.NXDOMAIN)
    if chosen is not None:
        response.answer.append(_rrset(question.name, chosen))
    else:
        response.authority.append(_negative_soa(facts, zone))
    return response


def _refuse(query: dns.message.Message, question: dns.rrset.RRset, zone: dns.name.Name) -> Rcode | None:
    if query.edns > 0:
        return Rcode.BADVERS
    if question.rdclass != dns.rdataclass.IN or question.rdtype in _TRANSFERS:
        return Rcode.REFUSED
    if query.had_tsig:
        return Rcode.NOTAUTH
    if not question.name.is_subdomain(zone):
        return Rcode.REFUSED
    if question.rdtype in _META_TYPES or question.rdtype in (RdataType.NONE, RdataType.OPT):
        return Rcode.NOTIMP
    return None


def _choose(asked: RdataType, found: Sequence[Records]) -> Records | None:
    if asked == RdataType.ANY:
        return _ANY_ANSWER if found else None
    name = dns.rdatatype.to_text(asked)
    return next((records for records in found if records.type == name), None)


def _relative(name: dns.name.Name, zone: dns.name.Name) -> tuple[str, ...]:
    """Give the labels before the zone in lower case; bytes that are no letters stay what they are."""
    before = name.labels[: len(name.labels) - len(zone.labels)]
    return tuple(label.lower().decode("latin-1") for label in before)


def _rrset(name: dns.name.Name, records: Records) -> dns.rrset.RRset:
    return dns.rrset.from_rdata_list(name, records.ttl, _rdatas(records.type, records.values))


def _negative_soa(facts: ZoneFacts, zone: dns.name.Name) -> dns.rrset.RRset:
    """Give the SOA of a negative answer, remembered for its MINIMUM and no longer (RFC 2308, 3)."""
    apex = look_up(facts, ())
    assert apex is not None
    soa = next(records for records in apex if records.type == "SOA")
    return _rrset(zone, Records(type="SOA", ttl=facts.timing.negative, values=soa.values))


def _to_wire(response: dns.message.Message, query: dns.message.Message, transport: Transport) -> bytes:
    most = MOST_OVER_TCP if transport is Transport.TCP else _room(query)
    try:
        return response.to_wire(max_size=most, want_shuffle=False)
    except dns.exception.TooBig:
        response.flags |= dns.flags.TC
        response.answer.clear()
        response.authority.clear()
        return response.to_wire(max_size=most)


def _room(query: dns.message.Message) -> int:
    announced = query.payload if query.opt is not None else 0
    return min(max(announced, MOST_WITHOUT_EDNS), MOST_OVER_UDP)


@lru_cache(maxsize=8)
def _zone_name(zone: str) -> dns.name.Name:
    return dns.name.from_text(zone)


@lru_cache(maxsize=256)
def _rdatas(type_name: str, values: tuple[str, ...]) -> tuple[dns.rdata.Rdata, ...]:
    return tuple(dns.rdata.from_text(dns.rdataclass.IN, type_name, value) for value in values)
