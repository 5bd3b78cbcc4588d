"""Tells the service manager that started this process how it fares: ready, alive, stopping (sd_notify(3)).

A message is one datagram to a socket of the manager, systemd's or any other's that speaks the same. Started by nobody,
everything here does nothing. A message that cannot be delivered is logged and never stops what it reports about.
"""

import os
import socket

from lancert.kit.logs import Log

log = Log("service_manager")


class ServiceManager:
    """Who started this process and wants to know how it fares."""

    def __init__(self, address: str | None) -> None:
        """Take the address of its socket: a path, or ``@`` and a name for an abstract one; None when there is none."""
        self._address = address

    def ready(self, status: str) -> None:
        """Say that everything is served from now on."""
        self._send("READY=1", _status(status))

    def alive(self) -> None:
        """Give a sign of life; without one for the agreed time the manager ends this process and starts another."""
        self._send("WATCHDOG=1")

    def status(self, status: str) -> None:
        """Say in one line how things are."""
        self._send(_status(status))

    def stopping(self) -> None:
        """Say that the end has begun on purpose."""
        self._send("STOPPING=1", _status("Stopping."))

    def _send(self, *assignments: str) -> None:
        if self._address is None:
            return
        try:
            if self._address[0] not in "/@" or not hasattr(socket, "AF_UNIX"):
                raise OSError("only sockets of this machine are written to")
            # An abstract socket has a zero byte where a path has its first one (unix(7)).
            name = os.fsencode(self._address)
            target = b"\0" + name[1:] if name.startswith(b"@") else name
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as door:
                door.setblocking(False)  # a manager that does not read must not hold up the homepage
                door.sendto("\n".join(assignments).encode(), target)
        except OSError as error:
            log.warning("the service manager could not be told", detail=str(error), told=assignments[0])


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
