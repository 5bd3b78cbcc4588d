"""The box stays as it is: memory over 10^5 requests, TLS without tickets, and no file descriptor left for visitors.

The real agent is asked over kept connections and new ones, with HTTP and HTTPS; what it holds after the first tenth is
compared with what it holds at the end. Then it may open hardly a file more, while strangers keep what there is: the
homepage is served all the same, and afterwards as ever. Each control is a server that does not take care.

    python -m faults.endurance --requests 10000
"""

import argparse
import contextlib
import http.client
import os
import resource
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from faults._load import KINDS, Target
from faults._process import by_http, end, free_port, resident, started, within
from faults._servers import Agent
from faults._table import Row, print_table

REQUESTS = 100_000
HANDSHAKES = 10_000
GROWTH = 2.0  # MiB
_ON_ONE_CONNECTION = 100
_PATHS = ("/status.json", "/style.css", "/status.json", "/", "/favicon.svg", "/qr.svg", "/nothing", "/cogs")
_STRANGERS = 60
_VISITS = 40
_WITHIN = 2.0  # seconds, I-1

_KEEPING = """
import sys, uvicorn
kept = []
async def app(scope, receive, send):
    kept.append(bytes(4000))
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body"})
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), http="h11", ws="none", lifespan="off", log_level="critical",
            timeout_keep_alive=60)
"""


def rows(requests: int = REQUESTS, handshakes: int = HANDSHAKES) -> list[Row]:
    """Give the table."""
    with tempfile.TemporaryDirectory() as made:
        agent = Agent(Path(made))
        try:
            found = [
                _requests(agent, requests),
                _handshakes(agent, handshakes),
                _scarce("no descriptors left: the homepage within 2 s", agent.pid, agent.http, agent.http),
                _afterwards(agent),
            ]
        finally:
            agent.stop()
    return [*found, *_controls(min(requests, 20_000))]


def _requests(agent: Agent, requests: int) -> Row:
    ask(agent.http, requests // 10, agent.target)
    before, began = resident(agent.pid), time.monotonic()
    ask(agent.http, requests - requests // 10, agent.target)
    return _grown(f"{requests} requests", before, resident(agent.pid), requests, time.monotonic() - began)


def _handshakes(agent: Agent, handshakes: int) -> Row:
    """Shake hands as old programs do, for which a server without care keeps every session in its memory."""
    context = agent.target.context(KINDS[0])
    context.options |= ssl.OP_NO_TICKET
    before, began = resident(agent.pid), time.monotonic()
    for _ in range(handshakes):
        with agent.target.connection(KINDS[0], context):
            pass
    seconds = time.monotonic() - began
    return _grown(
        f"{handshakes} handshakes of TLS 1.2 without tickets", before, resident(agent.pid), handshakes, seconds
    )


def _grown(case: str, before: float, after: float, states: int, seconds: float, *, is_control: bool = False) -> Row:
    found = f"{before:.1f} MiB, then {after:.1f} MiB; {states / seconds:.0f} a second"
    broken = int(after - before > GROWTH)
    return Row(case=f"{case}: memory flat", states=states, broken=broken, is_control=is_control, found=found)


def ask(port: int, requests: int, target: Target | None = None) -> None:
    """Ask for pages, a hundred on each connection, every tenth connection over HTTPS. Raises OSError."""
    for number in range(max(1, requests // _ON_ONE_CONNECTION)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        host = f"127.0.0.1:{port}"
        with contextlib.closing(connection):
            if target is not None and number % 10 == 9:
                kind = KINDS[number // 10 % len(KINDS)]
                tcp = socket.create_connection(("127.0.0.1", target.port), timeout=10)
                name = target.name if kind.with_name else None
                connection.sock = target.context(kind).wrap_socket(tcp, server_hostname=name)
                host = f"{target.name}:{target.port}"
            for index in range(_ON_ONE_CONNECTION):
                connection.request("GET", _PATHS[index % len(_PATHS)], headers={"Host": host})
                answer = connection.getresponse()
                answer.read()
                if answer.status not in (200, 404):
                    raise ConnectionError(f"status {answer.status}")


def _scarce(case: str, pid: int, port: int, strangers_at: int, *, is_control: bool = False) -> Row:
    """Visit while the process may open no file more and strangers hold connections without a word."""
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{pid}/fd"))
    slowest, failures = 0.0, 0
    with contextlib.ExitStack() as strangers:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + 8, before[1]))
        try:
            for _ in range(_STRANGERS):
                strangers.enter_context(socket.create_connection(("127.0.0.1", strangers_at), timeout=5))
            for _ in range(_VISITS):
                taken = within(_WITHIN, lambda: by_http(port, "/") == 200)
                failures, slowest = failures + (taken is None), max(slowest, taken or 0.0)
                if is_control and failures:
                    break
        finally:
            resource.prlimit(pid, resource.RLIMIT_NOFILE, before)
    found = f"{_STRANGERS} strangers, {used + 8} descriptors, slowest {slowest * 1000:.0f} ms"
    return Row(case=case, states=_VISITS, broken=failures, is_control=is_control, found=found)


def _afterwards(agent: Agent) -> Row:
    renewed = agent.renew(set())
    taken = within(_WITHIN, lambda: agent.target.shown() == renewed)
    found = "not served" if taken is None else f"after {taken * 1000:.0f} ms"
    return Row(case="afterwards a new certificate is served", states=1, broken=int(taken is None), found=found)


def _controls(requests: int) -> list[Row]:
    port = free_port()
    process = started([sys.executable, "-c", _KEEPING, str(port)], lambda: by_http(port, "/") == 200)
    try:
        before, began = resident(process.pid), time.monotonic()
        ask(port, requests)
        after, seconds = resident(process.pid), time.monotonic() - began
        return [
            _grown("control: a server that keeps something of each", before, after, requests, seconds, is_control=True),
            _scarce("control: a server that waits for descriptors", process.pid, port, port, is_control=True),
        ]
    finally:
        end(process)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for other numbers."""
    parser = argparse.ArgumentParser(description="memory and descriptors over many requests")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    parser.add_argument("--handshakes", type=int, default=HANDSHAKES)
    asked = parser.parse_args(arguments)
    found = rows(asked.requests, asked.handshakes)
    print_table(found)
    return int(not all(row.is_kept for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
