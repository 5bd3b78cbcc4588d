"""Processes that serve on loopback: started until they answer, watched, and ended."""

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from lancert.kit.settings import environment_without_settings

_START = 20.0  # seconds
_PATIENCE = 5.0  # seconds


def started(command: list[str], answers: Callable[[], bool]) -> "subprocess.Popen[bytes]":
    """Start a program and wait until it answers. Raises RuntimeError."""
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment_without_settings()
    )
    if within(_START, answers) is None:
        end(process)
        raise RuntimeError(f"{command[0]} did not serve")
    return process


def end(process: "subprocess.Popen[bytes]") -> None:
    """End it the way systemd does."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def within(seconds: float, look: Callable[[], bool]) -> float | None:
    """Look again and again; give after how many seconds it was so, or None when it was not in that time."""
    began = time.monotonic()
    while True:
        with contextlib.suppress(OSError):
            if look():
                return time.monotonic() - began
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.002)


def by_http(port: int, path: str) -> int:
    """Get a page over HTTP by a new connection; give its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except http.client.HTTPException as error:
        raise ConnectionError(type(error).__name__) from error
    finally:
        connection.close()


def free_port() -> int:
    """Give a port of loopback that nobody uses."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


def resident(pid: int) -> float:
    """Give the resident memory of a process in MiB."""
    return _status(pid, "VmRSS")


def largest(pid: int) -> float:
    """Give the largest resident memory a process ever had, in MiB."""
    return _status(pid, "VmHWM")


def _status(pid: int, name: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError(f"no {name}")
