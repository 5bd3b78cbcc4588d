"""The doctor's rounds: what is told to the service, looked at again after a change and a few times a day.

The console of the service should know what a phone call would find out. A round costs some questions over the network
and writes nothing, so it is made when something changed, and every six hours for what changes elsewhere (a router).
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from lancert.box.diagnosis.result import Finding
from lancert.box.facts import BoxFacts
from lancert.kit.clock import to_text
from lancert.kit.logs import Log
from lancert.protocol.messages import CheckVerdict, ReportedCheck, ReportedDiagnosis

EVERY = 6 * 3600.0
"""Seconds between two rounds while nothing changes."""

BETWEEN = 60.0
"""Seconds between two rounds at least, whatever changes."""

AFTER_START = 20.0
"""Seconds a box has after its start to get its certificate, before the first round."""

_LONGEST = 120.0
_MOST = 24  # what a report can hold

log = Log("box.diagnosis")


class Rounds:
    """Makes the rounds, one at a time, and keeps what the last one found."""

    def __init__(
        self,
        diagnose: Callable[[], Awaitable[Sequence[Finding]]],
        *,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        news: Callable[[], None],
    ) -> None:
        """Make rounds by ``diagnose``; ``news`` is called when a check ended in another way than the last time."""
        self._diagnose, self._now, self._monotonic, self._news = diagnose, now, monotonic, news
        self._round: asyncio.Task[None] | None = None
        self._seen: object = None
        self._not_before = monotonic() + AFTER_START
        self._began: float | None = None
        self.last: ReportedDiagnosis | None = None

    def look_in(self, facts: BoxFacts) -> None:
        """Begin a round if one is due."""
        if facts.server is None or facts.enrolment is None or self._is_under_way():
            return
        seen, now = _what_matters(facts), self._monotonic()
        if now < self._not_before:
            return
        since = EVERY if self._began is None else now - self._began
        if since >= EVERY or (seen != self._seen and since >= BETWEEN):
            self._seen, self._began = seen, now
            self._round = asyncio.create_task(self._make())

    def take(self, findings: Sequence[Finding]) -> None:
        """Take what a diagnosis found, whoever asked for it."""
        before = self.last
        self.last = ReportedDiagnosis(at=to_text(self._now()), checks=[_reported(one) for one in findings][:_MOST])
        if before is None or before.checks != self.last.checks:
            self._news()

    async def end(self) -> None:
        """Break off the round that is under way."""
        if self._round is not None:
            self._round.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._round

    def _is_under_way(self) -> bool:
        return self._round is not None and not self._round.done()

    async def _make(self) -> None:
        try:
            async with asyncio.timeout(_LONGEST):
                self.take(await self._diagnose())
        except Exception:
            log.exception("a round of the doctor broke off")


def _what_matters(facts: BoxFacts) -> object:
    usable = facts.stored.usable
    return (
        facts.addresses,
        facts.server,
        facts.enrolment,
        usable and usable.facts.fingerprint,
        facts.stored.damage,
        facts.clock_is_wrong,
    )


def _reported(finding: Finding) -> ReportedCheck:
    return ReportedCheck(check=finding.check, verdict=CheckVerdict(finding.verdict.value), because=str(finding.because))
