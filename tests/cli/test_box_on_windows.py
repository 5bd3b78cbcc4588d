"""The agent and its commands on the Windows half of the platform, over calls that behave as Windows documents them.

They show what is made of such a system, on Linux; nothing here has run on Windows.
"""

import http.client
import json
import os
import signal
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.peers.windows import FROM_ABOVE, OWNER, Windows, access_of

from lancert.kit.platform.windows_access import ADMINISTRATORS, LOCAL_SERVICE, SYSTEM, read_access
from lancert.kit.settings import environment_without_settings

PEER = Path(__file__).resolve().parents[1] / "peers" / "windows.py"
ANOTHER = "S-1-5-21-1004336348-1177238915-682003330-1002"
PRIVATE = {SYSTEM, ADMINISTRATORS, OWNER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A pretended Windows: its state, and the folder of the agent on it."""

    state: Path
    folder: Path

    def command(self, *arguments: str) -> list[str]:
        """Give the command line of ``lancert box`` there."""
        return [sys.executable, str(PEER), str(self.state), "box", *arguments, "--folder", str(self.folder)]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ``lancert box`` to its end."""
        return subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment_without_settings(),
        )

    def windows(self) -> Windows:
        """Read what the system looks like."""
        return Windows.load(self.state)

    def holders(self, path: Path) -> set[str]:
        """Say who has a right on a path."""
        return set(read_access(access_of(self.windows(), path)).holders)

    def everything(self) -> list[Path]:
        """Give the folder and all that is in it."""
        return [self.folder, *self.folder.rglob("*")]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A PC whose ProgramData is the folder of this test."""
    tools = tmp_path / "System32"
    tools.mkdir()
    schtasks = tools / "schtasks.exe"
    schtasks.write_text(
        f"#!{sys.executable}\nimport sys\nopen(sys.argv[0] + '.asked', 'a').write(sys.argv[1] + '\\n')\n"
    )
    schtasks.chmod(0o755)
    state = tmp_path / "windows.json"
    Windows(tools=str(tools)).save(state)
    return Machine(state=state, folder=tmp_path / "ProgramData" / "lancert" / "box")


@contextmanager
def _agent(machine: Machine, *options: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    arguments = ["run", "--http-port", "0", "--https-port", "0", "--listen", "127.0.0.1", *options]
    with subprocess.Popen(
        machine.command(*arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment_without_settings(),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            said = process.stdout.readline()
            assert said, process.stderr.read()
            while "PIN" not in said:
                said += process.stdout.readline()
            yield process, said
        finally:
            if process.poll() is None:
                process.kill()


def _ports(machine: Machine) -> tuple[int, int]:
    listening = json.loads((machine.folder / "listening.json").read_bytes())
    return int(listening["http"]), int(listening["https"])


def _answers(machine: Machine) -> tuple[int, int]:
    plain, secure = _ports(machine)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    answers = []
    for door in (
        http.client.HTTPConnection("127.0.0.1", plain, timeout=20),
        http.client.HTTPSConnection("127.0.0.1", secure, timeout=20, context=context),
    ):
        door.request("GET", "/")
        answers.append(door.getresponse().status)
        door.close()
    return answers[0], answers[1]


@pytest.mark.promise("M19")
def test_the_agent_runs_as_a_console_program_and_ends_with_ctrl_c(machine: Machine) -> None:
    """M19: homepage on both doors, a folder that is closed to everybody else, a second agent told, a clean end."""
    with _agent(machine, "--address", "192.168.1.5") as (process, _said):
        answers = _answers(machine)
        second = machine.run("run", "--http-port", "0", "--https-port", "0")
        status = machine.run("status", "--json")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0
    open_to = {path.name: machine.holders(path) - PRIVATE for path in machine.everything()}

    assert answers == (200, 200)
    assert {name for name, strangers in open_to.items() if strangers} == set()
    assert {"listening.json", "stop-gap.pem", "pin.json", "certificates"} <= set(open_to)
    assert "already runs" in second.stderr
    assert json.loads(status.stdout)["kind"] == "virtual"


def test_a_virus_scanner_holds_the_agent_up_for_a_moment_only(machine: Machine) -> None:
    """Each of the first renames is refused several times, and every file is there all the same."""
    windows = machine.windows()
    windows.busy = 6
    windows.save(machine.state)
    with _agent(machine) as (_process, said):
        assert _answers(machine) == (200, 200)
        assert "PIN" in said

    assert machine.windows().busy == 0
    assert machine.windows().renamed > 8
    assert list(machine.folder.glob(".*.new")) == []


def test_a_folder_that_somebody_opened_is_closed_again(machine: Machine) -> None:
    """S-04: rights that were given to others go, those of the scheduled task stay."""
    machine.folder.mkdir(parents=True)
    windows = machine.windows()
    windows.give(machine.folder, "BA", f"{FROM_ABOVE}(A;OICI;FA;;;LS)(A;OICI;FR;;;{ANOTHER})")
    windows.save(machine.state)
    with _agent(machine):
        pass

    assert machine.holders(machine.folder) == {*PRIVATE, LOCAL_SERVICE}


def test_a_folder_of_another_account_is_refused(machine: Machine) -> None:
    """Everybody may make folders in ProgramData: one that was laid there beforehand is not trusted."""
    machine.folder.mkdir(parents=True)
    windows = machine.windows()
    windows.give(machine.folder, ANOTHER, "D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)")
    windows.save(machine.state)
    ended = machine.run("run", "--http-port", "0", "--https-port", "0")

    assert ended.returncode == 1
    assert "belongs to another account" in ended.stderr
    assert os.listdir(machine.folder) == []


@pytest.mark.promise("M19")
def test_the_scheduled_task_gets_the_folder_and_is_started(machine: Machine) -> None:
    """M19: an agent that was tried in a console goes on as LocalService, with what it knew."""
    with _agent(machine):
        pin = (machine.folder / "pin.json").read_bytes()
    installed = machine.run("install-task")
    asked = (machine.state.parent / "System32" / "schtasks.exe.asked").read_text().split()

    assert installed.returncode == 0, installed.stderr
    assert asked == ["/create", "/run"]
    assert "localport=80,443" in installed.stdout
    for path in machine.everything():
        assert machine.holders(path) == {SYSTEM, ADMINISTRATORS, LOCAL_SERVICE}, path
    windows = machine.windows()
    windows.account = LOCAL_SERVICE
    windows.save(machine.state)
    with _agent_of_task(machine):
        assert _answers(machine) == (200, 200)
    assert (machine.folder / "pin.json").read_bytes() == pin


@contextmanager
def _agent_of_task(machine: Machine) -> Iterator[None]:
    # It has its PIN already, so the line to wait for is another one.
    command = machine.command("run", "--http-port", "0", "--https-port", "0", "--watchdog", "60")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment_without_settings()) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "The homepage of this IoT system:\n"
            yield
        finally:
            process.kill()


def test_removing_the_task_leaves_the_folder(machine: Machine) -> None:
    """The next installation is the same IoT system."""
    machine.folder.mkdir(parents=True)
    removed = machine.run("remove-task")

    assert removed.returncode == 0, removed.stderr
    assert (machine.state.parent / "System32" / "schtasks.exe.asked").read_text().split() == ["/end", "/delete"]
    assert str(machine.folder) in removed.stdout
    assert "delete rule" in removed.stdout
    assert machine.folder.is_dir()


@pytest.mark.parametrize("command", ["install-task", "remove-task"])
def test_whoever_is_no_administrator_is_told_how_to_become_one(machine: Machine, command: str) -> None:
    """Nothing is tried that would fail halfway."""
    windows = machine.windows()
    windows.is_administrator = False
    windows.save(machine.state)
    ended = machine.run(command)

    assert ended.returncode == 1
    assert "Run as administrator" in ended.stderr
    assert not machine.folder.exists()


def test_a_python_that_the_task_could_not_read_is_refused(machine: Machine) -> None:
    """Before anything is changed, with the way out."""
    windows = machine.windows()
    windows.profiles = str(Path(sys.base_prefix).parent)
    windows.save(machine.state)
    ended = machine.run("install-task")

    assert ended.returncode == 1
    assert "Install Python for all users" in ended.stderr
    assert not machine.folder.exists()
