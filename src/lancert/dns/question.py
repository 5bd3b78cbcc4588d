"""Asking one name server for the addresses of one name: for the demo's terminal and for looking at a zone."""

import dns.asyncquery
import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from lancert.protocol.names import Address, parse_address

_SECONDS = 3.0


class NotAnswered(Exception):
    """The name server gave no address; the text says why."""


async def addresses_of(name: str, server: str, port: int) -> tuple[Address, ...]:
    """Ask a name server for the A and AAAA records of a name. Raises NotAnswered."""
    found: list[Address] = []
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        try:
            answer, _ = await dns.asyncquery.udp_with_fallback(
                dns.message.make_query(name, kind), server, timeout=_SECONDS, port=port
            )
        except (dns.exception.DNSException, OSError) as error:
            raise NotAnswered(f"the name server {server} port {port} does not answer: {error}") from error
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise NotAnswered(f"the name server answers {dns.rcode.to_text(answer.rcode())} for {name}")
        found += [
            address
            for rrset in answer.answer
            for record in rrset
            if record.rdtype == kind and (address := parse_address(record.to_text())) is not None
        ]
    if not found:
        raise NotAnswered(f"the name server knows no address for {name}")
    return tuple(found)
