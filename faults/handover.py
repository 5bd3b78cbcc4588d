"""Hand-over: nginx and HAProxy are given certificate after certificate under load, some of them with a spoilt setting.

Strict clients open connections without a pause while it happens. A handshake that fails, a hand-over that does not end
as it should, and a certificate that nobody ever saw served are each counted as broken. The control reloads by stopping
and starting, which clients must notice.
"""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.peers.authority import TODAY, key_pem, make_issuing, make_leaf, make_root, new_key, pem
from tests.peers.handshakes import Seen, under_load
from tests.peers.web_servers import Haproxy, Nginx, WebServer

from faults._table import NotPossibleHere, Row, print_table
from lancert.box.deploy.handing import HandOver, hand_over
from lancert.box.deploy.material import Material, material_of
from lancert.box.deploy.outcome import Failure, Outcome
from lancert.box.deploy.reading import parse_targets
from lancert.box.deploy.targets import Target
from lancert.box.store import CertificateStore
from lancert.kit.logs import write_logs

NAMES = ("*.k3v7q2m4x5a6b7c2.lancert.localhost", "k3v7q2m4x5a6b7c2.lancert.localhost")
ROUNDS = 40
HANDSHAKES = 300
"""How many at least between two hand-overs, in the full size."""

_PATIENCE = 8.0  # seconds until a program that does not show the certificate counts as one that will not
_EVERY = 5  # one hand-over of so many meets a spoilt setting
_WINDOW = {"renewal_start": TODAY, "renewal_end": TODAY + timedelta(days=1)}


class Box:
    """A store that is given certificates by an authority of its own, without a service."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        root = make_root()
        self._issuing = make_issuing(root)
        self.folder = folder / "box"
        self.root = folder / "root.pem"
        self.root.write_bytes(pem(root.certificate))
        self.store = CertificateStore(self.folder / "certificates")

    def renew(self) -> Material:
        """Install the next certificate and give what is handed over."""
        key = self.store.pending_key()
        chain = (make_leaf(self._issuing, NAMES, key.public_key()), self._issuing.certificate)
        return material_of(self.store.install(key, chain, **_WINDOW))

    def latest(self) -> Material:
        """Give what was handed over last."""
        return material_of(self.store.newest())

    def hand_over(self, target: Target, material: Material) -> Outcome:
        """Do it as the agent does."""
        return self.hand_over_saying(target, material)[0]

    def hand_over_saying(self, target: Target, material: Material) -> tuple[Outcome, Failure | None]:
        """Do it and give what failed too."""
        return hand_over(target, material, HandOver(own_folder=self.folder, now=datetime.now(UTC)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A real server with its target; each of ``spoilt`` is a configuration with which a reload must come to nothing."""

    server: WebServer
    target: Target
    right: str
    spoilt: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Exercised:
    """What came of all hand-overs to one program."""

    seen: Seen
    outcomes: list[Outcome] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def broken(self) -> int:
        """Give how much was not as it should be."""
        return len(self.seen.failed) + len(self.wrong)


def an_nginx(program: str, place: Path) -> Program:
    """Prepare nginx with a chain and a key in two files, reloaded by its own command."""
    tls = place / "tls"
    right = f"ssl_certificate {tls}/full-chain.pem; ssl_certificate_key {tls}/key.pem;"
    other = place / "other-key.pem"
    server = Nginx(program, place / "nginx", _free_port(), right)
    table = {
        "name": "nginx",
        "full_chain": f"{tls}/full-chain.pem",
        "key": f"{tls}/key.pem",
        "reload": server.reload_command,
        "verify": f"127.0.0.1:{server.port}",
        "timeout": _PATIENCE,
    }
    _write_other_key(other)
    wrong_key = f"ssl_certificate {tls}/full-chain.pem; ssl_certificate_key {other};"
    return Program(server=server, target=_target(table), right=right, spoilt=(f"{right} nonsense;", wrong_key))


