"""The payment terminal of the demo: a client that trusts one root and nothing else.

It asks the name server of the zone for the address, connects, verifies chain, names and dates without exception and
opens the page. What it accepts, a real terminal accepts.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lancert.dns.question import addresses_of
from lancert.protocol.names import Address

_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What the terminal saw."""

    address: Address
    tls_version: str
    status_line: str


async def open_strictly(url: str, root: Path, name_server: tuple[str, int]) -> Opened:
    """Open a URL trusting only this root. Raises NotAnswered, OSError or ssl.SSLError; nothing is waved through."""
    parts = urlsplit(url)
    name, port = parts.hostname or "", parts.port or 443
    address = (await addresses_of(name, *name_server))[0]
    context = ssl.create_default_context(cafile=root)
    async with asyncio.timeout(_SECONDS):
        reader, writer = await asyncio.open_connection(str(address), port, ssl=context, server_hostname=name)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode())
            status_line = (await reader.readline()).decode("ascii", "replace").strip()
            tls_version = writer.get_extra_info("ssl_object").version()
        finally:
            writer.close()
    return Opened(address=address, tls_version=tls_version or "", status_line=status_line)
