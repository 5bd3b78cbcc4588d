"""The agent under a service manager: it says when it serves, lives and stops, and is silent when it does not serve."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from lancert.box.watchdog import give_signs_of_life, https_answers
from lancert.kit.service_manager import ServiceManager
from lancert.kit.settings import environment_without_settings

Peer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    """The socket of a manager."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as opened:
        opened.bind(str(tmp_path / "notify"))
        opened.settimeout(20)
        yield opened


@pytest.fixture
def agent(door: socket.socket, tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """An agent started by that manager, which wants a sign of life every second."""
    with _started(tmp_path) as process:
        yield process
        if process.poll() is None:
            process.kill()


def _started(tmp_path: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "lancert", "box", "run", "--folder", str(tmp_path / "box"), "--http-port", "0"]
    command += ["--https-port", "0", "--listen", "127.0.0.1", "--address", "127.0.0.1"]
    return subprocess.Popen(command, env=_managed(tmp_path), stdout=subprocess.DEVNULL)


def _managed(tmp_path: Path) -> dict[str, str]:
    environment = {
        **environment_without_settings(),
        "NOTIFY_SOCKET": str(tmp_path / "notify"),
        "WATCHDOG_USEC": "1000000",
    }
    environment.pop("WATCHDOG_PID", None)
    return environment


def _told(door: socket.socket) -> str:
    return door.recv(4096).decode()


def test_ready_is_told_when_the_homepage_is_served(door: socket.socket, agent: "subprocess.Popen[bytes]") -> None:
    """F-74: READY after both ports answer, signs of life from then on, STOPPING before an end in order."""
    first = _told(door)
    http, https = (int(word.strip(".")) for word in first.split() if word.strip(".").isdigit())
    with socket.create_connection(("127.0.0.1", http), timeout=20):
        served = asyncio.run(https_answers("127.0.0.1", https, 20))
    signs = [_told(door), _told(door)]
    agent.send_signal(signal.SIGTERM)
    last = _told(door)
    while last == "WATCHDOG=1":
        last = _told(door)

    assert first == f"READY=1\nSTATUS=The homepage is served on the ports {http} and {https}."
    assert served
    assert signs == ["WATCHDOG=1", "WATCHDOG=1"]
    assert last == "STOPPING=1\nSTATUS=Stopping."
    assert agent.wait(20) == 0


def test_a_stopped_loop_gives_no_sign_of_life(door: socket.socket, agent: "subprocess.Popen[bytes]") -> None:
    """F-74: a process that stands still is silent for longer than the manager waits, and is heard when it goes on."""
    while _told(door) != "WATCHDOG=1":
        continue
    os.kill(agent.pid, signal.SIGSTOP)
    door.settimeout(2.5)
    with pytest.raises(TimeoutError):
        while True:
            _told(door)
    os.kill(agent.pid, signal.SIGCONT)
    door.settimeout(20)

    assert _told(door) == "WATCHDOG=1"


_HANGS = """
import asyncio, pathlib, sys, time
from ipaddress import ip_address
from lancert.box.app import BoxSettings, run
from lancert.protocol.messages import Kind
settings = BoxSettings(
    folder=pathlib.Path(sys.argv[1]), name="Shop", kind=Kind.BOX, http_port=0, https_port=0,
    listen=("127.0.0.1",), addresses=(ip_address("127.0.0.1"),),
)
asyncio.run(run(settings, lambda started: asyncio.get_running_loop().call_later(1, time.sleep, 60)))
"""


def test_a_loop_that_hangs_gives_no_sign_of_life_and_the_next_agent_serves(door: socket.socket, tmp_path: Path) -> None:
    """F-74: an agent whose loop is caught in one call is silent; once the manager killed it, another one serves."""
    with subprocess.Popen([sys.executable, "-c", _HANGS, str(tmp_path / "box")], env=_managed(tmp_path)) as hung:
        while _told(door) != "WATCHDOG=1":
            continue
        door.settimeout(1.5)  # longer than this manager waits
        with pytest.raises(TimeoutError):
            while True:
                _told(door)
        assert hung.poll() is None
        hung.kill()
    door.settimeout(20)
    with _started(tmp_path) as process:
        try:
            assert _told(door).startswith("READY=1")
            assert _told(door) == "WATCHDOG=1"
        finally:
            process.kill()


async def _hang(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await asyncio.get_running_loop().create_future()
    finally:
        writer.close()


async def _close(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


@pytest.mark.parametrize("peer", [_hang, _close], ids=["silent", "closes"])
def test_a_door_that_does_not_serve_is_not_taken_for_one(peer: Peer) -> None:
    """A port that accepts and says nothing, or hangs up, is no HTTPS that answers."""

    async def ask() -> bool:
        async with await asyncio.start_server(peer, "127.0.0.1", 0) as server:
            return await https_answers("127.0.0.1", server.sockets[0].getsockname()[1], 0.3)

    assert asyncio.run(ask()) is False


def test_no_sign_of_life_while_the_https_door_is_closed(
    door: socket.socket, tmp_path: Path, free_port: Callable[[], int]
) -> None:
    """The loop turns but nobody could be served: the manager is told why, and given no sign."""

    async def watch(port: int) -> None:
        manager = ServiceManager(str(tmp_path / "notify"))
        await asyncio.wait_for(give_signs_of_life(manager, 1, "127.0.0.1", port), 2)

    port = free_port()
    with pytest.raises(TimeoutError):
        asyncio.run(watch(port))
    door.setblocking(False)

    assert _told(door) == f"STATUS=The HTTPS port {port} does not answer."
    with pytest.raises(BlockingIOError):
        _told(door)
