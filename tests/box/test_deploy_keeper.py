"""The keeper beside a running agent: each new certificate is handed over, once, in the background, and remembered."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from faults.handover import Box
from tests.box.given import a_box
from tests.peers.authority import make_root, make_server, server_file
from tests.peers.https import HttpsPeer

from lancert.box.deploy import plan
from lancert.box.deploy.keeper import Keeper
from lancert.box.deploy.material import Material
from lancert.box.deploy.outcome import Outcome, Why
from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.telling import told_without_agent
from lancert.box.diagnosis import hand_over
from lancert.box.diagnosis.result import Verdict
from lancert.box.facts import BoxFacts
from lancert.box.folder import Folder
from lancert.box.status import status_document
from lancert.kit.clock import SettableClock

START = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    """A box with a store."""
    return Box(tmp_path)


class Kept:
    """A keeper that runs in a test, with a clock that is set."""

    def __init__(self, box: Box, tables: list[dict[str, Any]]) -> None:
        self.clock = SettableClock(START)
        self.folder = Folder(box.folder)
        targets, complaints = parse_targets(tables, is_posix=True)
        self.keeper = Keeper(self.folder, box.store, targets, complaints, now=self.clock.now, chance=lambda: 0.0)

    async def until(self, holds: Callable[[], object]) -> None:
        """Run the keeper until something holds."""
        running = asyncio.create_task(self.keeper.run())
        try:
            async with asyncio.timeout(60):
                while not holds():
                    self.keeper.installed()
                    await asyncio.sleep(0.01)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    async def turn_often(self) -> None:
        """Run it for as many turns as it takes to see whether it does something twice."""
        turns = iter(range(20))
        await self.until(lambda: next(turns, None) is None)

    def outcome(self) -> Outcome | None:
        """Give how the first target fared."""
        found = self.keeper.handed_over()
        return found[0].outcome if found else None


def _counting(tmp_path: Path, **more: Any) -> dict[str, Any]:
    """Give a target whose reload adds a line to a file."""
    add = ["/bin/sh", "-c", f"echo reloaded >> {tmp_path}/count"]
    return {"name": "app", "combined": f"{tmp_path}/tls/all.pem", "reload": add, **more}


def _count(tmp_path: Path) -> int:
    file = tmp_path / "count"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_each_certificate_is_handed_over_once(box: Box, tmp_path: Path) -> None:
    """M2: at the start and with each renewal; a start that finds everything right does nothing and writes nothing."""
    first = box.renew()
    kept = Kept(box, [_counting(tmp_path)])
    asyncio.run(kept.until(lambda: kept.outcome() is Outcome.DONE))
    stamp = kept.folder.hand_over_stamp()

    again = Kept(box, [_counting(tmp_path)])
    asyncio.run(again.turn_often())
    assert (_count(tmp_path), kept.folder.hand_over_stamp()) == (1, stamp)

    second = box.renew()
    asyncio.run(again.until(lambda: again.keeper.handed_over()[0].fingerprint == second.fingerprint))
    assert first.fingerprint != second.fingerprint
    assert _count(tmp_path) == 2
    assert (tmp_path / "tls" / "all.pem").read_bytes().startswith(second.chain[0])


def test_a_failure_waits_before_it_is_tried_again(box: Box, tmp_path: Path) -> None:
    """No hot loop: one try, and the next when its time has come."""
    box.renew()
    failing = ["/bin/sh", "-c", f"echo reloaded >> {tmp_path}/count; echo it is broken; exit 1"]
    kept = Kept(box, [_counting(tmp_path, reload=failing)])
    asyncio.run(kept.until(lambda: kept.outcome() is Outcome.KEPT))
    asyncio.run(kept.turn_often())
    tried = _count(tmp_path)
    kept.clock.forward(timedelta(minutes=1))
    asyncio.run(kept.until(lambda: kept.keeper.handed_over()[0].failures == 2))

    assert (tried, _count(tmp_path)) == (1, 2)
    (handed,) = kept.keeper.handed_over()
    assert handed.failure is not None
    assert (handed.failure.why, handed.failure.said) == (Why.COMMAND_FAILED, "it is broken")


def test_one_target_that_hangs_does_not_cost_the_others(box: Box, tmp_path: Path) -> None:
    """The others are supplied after it, and a stop in the middle of it takes no time."""
    box.renew()
    slow = {"name": "slow", "key": f"{tmp_path}/slow/key.pem", "reload": ["/bin/sleep", "60"], "timeout": 1}
    kept = Kept(box, [slow, _counting(tmp_path)])
    asyncio.run(kept.until(lambda: len(kept.keeper.handed_over()) == 2))

    assert [(one.target, one.outcome) for one in kept.keeper.handed_over()] == [
        ("slow", Outcome.KEPT),
        ("app", Outcome.DONE),
    ]


def test_an_interrupted_hand_over_is_finished_by_the_next_start(box: Box, tmp_path: Path) -> None:
    """Stopped while a program reloads, nothing is remembered, and the next start sees to it."""
    box.renew()
    slow = _counting(tmp_path, reload=["/bin/sleep", "60"], timeout=90)
    kept = Kept(box, [slow])
    asyncio.run(kept.until((tmp_path / "tls" / "all.pem").exists))
    assert kept.folder.hand_over() is None

    again = Kept(box, [_counting(tmp_path)])
    asyncio.run(again.until(lambda: again.outcome() is Outcome.DONE))
    assert _count(tmp_path) == 1


def test_what_cannot_be_written_is_told_and_harms_nobody(box: Box, tmp_path: Path) -> None:
    """A folder that is not there ends in a sentence that names it."""
    box.renew()
    kept = Kept(box, [{"name": "app", "key": f"{tmp_path}/no/such/key.pem"}])
    asyncio.run(kept.until(lambda: kept.outcome() is not None))
    (handed,) = kept.keeper.handed_over()

    assert handed.outcome is Outcome.UNTOUCHED
    assert f"{tmp_path}/no" in handed.words(str)


def test_everywhere_the_same_is_told(box: Box, tmp_path: Path) -> None:
    """Homepage, status document and doctor name the target, what it printed and what to do; no key is in any of it."""
    material = box.renew()
    failing = ["/bin/sh", "-c", f"cat {tmp_path}/tls/all.pem; echo cannot bind; exit 1"]
    tables = [_counting(tmp_path, reload=failing), {"name": "other", "combined": "all.pem"}]
    kept = Kept(box, tables)
    asyncio.run(kept.until(lambda: kept.outcome() is Outcome.KEPT))

    facts = a_box(notices=kept.keeper.notices(), handed_over=kept.keeper.handed_over())
    document = status_document(facts, START, str)
    finding = asyncio.run(hand_over.check(facts))
    written = json.dumps(document) + finding.words(str) + (box.folder / "hand-over.json").read_text()

    assert [notice["id"] for notice in document["notices"]] == ["deploy-setting", "hand-over"]
    assert document["hand_over"][0]["why"] == "command-failed"
    assert finding.verdict is Verdict.WRONG
    assert all("cannot bind" in text for text in (json.dumps(document["notices"]), finding.words(str)))
    secret = material.key.decode().splitlines()[1]
    assert secret not in written
    assert told_without_agent(tables, kept.folder.hand_over()) == (kept.keeper.handed_over(), kept.keeper.notices())


def test_no_target_is_fine(box: Box) -> None:
    """Most boxes have nobody to hand anything to."""
    assert asyncio.run(hand_over.check(a_box())).verdict is Verdict.FINE


@pytest.mark.parametrize("shows", ["the certificate", "another one", "nothing"])
def test_the_doctor_looks_at_what_is_served(shows: str, box: Box, tmp_path: Path, free_port: Callable[[], int]) -> None:
    """What was right when it was handed over may be wrong today."""
    material = box.renew()
    file = tmp_path / "served.pem"
    if shows == "the certificate":
        file.write_bytes(material.key + b"".join(material.chain))
    else:
        server_file(file, make_server(make_root(), ["localhost"]))
    with HttpsPeer(file) as peer:
        port = free_port() if shows == "nothing" else peer.port
        finding = asyncio.run(hand_over.check(_facts_of_a_served(box, material, port, tmp_path)))

    assert finding.verdict is (Verdict.FINE if shows == "the certificate" else Verdict.WRONG)
    expected = {"the certificate": "These have", "another one": "shows another", "nothing": "does not answer"}
    assert expected[shows] in finding.words(str)


def _facts_of_a_served(box: Box, material: Material, port: int, tmp_path: Path) -> BoxFacts:
    table = {"name": "app", "key": f"{tmp_path}/tls/key.pem", "verify": f"127.0.0.1:{port}"}
    ((target,), _) = parse_targets([table], is_posix=True)
    handed = plan.record(target, material, (Outcome.DONE, None), None, START, lambda: 0.0)
    return a_box(handed_over=(handed,), stored=box.store.newest().installed)
