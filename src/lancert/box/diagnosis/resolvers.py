"""Whom this machine asks for names: the system as a whole, the servers it goes to, and the router of the network."""

import asyncio
import contextlib
import re
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from lancert.box.diagnosis.question import PORT

PUBLIC_RESOLVERS = ("9.9.9.9", "1.1.1.1")
"""Who is asked beside the zone's own servers unless somebody sets others."""

_NAMESERVER = re.compile(r"^nameserver[ \t]+(\S+)", re.MULTILINE)
_LONGEST_FILE = 10_000
# The addresses at which systemd-resolved answers for the servers it asks itself.
_STUBS = {"127.0.0.53", "127.0.0.54"}

LookUp = Callable[[str], Awaitable[set[str]]]
"""Gives the addresses of a name, as the resolver of this machine does. Raises OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolvers:
    """Who can be asked: the system itself, the servers it uses, the router, and public ones."""

    look_up: LookUp
    servers: tuple[str, ...] = ()
    router: str | None = None
    public: tuple[str, ...] = PUBLIC_RESOLVERS
    port: int = PORT


async def look_up(name: str) -> set[str]:
    """Ask the system's resolver, which cannot be interrupted, without anybody waiting for its end. Raises OSError."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[set[str]] = loop.create_future()

    def tell(found: set[str] | None, error: OSError | None) -> None:
        if answered.done():
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(found or set())

    def ask() -> None:
        found, failed = None, None
        try:
            found = {
                str(entry[4][0]) for entry in socket.getaddrinfo(name.encode("ascii"), None, type=socket.SOCK_STREAM)
            }
        except OSError as error:
            failed = error
        except UnicodeError as error:
            failed = OSError(str(error))
        with contextlib.suppress(RuntimeError):  # nobody waits any more
            loop.call_soon_threadsafe(tell, found, failed)

    threading.Thread(target=ask, daemon=True).start()
    return await answered


def resolvers_of_this_machine(public: Sequence[str] | None = None) -> Resolvers:
    """Find out whom the system asks; where it keeps that elsewhere, the system as a whole is asked alone.

    Without ``public`` the usual public resolvers are asked beside it, with an empty one none.
    """
    servers = name_servers(Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))
    return Resolvers(
        look_up=look_up,
        servers=servers,
        router=router_in(Path("/proc/net/route")),
        public=PUBLIC_RESOLVERS if public is None else tuple(public),
    )


def name_servers(path: Path, behind_stub: Path | None = None) -> tuple[str, ...]:
    """Read the servers of resolv.conf(5); where it names but a stub of the system, those behind it."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")[:_LONGEST_FILE]
    except OSError:
        return ()
    servers = tuple(dict.fromkeys(found for found in _NAMESERVER.findall(text) if _is_address(found)))
    if behind_stub is not None and servers and set(servers) <= _STUBS:
        return name_servers(behind_stub) or servers
    return servers


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def router_in(path: Path) -> str | None:
    """Read the router of the default route of version 4 (proc(5): hexadecimal, in the byte order of the machine)."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in path.read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000" and fields[2] != "00000000":
                return socket.inet_ntoa(int(fields[2], 16).to_bytes(4, sys.byteorder))
    return None
