"""Asks the box's own HTTPS door what it shows, the way a visitor would come: by an address and a name."""

import asyncio
import hashlib
import ssl

from lancert.kit.lean import plain_host


async def served_fingerprint(host: str, port: int, name: str) -> str:
    """Give the SHA-256 of the certificate that is shown, in hexadecimal. Raises OSError.

    It is not verified: whoever asks compares it with the stored one, which says more.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    _reader, writer = await asyncio.open_connection(host, port)
    try:
        await writer.start_tls(context, server_hostname=plain_host(name))
        served: bytes | None = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return hashlib.sha256(served or b"").hexdigest()
    finally:
        writer.transport.abort()
