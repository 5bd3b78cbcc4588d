"""F-32: 500 connections are held half open at one byte a second, and everybody else is served as if they were not.

They ask for nothing, or for everything one byte at a time, on both ports, and come again when they are turned away:
once from the address the others come from too, once from 500 addresses. Meanwhile somebody opens the homepage over
HTTP and over HTTPS, each time by a new connection. The control is a server that counts connections and does no more.

    python -m faults.slow --connections 100 --seconds 5
"""

import argparse
import math
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from faults._load import KINDS, Target
from faults._process import by_http, end, free_port, largest, started
from faults._servers import Agent
from faults._table import Row, print_table
from lancert.kit.settings import environment_without_settings

CONNECTIONS = 500
SECONDS = 30.0
P99 = 0.5  # seconds
MEMORY = 64.0  # MiB
_BETWEEN = 0.02  # seconds from one visit to the next

_COUNTING = """
import sys, uvicorn
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="h11", ws="none", lifespan="off", log_level="critical",
            limit_concurrency=int(sys.argv[2]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visits:
    """How long the homepage took, for those who got it, and how many did not."""

    seconds: tuple[float, ...]
    failures: tuple[str, ...]

    @property
    def p99(self) -> float:
        """Give the time within which 99 of 100 were served; endless when more than one of 100 was not."""
        served = sorted(self.seconds) + [math.inf] * len(self.failures)
        return served[math.ceil(len(served) * 0.99) - 1]

    @property
    def text(self) -> str:
        """Say it in one line."""
        failed = f"{len(self.failures)} not served: {self.failures[0]}" if self.failures else ""
        if not self.seconds:
            return failed
        median, p99, slowest = (
            f"{seconds * 1000:.0f} ms" for seconds in (statistics.median(self.seconds), self.p99, max(self.seconds))
        )
        return ", ".join(part for part in (f"median {median}, p99 {p99}, slowest {slowest}", failed) if part)


def rows(connections: int = CONNECTIONS, seconds: float = SECONDS) -> list[Row]:
    """Give the table."""
    found = []
    with tempfile.TemporaryDirectory() as made:
        agent = Agent(Path(made))
        try:
            quiet = visited(both_doors(agent.http, agent.target), min(seconds, 3.0))
            found.append(
                Row(case="nobody else there", states=len(quiet.seconds), broken=0, is_compared=True, found=quiet.text)
            )
            for case, sources in (("from one address", 1), (f"from {connections} addresses", connections)):
                with slow_clients(agent.http, agent.target.port, connections, sources):
                    visits = visited(both_doors(agent.http, agent.target), seconds)
                found.append(_served(f"{connections} slow connections {case}: p99 <= 500 ms", visits))
            used, case = largest(agent.pid), "memory <= 64 MiB at its largest"
            found.append(Row(case=case, states=1, broken=int(used > MEMORY), found=f"{used:.1f} MiB"))
        finally:
            agent.stop()
    return [*found, _control(connections, min(seconds, 10.0))]


def _served(case: str, visits: Visits, *, is_control: bool = False) -> Row:
    states = len(visits.seconds) + len(visits.failures)
    slow = sum(taken > P99 for taken in visits.seconds) + len(visits.failures)
    broken = slow if visits.p99 > P99 else 0
    return Row(case=case, states=states, broken=broken, is_control=is_control, found=visits.text)


def _control(connections: int, seconds: float) -> Row:
    port = free_port()
    command = [sys.executable, "-c", _COUNTING, str(port), str(connections // 4)]
    process = started(command, lambda: by_http(port, "/") == 200)
    try:
        with slow_clients(port, port, connections, 1):
            visits = visited([lambda: by_http(port, "/")], seconds)
    finally:
        end(process)
    return _served("control: connections are counted only", visits, is_control=True)


@contextmanager
def slow_clients(http: int, https: int, connections: int, sources: int) -> Iterator[None]:
    """Hold so many connections half open, in a process of their own, until the block ends."""
    arguments = [str(number) for number in (http, https, connections, sources)]
    process = subprocess.Popen([sys.executable, "-m", "faults._slow", *arguments], env=environment_without_settings())
    try:
        time.sleep(1.5)  # for the first of them to have connected, and to have sent their second byte
        yield
    finally:
        end(process)


def visited(visits: Sequence[Callable[[], int]], seconds: float) -> Visits:
    """Visit in turn for so many seconds."""
    taken, failures, ends = [], [], time.monotonic() + seconds
    while time.monotonic() < ends:
        for visit in visits:
            began = time.monotonic()
            try:
                status = visit()
            except OSError as error:
                failures.append(f"{type(error).__name__}: {error}")
                continue
            if status == 200:
                taken.append(time.monotonic() - began)
            else:
                failures.append(f"status {status}")
        time.sleep(_BETWEEN)
    return Visits(seconds=tuple(taken), failures=tuple(failures))


def both_doors(port: int, target: Target) -> list[Callable[[], int]]:
    """Give the ways to visit: the homepage over HTTP, and a page over HTTPS, each by a new connection."""
    kind = KINDS[-2]
    context = target.context(kind)

    def by_https() -> int:
        with target.connection(kind, context) as connection:
            target.ask(connection, close=True)
        return 200

    return [lambda: by_http(port, "/"), by_https]


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for other numbers."""
    parser = argparse.ArgumentParser(description="slow clients")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    asked = parser.parse_args(arguments)
    found = rows(asked.connections, asked.seconds)
    print_table(found)
    return int(not all(row.is_kept for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
