"""The first hop: the addresses of a host, by the system's own resolver, and why there are none.

The system says "try again" both for a name server that is down and for one that answers with a failure; which of them
it is, the name server is asked itself. ``*.localhost`` is loopback without asking anybody (RFC 6761, 6.3).
"""

import asyncio
import contextlib
import socket
import threading
from ipaddress import ip_address

from lancert.box.hops import Hop, Unreachable

_SERVER_FAILED = {getattr(socket, "EAI_FAIL", None)}
_MOST_SERVERS = 3


async def look_up(host: str) -> list[str]:
    """Give the addresses of a host in the order in which to try them. Raises Unreachable."""
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1", "::1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        return await _ask_system(host)
    except socket.gaierror as error:
        cause = "name-unknown"
        if error.errno == socket.EAI_AGAIN:
            cause = await _why_try_again(host)
        elif error.errno in _SERVER_FAILED:
            cause = "name-server-failed"
        raise Unreachable(cause, Hop.LOOKUP, str(error)) from error
    except UnicodeError as error:
        raise Unreachable("name-unknown", Hop.LOOKUP, str(error)) from error


async def _ask_system(host: str) -> list[str]:
    """Ask in a thread that nobody has to wait for: the resolver cannot be interrupted, and takes half a minute."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[list[str]] = loop.create_future()

    def tell(found: list[str], error: Exception | None) -> None:
        if answered.done():
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(found)

    def ask() -> None:
        found: list[str] = []
        failed: Exception | None = None
        try:
            entries = socket.getaddrinfo(host.encode("ascii"), None, type=socket.SOCK_STREAM)
            found = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        except (OSError, UnicodeError) as error:
            failed = error
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(tell, found, failed)

    threading.Thread(target=ask, name="look-up", daemon=True).start()
    return await answered


async def _why_try_again(host: str) -> str:
    """Tell a name server that answers with a failure from one that does not answer."""
    # Needed only here, when something is wrong.
    from lancert.box.diagnosis.question import Answer, Kind, NoAnswer, ask
    from lancert.box.diagnosis.resolvers import resolvers_of_this_machine

    async def said(server: str) -> Answer | None:
        with contextlib.suppress(NoAnswer):
            return await ask(host, Kind.A, server, tries=1)
        return None

    servers = resolvers_of_this_machine().servers[:_MOST_SERVERS]
    answers = await asyncio.gather(*(said(server) for server in servers))
    return "name-server-failed" if any(answer is not None for answer in answers) else "name-server-down"
