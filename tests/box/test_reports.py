"""The reports of a box, and how little they wear the card it lives on."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.box.conftest import Authority
from tests.peers.https import HttpsPeer, Reply
from tests.peers.idle import LIMIT, idle

from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.protocol.messages import ReportAnswer, encode

GOOD = Reply(body=encode(ReportAnswer(commands=[], next_report=3600)))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """The folder of a box."""
    return Folder(tmp_path / "box")


def _events(folder: Folder) -> list[str]:
    return [json.loads(line)["event"] for line in folder.log_file.read_text().splitlines()]


@pytest.mark.anyio
async def test_a_day_without_a_service_wears_the_card_no_more_than_one_with_it(
    folder: Folder, free_port: Callable[[], int]
) -> None:
    """F-13: 288 reports that reach nobody are one line at the beginning and one a day."""
    nobody = Server(url=f"https://service.localhost:{free_port()}")
    folder.connect(nobody, [])
    written = await idle(folder, nobody, hours=48)

    assert written.reports == 2 * 288
    assert written.lines == 2
    assert written.on_the_card / 2 <= LIMIT
    assert _events(folder) == ["reports do not reach the server"] * 3


@pytest.mark.anyio
async def test_a_day_with_a_service_writes_once(folder: Folder, authority: Authority, peer: HttpsPeer) -> None:
    """F-13: 24 reports, and the time the service told kept once."""
    here = Server(url=f"https://service.localhost:{peer.port}")
    folder.connect(here, [authority.root.certificate])
    peer.always(GOOD)
    written = await idle(folder, here, hours=24)

    assert written.reports == 24
    assert (written.lines, written.replaced) == (0, 0)


@pytest.mark.anyio
async def test_a_trouble_is_logged_when_it_begins_changes_and_ends(
    folder: Folder, authority: Authority, peer: HttpsPeer
) -> None:
    """Whoever reads the log finds each beginning and each end once, with what the server said."""
    here = Server(url=f"https://service.localhost:{peer.port}")
    folder.connect(here, [authority.root.certificate])
    answers = (
        [Reply(status=503)] * 3 + [Reply(status=500)] * 2 + [Reply(body=b"{")] * 2 + [GOOD] * 2 + [Reply(status=503)]
    )
    peer.answer = lambda request: answers[min(len(peer.requests), len(answers)) - 1]
    await idle(folder, here, hours=3)

    assert _events(folder) == [
        "reports are not taken",
        "reports are not taken",
        "the answer to reports cannot be read",
        "reports reach the server again",
        "reports are not taken",
    ]
