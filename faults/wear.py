"""F-13: what an agent writes in an idle day, each write rounded up to whole pages of 4 KiB.

The real agent with a far renewal is watched with strace for a minute at real speed, after the writes of its start.
It looks around every two seconds and reports whenever the service asks it to; the service here asks every ten
seconds instead of every hour, so a day made of such minutes holds 8,640 reports instead of 24.
"""

import asyncio
import math
import re
import socket
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from tests.journeys.world import until
from tests.peers.authority import TODAY, make_issuing, make_leaf, make_root, make_server, server_file
from tests.peers.https import HttpsPeer, Reply
from tests.peers.idle import idle

from faults._disk import tool
from faults._table import Row
from lancert.box.facts import Enrolment, Server
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.kit.settings import environment_without_settings
from lancert.protocol.messages import ReportAnswer, encode
from lancert.protocol.names import DEMO_ZONE, Label, certificate_names

LIMIT = 64 * 1024  # bytes a day
WATCHED = 60.0  # seconds
A_DAY = 86_400 / WATCHED
PAGE = 4096
LABEL = Label("k3v7q2m4x5a6b7c2")

_WRITE = re.compile(r"\b(?:write|pwrite64|writev)\(\d+<([^>]*)>.*= (\d+)$")
_CHANGE = re.compile(r"\b(?:rename|renameat2?|unlink|unlinkat|mkdir|mkdirat|fsync)\(.*= 0$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written below the folder while it was watched."""

    writes: int
    pages: int
    changes: int
    reports: int


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        start, idly = _watch(Path(made))
    a_day = (idly.pages + idly.changes) * PAGE * A_DAY
    said = f"{a_day / 1024:.0f} KiB a day; {idly.writes} writes, {idly.changes} other changes, {idly.reports} reports"
    # Without reports, or where not even a start writes, nothing was watched.
    blind = idly.reports < 2 or start.writes == 0
    return [
        Row(case="idle, <= 64 KiB a day", states=1, broken=int(blind or a_day > LIMIT), found=said),
        _without_service(),
        Row(
            case="one start, with its first report",
            states=1,
            broken=0,
            is_compared=True,
            found=f"{start.pages * PAGE // 1024} KiB; {start.writes} writes, {start.changes} other changes",
        ),
    ]


def _without_service(days: int = 30) -> Row:
    with tempfile.TemporaryDirectory() as made, socket.create_server(("127.0.0.1", 0)) as door:
        nobody = Server(url=f"https://service.localhost:{door.getsockname()[1]}")
        door.close()
        folder = Folder(Path(made) / "box")
        folder.connect(nobody, [])
        written = asyncio.run(idle(folder, nobody, hours=24 * days))
    a_day = written.on_the_card / days
    said = f"{a_day / 1024:.0f} KiB a day, {written.bytes / days:.0f} bytes of log; {written.reports} reports"
    broken = int(written.reports < 200 * days or a_day > LIMIT)
    return Row(case="idle without a service, <= 64 KiB a day", states=1, broken=broken, found=said)


def _watch(place: Path) -> tuple[Written, Written]:
    root = make_root()
    issuing = make_issuing(root)
    file = server_file(place / "peer.pem", make_server(issuing, ["service.localhost"]), issuing.certificate)
    with HttpsPeer(file) as peer:
        peer.always(Reply(body=encode(ReportAnswer(commands=[], next_report=10))))
        folder = Folder(place / "box")
        folder.connect(Server(url=f"https://service.localhost:{peer.port}"), [root.certificate])
        folder.enrolled(Enrolment(box="box-1", label=LABEL, zone=DEMO_ZONE))
        store = CertificateStore(folder.certificates)
        key = store.pending_key()
        leaf = make_leaf(issuing, certificate_names(LABEL, DEMO_ZONE), key.public_key())
        far = TODAY + timedelta(days=30)
        store.install(key, (leaf, issuing.certificate), renewal_start=far, renewal_end=far)
        notes = place / "notes"
        agent = subprocess.Popen(
            [*_strace(notes), *_agent(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment_without_settings(),
        )
        try:
            until(lambda: folder.listening() is not None and peer.requests, "the first report")
            time.sleep(3)
            starting, reports = _read(notes, folder.path, 0, 0), len(peer.requests)
            seen = len(notes.read_text(errors="replace").splitlines())
            time.sleep(WATCHED)
            idle = _read(notes, folder.path, seen, len(peer.requests) - reports)
        finally:
            agent.terminate()
            agent.wait(20)
    return starting, idle


def _agent(folder: Folder) -> list[str]:
    return [
        *(sys.executable, "-m", "lancert", "box", "run", "--folder", str(folder.path), "--name", "till"),
        *("--listen", "127.0.0.1", "--address", "127.0.0.1", "--http-port", "0", "--https-port", "0"),
    ]


def _strace(notes: Path) -> list[str]:
    calls = "write,pwrite64,writev,rename,renameat,renameat2,unlink,unlinkat,mkdir,mkdirat,fsync"
    # -D: the agent is the child and strace its own, so that ending the child ends both.
    return [tool("strace"), "-D", "-f", "-y", "-s", "0", "-e", f"trace={calls}", "-o", str(notes)]


def _read(notes: Path, folder: Path, seen: int, reports: int) -> Written:
    lines = notes.read_text(errors="replace").splitlines()[seen:]
    sizes = [int(found[2]) for line in lines if (found := _WRITE.search(line)) and found[1].startswith(str(folder))]
    return Written(
        writes=len(sizes),
        pages=sum(math.ceil(size / PAGE) for size in sizes),
        changes=sum(1 for line in lines if _CHANGE.search(line)),
        reports=reports,
    )
