"""The reports of a box: what it serves, where it is and what is wrong, once an hour and whenever that changes.

A report that does not arrive changes nothing on the box; the next one follows in minutes. What became of it is logged
when it changes and not each time.
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
from lancert.protocol.messages import (
    NotAMessage,
    ReportAnswer,
    ReportedCertificate,
    ReportedDiagnosis,
    ReportRequest,
    decode,
    encode,
)
from lancert.protocol.names import ranges_for_zone

_EVERY = timedelta(hours=1)
_AGAIN = timedelta(minutes=5)
_REMIND = timedelta(days=1)
# Seconds between the tries after a move to another network, where an address comes before all that goes with it.
_AFTER_A_MOVE = (1.0, 2.0, 4.0, 8.0, 15.0)

log = Log("box.reports")


class Reports:
    """Knows when the next report is due, by the monotonic clock."""

    def __init__(self, requests: SignedRequests, time: Timekeeper) -> None:
        self._requests = requests
        self._time = time
        self._next: float | None = None
        self._only_usual = False
        self._quick: tuple[float, ...] = ()
        self._trouble: tuple[object, ...] = ()
        self._told_at = 0.0

    def soon(self) -> None:
        """Report at the next occasion: something changed."""
        self._next = None

    def moved(self) -> None:
        """Report at the next occasion, and again soon when that does not arrive: the addresses changed."""
        self._next, self._quick = None, _AFTER_A_MOVE

    def are_due(self, facts: BoxFacts) -> bool:
        """Say whether there is somebody to report to, and it is time."""
        if facts.server is None or facts.enrolment is None:
            return False
        return self._next is None or self._time.monotonic() >= self._next

    async def send_when_due(self, facts: BoxFacts, diagnosis: ReportedDiagnosis | None = None) -> tuple[str, ...]:
        """Send a report if one is due, with what the doctor found last; give the commands that waited for this box."""
        if facts.server is None or not self.are_due(facts):
            return ()
        # Whatever becomes of this one, the next follows later.
        self._next = self._time.monotonic() + _AGAIN.total_seconds()
        try:
            wait, commands = await self._send(facts.server, facts, diagnosis)
        except Unreachable as error:
            self._tell("reports do not reach the server", cause=error.cause, hop=error.hop, detail=str(error))
            if self._quick and self._next is not None:
                self._next = self._time.monotonic() + self._quick[0]
                self._quick = self._quick[1:]
            return ()
        except NotAMessage as error:
            self._tell("the answer to reports cannot be read", detail=str(error))
            return ()
        except OSError as error:
            self._tell("reports cannot be made, because the disk refuses what belongs to them", detail=str(error))
            return ()
        self._next, self._quick = self._time.monotonic() + wait.total_seconds(), ()
        return commands

    async def _send(
        self, server: Server, facts: BoxFacts, diagnosis: ReportedDiagnosis | None
    ) -> tuple[timedelta, tuple[str, ...]]:
        usable = facts.stored.usable
        request = ReportRequest(
            counter=self._requests.next_counter(),
            version=__version__,
            addresses=self._told(facts),
            certificate=None
            if usable is None
            else ReportedCertificate(serial=usable.facts.serial, not_after=to_text(usable.facts.not_after)),
            problems=[problem.code for problem in plan.problems_of(facts, self._time.now())],
            # A service that is older than this refuses the field, and would never hear from the box again.
            diagnosis=None if self._only_usual else diagnosis,
        )
        ask = Ask(path="/api/v1/reports", body=encode(request))
        answered = await self._requests.send(self._requests.client(server), server, ask)
        # The zone may answer less than it did when the box was told: then the report without that is the better one.
        self._only_usual = self._only_usual or answered.status == 400
        if answered.status != 200:
            self._tell("reports are not taken", status=answered.status)
            return _AGAIN, ()
        answer = decode(ReportAnswer, answered.body, ignore_unknown=True)
        if self._trouble:
            self._trouble = ()
            log.info("reports reach the server again")
        return min(timedelta(seconds=answer.next_report), _EVERY), tuple(answer.commands)

    def _tell(self, event: str, *, detail: str = "", **what: object) -> None:
        """Log a trouble when it begins or changes, then once a day: a card wears with each line (F-13)."""
        trouble, now = (event, *what.values()), self._time.monotonic()
        if trouble == self._trouble and now - self._told_at < _REMIND.total_seconds():
            return
        self._trouble, self._told_at = trouble, now
        log.info(event, **what, **({"detail": detail} if detail else {}))

    def _told(self, facts: BoxFacts) -> list[str]:
        """Give the addresses that have a name in the zone; a report with another one is refused."""
        assert facts.enrolment is not None
        usual = ranges_for_zone(facts.enrolment.zone)
        ranges = usual if self._only_usual else facts.enrolment.ranges
        return [str(address) for address in facts.addresses if ranges.allow(address)][:16]
