"""Days on which nothing has to be done: a box that only reports, on a clock that is moved, and what it writes.

The reports are the real ones, to a real server or to nobody; only the waiting is left out. Each line of the log counts
as a page of 4 KiB and each file that is replaced as two, with its directory: that is what a memory card sees (F-13).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.box.given import CREDENTIAL, ENROLMENT, a_box, installed

from lancert.box.facts import Server
from lancert.box.folder import Folder
from lancert.box.reports import Reports
from lancert.box.requests import SignedRequests
from lancert.box.time import Timekeeper
from lancert.kit.clock import SettableClock
from lancert.kit.logs import write_logs

PAGE = 4096
LIMIT = 64 * 1024
"""Bytes a day (F-13)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written, after the first report."""

    reports: int
    lines: int
    bytes: int
    replaced: int

    @property
    def on_the_card(self) -> int:
        """Give how many bytes of pages that is."""
        return (self.lines + 2 * self.replaced) * PAGE


async def idle(folder: Folder, server: Server, hours: int) -> Written:
    """Let hours pass in steps of five minutes; ``folder`` is connected to ``server`` and trusts it."""
    clock = SettableClock(datetime.now(UTC).replace(microsecond=0))
    time = Timekeeper(clock)
    requests = SignedRequests(folder, clock, time)
    reports = Reports(requests, time)
    stored = installed(not_before=clock.now() - timedelta(days=1), life=timedelta(days=365))
    facts = a_box(stored=stored, server=server, credential=CREDENTIAL, enrolment=ENROLMENT)
    write_logs(to_file=folder.log_file)
    try:
        await reports.send_when_due(facts)
        start = folder.log_file.read_bytes() if folder.log_file.exists() else b""
        seen, replaced, sent = _inodes(folder.path), 0, 0
        for _ in range(hours * 12):
            clock.forward(timedelta(minutes=5))
            sent += reports.are_due(facts)
            await reports.send_when_due(facts)
            now = _inodes(folder.path)
            replaced += len(now - seen)
            seen = now
        written = folder.log_file.read_bytes()[len(start) :] if folder.log_file.exists() else b""
    finally:
        write_logs()
    return Written(reports=sent, lines=written.count(b"\n"), bytes=len(written), replaced=replaced)


def _inodes(folder: Path) -> set[tuple[str, int]]:
    return {(path.name, path.stat().st_ino) for path in folder.iterdir() if path.is_file()}
