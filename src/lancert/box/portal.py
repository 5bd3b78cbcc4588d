"""Tells a sign-in page of the network from a stranger who answers in the server's place.

A network that wants a sign-in answers plain HTTP for everybody (RFC 8952, 2.5). So when TLS met a certificate that is
not the server's, the same host is asked for a small document over plain HTTP. Nothing secret goes out this way, and
nothing that comes back is believed: it only says which sentence to show.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from urllib.parse import urlsplit

from lancert.box import wire
from lancert.box.conversation import Answered
from lancert.box.dialing import dial
from lancert.box.hops import Unreachable

_PORT = 80
_CONNECT = 1.5
_WHOLE = 3.0


async def is_a_sign_in_page(host: str, addresses: Sequence[str]) -> bool:
    """Say whether whoever answers for the host sends visitors to a page of its own."""
    writer: asyncio.StreamWriter | None = None
    with contextlib.suppress(Unreachable, wire.BrokenOff, wire.Unacceptable, OSError, TimeoutError):
        try:
            async with asyncio.timeout(_WHOLE):
                door = await dial(addresses[:1], _PORT, _CONNECT)
                reader, writer = await asyncio.open_connection(sock=door)
                request = wire.Request(method="GET", target="/healthz", headers={"host": host, "connection": "close"})
                return _looks_like_one(host, await wire.exchange(request, reader, writer))
        finally:
            if writer is not None:
                writer.transport.abort()
    return False


def _looks_like_one(host: str, answered: Answered) -> bool:
    if answered.status == 511:  # RFC 6585, 6
        return True
    if 300 <= answered.status < 400:
        leads_to = urlsplit(answered.location or "").hostname
        return leads_to is not None and leads_to != host
    return answered.status == 200 and answered.media_type == "text/html"
