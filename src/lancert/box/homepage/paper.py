"""An agent on paper: holds facts, does what the pages ask, and talks to nobody.

It is the handle by which the homepage is tried without a box behind it, in tests and when its look is worked on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from lancert.box.connecting import ConnectRefused
from lancert.box.diagnosis.result import Finding
from lancert.box.facts import BoxFacts, Server
from lancert.box.log_level import LONGEST
from lancert.box.pin import PinVerdict
from lancert.kit.logs import NORMAL
from lancert.protocol.credential import Credential
from lancert.protocol.problems import Occurrence

FREE_TRIES = 5
WAIT_SECONDS = 42


@dataclass(slots=True, kw_only=True)
class PaperAgent:
    """Everything the homepage needs of an agent, kept in plain fields."""

    paper: BoxFacts
    moment: datetime
    pin: str
    findings: Sequence[Finding] = ()
    lines: list[str] = field(default_factory=list)
    unreachable: Occurrence | None = None
    """What connecting to any server ends with, if it is to fail."""

    opened: int = 0
    examined: int = 0
    wrong_tries: int = 0

    def facts(self) -> BoxFacts:
        """Give the facts on the paper."""
        return self.paper

    def now(self) -> datetime:
        """Give the moment on the paper."""
        return self.moment

    def homepage_opened(self) -> None:
        """Count."""
        self.opened += 1

    async def check_pin(self, pin: str, source: str) -> tuple[PinVerdict, int]:
        """Compare with the PIN on the paper; five wrong ones are enough."""
        if self.wrong_tries >= FREE_TRIES:
            return PinVerdict.TOO_MANY, WAIT_SECONDS
        if pin == self.pin:
            return PinVerdict.RIGHT, 0
        self.wrong_tries += 1
        return PinVerdict.WRONG, 0

    async def connect(self, server: Server, credential: Credential | None) -> None:
        """Write the server down. Raises ConnectRefused if that is on the paper."""
        if self.unreachable is not None:
            raise ConnectRefused(self.unreachable)
        kept = self.paper.credential if credential is None else credential
        self.paper = replace(self.paper, server=server, credential=kept)

    def change_credential(self, credential: Credential) -> None:
        """Write the credential down."""
        self.paper = replace(self.paper, credential=credential)

    def renew(self) -> None:
        """Write the wish down."""
        self.paper = replace(self.paper, renewal_asked=True)

    def reset(self) -> str:
        """Forget everything but the name, and take another PIN."""
        self.paper = BoxFacts(
            name=self.paper.name, kind=self.paper.kind, ports=self.paper.ports, addresses=self.paper.addresses
        )
        self.lines, self.pin = [], self.pin[::-1]
        return self.pin

    def set_log_level(self, level: str) -> None:
        """Write the level down, for a day."""
        until = None if level == NORMAL else self.moment + LONGEST
        self.paper = replace(self.paper, log_level=level, log_level_until=until)

    def log_lines(self, count: int) -> list[str]:
        """Give the last of the lines."""
        return self.lines[-count:]

    def log_bundle(self, findings: Sequence[Finding] | None) -> bytes:
        """Give the lines, and how many findings there are."""
        return "\n".join([*self.lines, f"{len(findings or ())} findings"]).encode()

    async def diagnose(self) -> Sequence[Finding]:
        """Give the findings on the paper."""
        self.examined += 1
        return self.findings
