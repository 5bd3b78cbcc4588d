"""F-11: two agents start at once over one folder, 100 times: one orders, the other ends, and kill -9 blocks nobody.

Every round is a new box without a certificate, two real agents and the real service. When the certificate is there
the agent that won is killed with SIGKILL, and a third one is started over the folder it left.
"""

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.journeys.world import Box, Service, start_service, until

from faults._table import Row
from lancert.kit.settings import environment_without_settings

ROUNDS = 100
RECOVERY = 15.0  # seconds until the folder of a killed agent is served again


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What one round showed."""

    winners: int
    losers: int
    orders: int
    recovered: float


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        service = start_service(place / "service")
        try:
            seed = Box(place / "seed").connect(service.shop(quantity=ROUNDS))
            rounds = [_round(place / "box", seed.folder, service) for _ in range(ROUNDS)]
        finally:
            service.stop()
    slowest = max(one.recovered for one in rounds)
    return [
        Row(
            case="two starts at once: one runs, one ends",
            states=len(rounds),
            broken=sum((one.winners, one.losers) != (1, 1) for one in rounds),
            at_least=ROUNDS,
        ),
        Row(
            case="certificates ordered: one",
            states=len(rounds),
            broken=sum(one.orders != 1 for one in rounds),
            at_least=ROUNDS,
            found=f"{sum(one.orders for one in rounds)} orders in {len(rounds)} rounds",
        ),
        Row(
            case=f"served again after kill -9 within {RECOVERY:.0f} s",
            states=len(rounds),
            broken=sum(one.recovered > RECOVERY for one in rounds),
            at_least=ROUNDS,
            found=f"slowest {slowest:.2f} s",
        ),
    ]


def _round(folder: Path, seed: Path, service: Service) -> Round:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(seed, folder)
    before = _orders(service)
    agents = [_start(folder), _start(folder)]
    try:
        until(lambda: any(agent.poll() is not None for agent in agents), "one of the two to end")
        until(lambda: list((folder / "certificates").glob("current")), "the certificate")
        losers = [agent for agent in agents if agent.poll() is not None]
        winners = [agent for agent in agents if agent.poll() is None]
        ended_well = [agent for agent in losers if agent.returncode not in (0, -9)]
    finally:
        for agent in agents:
            agent.kill()
            agent.wait()
    (folder / "listening.json").unlink()
    began = time.monotonic()
    third = _start(folder)
    try:
        until(lambda: (folder / "listening.json").exists(), "the third agent")
        recovered = time.monotonic() - began
    finally:
        third.terminate()
        third.wait()
    orders = _orders(service) - before
    return Round(winners=len(winners), losers=len(ended_well), orders=orders, recovered=recovered)


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    command = [
        *(sys.executable, "-m", "lancert", "box", "run", "--folder", str(folder), "--name", "till"),
        *("--listen", "127.0.0.1", "--address", "127.0.0.1", "--http-port", "0", "--https-port", "0"),
    ]
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment_without_settings()
    )


def _orders(service: Service) -> int:
    """Count what the service meant to sign, signed or not."""
    file = service.folder / "service.sqlite"
    with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
        count: int = database.execute("select count(*) from issuances").fetchone()[0]
    database.close()
    return count
