"""One query in, one answer out, or none: a pure function on bytes.

The strict path answers what is ordinary, the general path the rest. Both give the same answer wherever both
answer; which one did is of no concern to the client.
"""

from lancert.dns.general import answer_generally
from lancert.dns.strict import answer_strictly
from lancert.dns.wire import Transport
from lancert.dns.zone import ZoneFacts


def answer(query: bytes, facts: ZoneFacts, *, transport: Transport) -> bytes | None:
    """Answer a query from one generation; None for what must not be answered (responses, less than a header)."""
    strictly = answer_strictly(query, facts, transport=transport)
    return strictly if strictly is not None else answer_generally(query, facts, transport=transport)


def rcode_of(response: bytes) -> int:
    """Read the rcode of one of our own answers, with the upper bits that an OPT record holds (RFC 6891, 6.1.3).

    Our OPT is always the last record and has no options: its eleven bytes end the message.
    """
    upper = response[-6] if response[11] else 0
    return upper << 4 | response[3] & 0xF
