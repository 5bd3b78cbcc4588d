"""What the homepage needs of the agent, as protocols: looking, changing, telling.

The pages hold no state of the box and touch no disk; everything goes through these calls. ``facts`` and ``now`` are
cheap and never wait. What may wait for the network is awaited, and only in answer to a form.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from lancert.box.diagnosis.result import Finding
from lancert.box.facts import BoxFacts, Server
from lancert.box.pin import PinVerdict
from lancert.protocol.credential import Credential


class Looking(Protocol):
    """What is free for everybody on the network."""

    def facts(self) -> BoxFacts:
        """Give what the box knows at this moment."""
        ...

    def now(self) -> datetime:
        """Give the wall time."""
        ...

    def homepage_opened(self) -> None:
        """Note that somebody looks: a check is scheduled, nothing waits for it."""
        ...


class Changing(Protocol):
    """What needs the PIN."""

    async def check_pin(self, pin: str, source: str) -> tuple[PinVerdict, int]:
        """Judge ten digits typed at this network address; with TOO_MANY come the seconds to wait, else 0."""
        ...

    async def connect(self, server: Server, credential: Credential | None) -> None:
        """Connect to a server, with another credential if one is given. Raises NotAServer or ConnectRefused."""
        ...

    def change_credential(self, credential: Credential) -> None:
        """Replace the credential."""
        ...

    def renew(self) -> None:
        """Ask for a new certificate although the old one will do; nothing waits for it."""
        ...

    def reset(self) -> str:
        """Have everything removed that this box knows, within seconds; gives the PIN it has then. Raises OSError."""
        ...

    def set_log_level(self, level: str) -> None:
        """Choose how much is recorded for a day, by one of ``lancert.kit.logs.LEVELS``."""
        ...


class Telling(Protocol):
    """What helps to find a cause."""

    async def diagnose(self) -> Sequence[Finding]:
        """Run every check of the doctor."""
        ...

    def log_lines(self, count: int) -> list[str]:
        """Give the last lines of the log, redacted; reads the disk, so the homepage asks in a thread."""
        ...

    def log_bundle(self, findings: Sequence[Finding] | None) -> bytes:
        """Give everything that helps to find a cause as one zip file; reads the disk."""
        ...


class HomepageAgent(Looking, Changing, Telling, Protocol):
    """All of it."""
