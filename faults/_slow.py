"""A program that holds many connections half open and sends one byte a second on each; ended ones are opened again.

    python -m faults._slow HTTP-PORT HTTPS-PORT CONNECTIONS SOURCES

A quarter each: the head of a request and the body of a form over HTTP, the TLS handshake, and a head after it. With
one source all come from 127.0.0.1, with more they come from as many addresses of loopback.
"""

import asyncio
import contextlib
import itertools
import ssl
import sys
from collections.abc import Iterator

_BETWEEN_BYTES = 1.0
_HEAD = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: "
_FORM = (
    "POST /cogs/renewal HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
    "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 5000\r\n\r\n"
)
_HELLO = bytes.fromhex("16030102000100")  # the beginning of a record of 512 bytes


def _kinds(http: int, https: int) -> Iterator[tuple[int, bytes, bool]]:
    kinds = (
        (http, _HEAD, False),
        (http, _FORM.format(port=http).encode(), False),
        (https, _HELLO, False),
        (https, _HEAD, True),
    )
    return itertools.cycle(kinds)


async def main(http: int, https: int, connections: int, sources: int) -> None:
    """Hold them until this program is ended."""
    kinds = _kinds(http, https)
    addresses = itertools.cycle([f"127.0.{number // 250 + 1}.{number % 250 + 1}" for number in range(sources)])
    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            source = "127.0.0.1" if sources == 1 else next(addresses)
            group.create_task(_hold(*next(kinds), source))


async def _hold(port: int, begin: bytes, is_secure: bool, source: str) -> None:
    context = None
    if is_secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while True:
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, local_addr=(source, 0))
            try:
                writer.write(begin)
                while not reader.at_eof():
                    await asyncio.sleep(_BETWEEN_BYTES)
                    writer.write(b"a")
                    await writer.drain()
            finally:
                writer.transport.abort()
        await asyncio.sleep(_BETWEEN_BYTES)


if __name__ == "__main__":
    asyncio.run(main(*(int(argument) for argument in sys.argv[1:5])))
