"""Tells the service manager that started this process how it fares: ready, alive, stopping (sd_notify(3)).

A message is one datagram to a socket of the manager, systemd's or any other's that speaks the same. Started by nobody,
everything here does nothing. A message that cannot be delivered is logged and never stops what it reports about.
"""

from lancert.kit.logs import Log
from lancert.kit.platform import system

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
            system.tell_manager(self._address, "\n".join(assignments).encode())
        except OSError as error:
            log.warning("the service manager could not be told", detail=str(error), told=assignments[0])


def _status(text: str) -> str:
    return "STATUS=" + " ".join(text.split())