def a_haproxy(program: str, place: Path) -> Program:
    """Prepare HAProxy with everything in one file, reloaded by a signal to its master."""
    tls = place / "tls"
    right = f"crt {tls}/combined.pem"
    server = Haproxy(program, place / "haproxy", _free_port(), right)
    table = {
        "name": "haproxy",
        "combined": f"{tls}/combined.pem",
        "reload_signal": "USR2",
        "pid_file": str(server.pid_file),
        "verify": f"127.0.0.1:{server.port}",
        "timeout": _PATIENCE,
    }
    missing = f"crt {tls}/there-is-no-such.pem"
    return Program(server=server, target=_target(table), right=right, spoilt=(f"{right} nonsense", missing))


def exercise(program: Program, box: Box, *, rounds: int, handshakes: int) -> Exercised:
    """Hand over again and again under load, and see that each ends as it should."""
    first = box.renew()
    assert box.hand_over(program.target, first) in (Outcome.KEPT, Outcome.DONE)  # the program does not run yet
    with program.server, under_load(program.server.port, NAMES[1], box.root) as seen:
        exercised = Exercised(seen=seen)
        served = [first]
        for number in range(1, rounds + 1):
            seen.until(seen.handshakes + handshakes)
            is_spoilt = number % _EVERY == 0
            if is_spoilt:
                program.server.configure(program.spoilt[number // _EVERY % len(program.spoilt)])
            material, began = box.renew(), time.monotonic()
            outcome = box.hand_over(program.target, material)
            exercised.slowest = max(exercised.slowest, time.monotonic() - began)
            exercised.outcomes.append(outcome)
            if outcome is not (Outcome.ROLLED_BACK if is_spoilt else Outcome.DONE):
                exercised.wrong.append(f"hand-over {number} ended {outcome}: {program.server.said()[-300:]}")
            if is_spoilt:
                program.server.configure(program.right)
            else:
                served.append(material)
        seen.until(seen.handshakes + handshakes)
    shown = {material.fingerprint for material in served}
    if set(seen.certificates) != shown:
        exercised.wrong.append(f"{len(shown)} certificates were handed over, {len(seen.certificates)} were served")
    return exercised


def stop_and_start(program: Program, box: Box, *, handshakes: int) -> Exercised:
    """Renew as some guides say, by stopping and starting: the control."""
    box.hand_over(program.target, box.renew())
    with under_load(program.server.port, NAMES[1], box.root) as seen:
        for _ in range(3):
            with program.server:
                seen.until(seen.handshakes + handshakes)
    return Exercised(seen=seen)


def rows() -> list[Row]:
    write_logs()
    with tempfile.TemporaryDirectory() as made:
        return [
            *_rows("nginx", an_nginx, Path(made)),
            *_rows("haproxy", a_haproxy, Path(made)),
        ]


def _rows(name: str, prepare: Callable[[str, Path], Program], place: Path) -> list[Row]:
    tool = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if tool is None:
        raise NotPossibleHere(f"there is no {name}: apt-get install {name}")
    done = exercise(prepare(tool, place / name), Box(place / f"{name}-box"), rounds=ROUNDS, handshakes=HANDSHAKES)
    counted = {outcome: done.outcomes.count(outcome) for outcome in dict.fromkeys(done.outcomes)}
    control = stop_and_start(prepare(tool, place / f"{name}-control"), Box(place / f"{name}-other"), handshakes=100)
    ends = ", ".join(f"{count} {outcome}" for outcome, count in counted.items())
    return [
        Row(
            case=f"{name}, handshakes during {ROUNDS} hand-overs",
            states=done.seen.handshakes,
            broken=done.broken,
            at_least=ROUNDS * HANDSHAKES,
            found=f"{ends}; slowest {done.slowest:.1f} s {'; '.join([*done.wrong, *done.seen.failed][:3])}".strip(),
        ),
        Row(
            case=f"{name}, stopped and started",
            states=control.seen.handshakes,
            broken=control.broken,
            is_control=True,
        ),
    ]


def _target(table: dict[str, object]) -> Target:
    (target,), complaints = parse_targets([table])
    assert not complaints, complaints
    return target


def _write_other_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(key_pem(new_key()))


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


if __name__ == "__main__":
    print_table(rows())
