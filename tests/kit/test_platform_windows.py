"""The Windows half of the platform, as far as another system can tell: what it decides, not what it calls."""

import ast
import errno
import inspect
import socket
import subprocess
import sys
from contextlib import closing
from pathlib import Path, PureWindowsPath

import pytest

from lancert.kit.platform import posix, system, windows
from lancert.kit.platform.win32 import calls


def _names(module: object) -> dict[str, str]:
    """Give what a module offers of its own, with how it is called."""
    path = inspect.getsourcefile(module)  # type: ignore[arg-type]
    assert path is not None
    offered = {}
    for node in ast.parse(Path(path).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            offered[node.name] = f"({ast.unparse(node.args)}) -> {ast.unparse(node.returns) if node.returns else ''}"
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            assert isinstance(target, ast.Name)
            if target.id.isupper() and not target.id.startswith("_"):
                offered[target.id] = "a value"
    return offered


def test_both_systems_offer_the_same() -> None:
    """Whatever the box asks of its system exists on both, and is called alike; Windows alone gives folders away."""
    on_windows = _names(windows)
    only_there = {name for name in ("give_to", "patiently") if on_windows.pop(name)}

    assert on_windows == _names(posix)
    assert only_there == {"give_to", "patiently"}
    assert {"replace", "take_lock", "KIND"} <= on_windows.keys()


def test_this_system_is_chosen_by_what_python_runs_on() -> None:
    """These tests run on Linux, and so does the half they get."""
    assert sys.platform != "win32"
    assert system is posix


def test_a_file_that_is_open_elsewhere_for_a_moment_is_waited_for() -> None:
    """A virus scanner or a reader holds a file for milliseconds; the write succeeds as soon as it lets go."""
    waited: list[float] = []

    def act() -> str:
        if len(waited) < 4:
            raise PermissionError(errno.EACCES, "sharing violation")
        return "done"

    assert windows.patiently(act, waited.append) == "done"
    assert waited == [0.001, 0.002, 0.004, 0.008]


def test_a_file_that_stays_open_elsewhere_is_given_up_within_two_seconds() -> None:
    """What is refused for good is an error like any other, and holds the agent up no longer."""
    waited: list[float] = []

    def act() -> None:
        raise PermissionError(errno.EACCES, "access denied")

    with pytest.raises(PermissionError):
        windows.patiently(act, waited.append)
    assert 1 < sum(waited) < 2


def test_what_is_not_a_question_of_time_is_not_waited_for() -> None:
    """A full disk and a missing file are told at once."""
    waited: list[float] = []

    def act() -> None:
        raise FileNotFoundError(errno.ENOENT, "no such file")

    with pytest.raises(FileNotFoundError):
        windows.patiently(act, waited.append)
    assert waited == []


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"PROGRAMDATA": r"D:\Data"}, r"D:\Data\lancert\box"),
        ({"PROGRAMDATA": ""}, r"C:\ProgramData\lancert\box"),
        ({}, r"C:\ProgramData\lancert\box"),
    ],
)
def test_the_state_lies_in_program_data_whoever_asks(environment: dict[str, str], folder: str) -> None:
    """The scheduled task and the person at the console mean the same folder."""
    assert PureWindowsPath(windows.state_folder("box", environment, Path.home)) == PureWindowsPath(folder)


def test_a_port_is_taken_from_everybody_else() -> None:
    """The door opens, version 6 on its own, and a taken port is an error of the system."""
    with closing(windows.listening_socket("127.0.0.1", 0, 8)) as first:
        port = first.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        with pytest.raises(OSError, match="use") as taken:
            windows.listening_socket("127.0.0.1", port, 8)
        with closing(windows.listening_socket("::1", port, 8)) as sixth:
            assert sixth.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == 1

    assert taken.value.errno == errno.EADDRINUSE


def test_the_room_on_a_disk_is_told_alike(tmp_path: Path) -> None:
    """Both halves read the same disk; only one of them knows how many files fit."""
    here, there = posix.room(tmp_path), windows.room(tmp_path)

    assert not here.is_read_only
    assert not there.is_read_only
    assert min(here.bytes, there.bytes) > 0
    assert there.files is None


_STOPPED = """
import asyncio, signal
from lancert.kit.platform import windows

async def main():
    stop = asyncio.Event()
    windows.when_told_to_stop(stop.set)
    print("ready", flush=True)
    await stop.wait()
    print("stopped in order", flush=True)

asyncio.run(main())
"""


@pytest.mark.parametrize("number", [2, 15], ids=["interrupt", "terminate"])
def test_an_interrupt_ends_the_agent_in_order(number: int) -> None:
    """Ctrl-C in the console is an interrupt; the loop wakes up for it and finishes what it does."""
    with subprocess.Popen(
        [sys.executable, "-c", _STOPPED], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as agent:
        assert agent.stdout is not None
        assert agent.stdout.readline() == "ready\n"
        agent.send_signal(number)
        assert agent.stdout.read() == "stopped in order\n"
        assert agent.wait(timeout=20) == 0


def test_a_service_manager_that_does_not_exist_is_told_nothing() -> None:
    """The log says so, and nothing else happens."""
    with pytest.raises(OSError, match="no such service manager"):
        windows.tell_manager("/run/systemd/notify", b"READY=1")


def test_a_call_to_windows_fails_as_an_error_of_the_system_elsewhere(tmp_path: Path) -> None:
    """Nothing pretends to have closed a file that it did not close."""
    for call in (calls.own_account, calls.is_administrator, calls.screen_language):
        with pytest.raises(OSError, match="another system"):
            call()
    with pytest.raises(OSError, match="another system"):
        windows.close_to_others(tmp_path)
    with pytest.raises(OSError, match="another system"):
        windows.take_lock(0)
