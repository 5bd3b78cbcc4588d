"""Signs of life for the service manager: given only while the event loop turns and the HTTPS door answers.

The door is asked as a client would ask, through a connection and a handshake of its own, because a process that runs
and serves nothing is as dead to a payment terminal as one that ended. What is in the certificate does not matter here:
a new process would not have a better one.
"""

import asyncio
import ssl
from typing import Protocol

from lancert.kit.dead_mans_switch import DeadMansSwitch
from lancert.kit.logs import Log

_AGAIN = 0.5  # seconds from a try that failed to the next

log = Log("box.watchdog")


class Watcher(Protocol):
    """Who wants to know that the box serves: a service manager, or a switch that ends the process."""

    def alive(self) -> None:
        """Take a sign of life."""
        ...

    def status(self, status: str) -> None:
        """Take in one line how things are."""
        ...


async def end_when_stuck(patience: float, host: str, port: int) -> None:
    """End the process when it has not served for so many seconds, where no service manager does so; for ever."""
    with DeadMansSwitch(patience) as switch:
        await give_signs_of_life(switch, patience, host, port)


async def give_signs_of_life(manager: Watcher, patience: float, host: str, port: int) -> None:
    """Tell the manager twice within its patience, in seconds, that this box serves; for ever."""
    answered = True
    while True:
        if await https_answers(host, port, patience / 4):
            manager.alive()
            if not answered:
                log.info("the HTTPS door answers again")
                manager.status(f"The HTTPS port {port} answers again.")
            answered = True
            await asyncio.sleep(patience / 2)
            continue
        if answered:
            log.error("the HTTPS door does not answer; no sign of life is given", port=port)
            manager.status(f"The HTTPS port {port} does not answer.")
        answered = False
        await asyncio.sleep(_AGAIN)


async def https_answers(host: str, port: int, seconds: float) -> bool:
    """Say whether a request to the HTTPS door is answered within this time, whatever the answer."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(host, port, ssl=_any_certificate())
            try:
                name = f"[{host}]" if ":" in host else host
                writer.write(f"HEAD /favicon.svg HTTP/1.1\r\nhost: {name}:{port}\r\nconnection: close\r\n\r\n".encode())
                return (await reader.readline()).startswith(b"HTTP/1.1 ")
            finally:
                writer.transport.abort()
    except (OSError, ValueError):  # a first line without end is a ValueError of asyncio
        return False


def _any_certificate() -> ssl.SSLContext:
    # An expired certificate or the stop-gap is no reason to start again, so nothing is compared.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
