"""Which addresses a box reports, and how soon after it was moved."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.box.given import ENROLMENT, a_box
from tests.peers.https import HttpsPeer, Reply, Request, Reset

from lancert.box.facts import BoxFacts, Server
from lancert.box.folder import Folder
from lancert.box.reports import Reports
from lancert.box.requests import SignedRequests
from lancert.box.time import Timekeeper
from lancert.kit.clock import SettableClock
from lancert.protocol.messages import ReportAnswer, ZoneOption, encode

GOOD = Reply(body=encode(ReportAnswer(commands=[], next_report=3600)))
ADDRESSES = ("192.168.1.5", "100.64.0.9", "169.254.7.7", "8.8.8.8")


class Setting:
    """Reports over a real connection to a peer, on a clock that is moved."""

    def __init__(self, folder: Path, authority: Authority, peer: HttpsPeer) -> None:
        self.server = Server(url=f"https://service.localhost:{peer.port}")
        made = Folder(folder)
        made.connect(self.server, [authority.root.certificate])
        self.clock = SettableClock(datetime(2026, 11, 20, tzinfo=UTC))
        time = Timekeeper(self.clock, [])
        self.reports = Reports(SignedRequests(made, self.clock, time), time)
        self._peer = peer

    def facts(self, *options: ZoneOption) -> BoxFacts:
        """Give a box with an address of every kind."""
        enrolment = replace(ENROLMENT, also_answered=options)
        return a_box(server=self.server, enrolment=enrolment, addresses=tuple(map(ip_address, ADDRESSES)))

    def told(self) -> list[list[str]]:
        """Give the addresses of each report that came."""
        return [json.loads(request.body)["addresses"] for request in self._peer.requests]


@pytest.fixture
def setting(tmp_path: Path, authority: Authority, peer: HttpsPeer) -> Setting:
    """A box that can report."""
    return Setting(tmp_path / "box", authority, peer)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), ["192.168.1.5"]),
        ((ZoneOption.SHARED,), ["192.168.1.5", "100.64.0.9"]),
        ((ZoneOption.LINK_LOCAL,), ["192.168.1.5", "169.254.7.7"]),
    ],
)
async def test_only_addresses_that_the_zone_answers_are_reported(
    setting: Setting, peer: HttpsPeer, options: tuple[ZoneOption, ...], expected: list[str]
) -> None:
    """F-63: the service refuses a report with any other, so a box never sends one."""
    peer.always(GOOD)
    await setting.reports.send_when_due(setting.facts(*options))

    assert setting.told() == [expected]


@pytest.mark.anyio
async def test_a_zone_that_answers_less_than_it_did_is_noticed(setting: Setting, peer: HttpsPeer) -> None:
    """The operator took an option back: after one refusal the box reports what every zone answers."""

    def judge(request: Request) -> Reply:
        is_fine = json.loads(request.body)["addresses"] == ["192.168.1.5"]
        return GOOD if is_fine else Reply(status=400, media_type="application/problem+json")

    peer.answer = judge
    for _ in range(3):
        setting.reports.soon()
        await setting.reports.send_when_due(setting.facts(ZoneOption.SHARED))

    assert setting.told() == [["192.168.1.5", "100.64.0.9"], ["192.168.1.5"], ["192.168.1.5"]]


@pytest.mark.anyio
async def test_after_a_move_a_report_that_does_not_arrive_is_followed_by_another_within_seconds(
    setting: Setting, peer: HttpsPeer
) -> None:
    """F-34: a new address comes before the way out that belongs to it; after five tries it is minutes again."""
    peer.always(GOOD)
    peer.before_tls = Reset()
    setting.reports.moved()
    waits = []
    for _ in range(7):
        await setting.reports.send_when_due(setting.facts())
        before = setting.clock.monotonic()
        while not setting.reports.are_due(setting.facts()):
            setting.clock.forward(timedelta(seconds=1))
        waits.append(setting.clock.monotonic() - before)

    assert waits == [1, 2, 4, 8, 15, 300, 300]
    assert peer.requests == []
