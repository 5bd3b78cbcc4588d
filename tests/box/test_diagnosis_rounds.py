"""The doctor's rounds: when one is made, and what is told of it."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path

from tests.box.conftest import Authority
from tests.box.given import NOW, a_box, installed
from tests.peers.https import HttpsPeer, Reply, Request

from lancert.box.diagnosis.result import Finding, Verdict
from lancert.box.diagnosis.rounds import AFTER_START, BETWEEN, EVERY, Rounds
from lancert.box.facts import BoxFacts, Server
from lancert.box.folder import Folder
from lancert.box.reports import Reports
from lancert.box.requests import SignedRequests
from lancert.box.time import Timekeeper
from lancert.kit.clock import SystemClock
from lancert.protocol.messages import ReportAnswer, ReportedDiagnosis, encode

CONNECTED = a_box(stored=installed())
MOVED = a_box(stored=installed(), addresses=(ip_address("10.0.0.7"),))


def finding(because: str = "", *, check: str = "name-resolves") -> Finding:
    verdict = Verdict.WRONG if because else Verdict.FINE
    return Finding(check=check, title="", verdict=verdict, sentence="", because=because)


class Ward:
    """A box whose time and ills are set by hand."""

    def __init__(self) -> None:
        self.time, self.made, self.news = 0.0, 0, 0
        self.found: Sequence[Finding] = (finding(),)
        self.rounds = Rounds(self._diagnose, now=self._now, monotonic=lambda: self.time, news=self._heard)

    async def _diagnose(self) -> Sequence[Finding]:
        self.made += 1
        if not self.found:
            raise RuntimeError("nothing to find")
        return self.found

    def _now(self) -> datetime:
        return NOW

    def _heard(self) -> None:
        self.news += 1

    async def at(self, time: float, facts: BoxFacts = CONNECTED) -> int:
        """Look in at a time, wait for a round that began, and say how many were made so far."""
        self.time = time
        self.rounds.look_in(facts)
        for _ in range(5):
            await asyncio.sleep(0)
        return self.made


def test_a_round_is_made_after_the_start_after_a_change_and_every_six_hours() -> None:
    """An idle box is left alone; one that moves about is looked at once a minute at most."""

    async def live() -> list[int]:
        ward = Ward()
        first = AFTER_START
        return [
            await ward.at(0.0),
            await ward.at(first),
            await ward.at(first + 1, MOVED),
            await ward.at(first + BETWEEN, MOVED),
            await ward.at(first + BETWEEN + EVERY - 1, MOVED),
            await ward.at(first + BETWEEN + EVERY, MOVED),
        ]

    assert asyncio.run(live()) == [0, 1, 1, 2, 2, 3]


def test_no_round_without_anybody_to_tell() -> None:
    """A box that is not connected has nobody who would want to know."""

    async def live() -> int:
        ward = Ward()
        await ward.at(AFTER_START, a_box(server=None))
        return await ward.at(AFTER_START, a_box(enrolment=None))

    assert asyncio.run(live()) == 0


def test_what_changed_is_news_and_the_same_again_is_not() -> None:
    """The service is told soon when a check ends in another way, and with the next report otherwise."""
    ward = Ward()
    heard = []
    for found in ((finding(),), (finding(),), (finding("filtered"),), (finding("dns-down"),), (finding("dns-down"),)):
        ward.rounds.take(found)
        heard.append(ward.news)

    assert heard == [1, 1, 2, 3, 3]
    assert ward.rounds.last is not None
    assert [(one.check, one.verdict, one.because) for one in ward.rounds.last.checks] == [
        ("name-resolves", "wrong", "dns-down")
    ]


def test_a_round_that_breaks_off_is_made_again_and_takes_nothing_away() -> None:
    """What was found before stays known."""

    async def live() -> tuple[int, bool]:
        ward = Ward()
        await ward.at(AFTER_START)
        before, ward.found = ward.rounds.last, ()
        await ward.at(AFTER_START + EVERY)
        made = await ward.at(AFTER_START + 2 * EVERY)
        return made, ward.rounds.last is before

    assert asyncio.run(live()) == (3, True)


def test_a_service_that_does_not_know_the_diagnosis_is_told_the_rest(
    peer: HttpsPeer, server: Server, authority: Authority, tmp_path: Path
) -> None:
    """An older service refuses a field it does not know; the box goes on reporting without it."""
    told: list[bool] = []

    def answer(request: Request) -> Reply:
        told.append("diagnosis" in json.loads(request.body))
        if told[-1]:
            return Reply(status=400, body=b"{}")
        return Reply(body=encode(ReportAnswer(commands=[], next_report=3600)))

    async def report() -> None:
        folder, time = Folder(tmp_path / "box"), Timekeeper(SystemClock())
        folder.connect(server, [authority.root.certificate])
        reports = Reports(SignedRequests(folder, SystemClock(), time), time)
        for _ in range(3):
            reports.soon()
            await reports.send_when_due(a_box(server=server), ReportedDiagnosis(at="2026-11-20T09:30:00Z", checks=[]))

    peer.answer = answer
    asyncio.run(report())

    assert told == [True, False, False]
