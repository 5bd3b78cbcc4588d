"""Runs of the doctor from the homepage: one at a time, ten seconds apart, the last result kept for everybody.

A run talks to the outside, so a form starts it, never a look at a page; the page waits no longer than a moment and
reloads itself while the run goes on. What was found is no secret: looking is free.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from lancert.box.diagnosis.result import Finding
from lancert.box.homepage.agent import HomepageAgent
from lancert.kit.logs import Log

BETWEEN_RUNS = timedelta(seconds=10)
_LONGEST_RUN = 120.0
PATIENCE = 1.5
"""How many seconds the form waits, so that a quick run needs no reload."""

_log = Log("homepage")


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a run found, and when; with a reference into the log when it broke off."""

    at: datetime
    findings: tuple[Finding, ...] = ()
    reference: str | None = None


class Checkup:
    """The one run that may be under way, and the last one that ended."""

    def __init__(self, agent: HomepageAgent, patience: float = PATIENCE) -> None:
        self._agent = agent
        self._patience = patience
        self._run: asyncio.Task[None] | None = None
        self.last: Examined | None = None

    @property
    def is_running(self) -> bool:
        """Say whether a run is under way."""
        return self._run is not None and not self._run.done()

    async def ask(self, patience: float | None = None) -> None:
        """Start a run unless one is under way or has just ended; wait so many seconds for its end, else a moment."""
        if not self.is_running and self._is_due():
            self._run = asyncio.create_task(self._examine())
        if self._run is not None:
            await asyncio.wait({self._run}, timeout=self._patience if patience is None else patience)

    def _is_due(self) -> bool:
        # A last run in the future means that the clock was set back.
        return self.last is None or not timedelta(0) <= self._agent.now() - self.last.at < BETWEEN_RUNS

    async def _examine(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST_RUN):
                findings: Sequence[Finding] = await self._agent.diagnose()
            self.last = Examined(at=self._agent.now(), findings=tuple(findings))
        except Exception:
            reference = _log.exception("the diagnosis broke off")
            self.last = Examined(at=self._agent.now(), reference=reference)
