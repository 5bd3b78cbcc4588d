"""The reports of a box: what it serves, where it is and what is wrong, once an hour and whenever that changes.

A report that does not arrive changes nothing on the box; the next one follows in minutes.
"""

from datetime import timedelta

from lancert import __version__
from lancert.box import plan
from lancert.box.client import Unreachable
from lancert.box.conversation import Ask
from lancert.box.facts import BoxFacts, Server
from lancert.box.requests import SignedRequests
from lancert.box.time import Timekeeper
from lancert.kit.clock import to_text
from lancert.kit.logs import Log
from lancert.protocol.messages import NotAMessage, ReportAnswer, ReportedCertificate, ReportRequest, decode, encode

_EVERY = timedelta(hours=1)
_AGAIN = timedelta(minutes=5)

log = Log("box.reports")


class Reports:
    """Knows when the next report is due, by the monotonic clock."""

    def __init__(self, requests: SignedRequests, time: Timekeeper) -> None:
        self._requests = requests
        self._time = time
        self._next: float | None = None

    def soon(self) -> None:
        """Report at the next occasion: something changed."""
        self._next = None

    def are_due(self, facts: BoxFacts) -> bool:
        """Say whether there is somebody to report to, and it is time."""
        if facts.server is None or facts.enrolment is None:
            return False
        return self._next is None or self._time.monotonic() >= self._next

    async def send_when_due(self, facts: BoxFacts) -> tuple[str, ...]:
        """Send a report if one is due, and give the commands that waited for this box."""
        if facts.server is None or not self.are_due(facts):
            return ()
        # Whatever becomes of this one, the next follows later.
        self._next = self._time.monotonic() + _AGAIN.total_seconds()
        try:
            wait, commands = await self._send(facts.server, facts)
        except (Unreachable, NotAMessage) as error:
            log.info("the report did not reach the server", detail=str(error))
            return ()
        self._next = self._time.monotonic() + wait.total_seconds()
        return commands

    async def _send(self, server: Server, facts: BoxFacts) -> tuple[timedelta, tuple[str, ...]]:
        usable = facts.stored.usable
        request = ReportRequest(
            counter=self._requests.next_counter(),
            version=__version__,
            addresses=[str(address) for address in facts.addresses][:16],
            certificate=None
            if usable is None
            else ReportedCertificate(serial=usable.facts.serial, not_after=to_text(usable.facts.not_after)),
            problems=[problem.code for problem in plan.problems_of(facts, self._time.now())],
        )
        ask = Ask(path="/api/v1/reports", body=encode(request))
        answered = await self._requests.send(self._requests.client(server), server, ask)
        if answered.status != 200:
            log.info("the report was not taken", status=answered.status)
            return _AGAIN, ()
        answer = decode(ReportAnswer, answered.body, ignore_unknown=True)
        return min(timedelta(seconds=answer.next_report), _EVERY), tuple(answer.commands)
