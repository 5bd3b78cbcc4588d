"""The virtual IoT system: the same agent on the Windows half of the platform, from connecting to the lock.

The calls to Windows are answered by a peer (``tests/peers/windows.py``); nothing here has run on Windows.
"""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.journeys.world import Box, Program, Service, strict_connection, until
from tests.peers import windows as peer
from tests.peers.windows import Windows, access_of

from lancert.kit.platform.windows_access import ADMINISTRATORS, SYSTEM, read_access
from lancert.kit.settings import environment_without_settings


class VirtualBox(Box):
    """An IoT system whose every command runs on the pretended Windows."""

    def __init__(self, folder: Path, state: Path) -> None:
        super().__init__(folder)
        self.state = state
        Windows().save(state)

    def run(self, *arguments: str) -> str:
        """Run a command of ``lancert box`` there to its end."""
        command = [sys.executable, peer.__file__, str(self.state), "box", *arguments, "--folder", str(self.folder)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=environment_without_settings()
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> "VirtualBox":
        """Start the agent there and wait until its homepage is served."""
        (self.folder / "listening.json").unlink(missing_ok=True)
        self.program = PeerProgram(
            self.state.with_suffix(".out"),
            *(str(self.state), "box", "run", "--folder", str(self.folder), "--listen", "127.0.0.1"),
            *("--address", "127.0.0.1", "--http-port", "0", "--https-port", "0", "--name", "till"),
        )
        until((self.folder / "listening.json").exists, "the homepage")
        return self


class PeerProgram(Program):
    """A command of lancert that keeps running on the pretended Windows."""

    def __init__(self, output: Path, *arguments: str) -> None:
        self._output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, peer.__file__, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment_without_settings(),
            )


@pytest.fixture
def virtual_box(tmp_path: Path) -> Iterator[Callable[[], VirtualBox]]:
    """Make a virtual IoT system, ended with the story."""
    made: list[VirtualBox] = []

    def make() -> VirtualBox:
        made.append(VirtualBox(tmp_path / "ProgramData" / "lancert" / "box", tmp_path / "windows.json"))
        return made[-1]

    yield make
    for box in made:
        box.stop()


@pytest.mark.promise("M19")
def test_a_virtual_iot_system_gets_its_certificate_and_keeps_it(
    service: Service, virtual_box: Callable[[], VirtualBox]
) -> None:
    """M19: connected, secure, restarted with the same certificate; every file is closed to others."""
    box = virtual_box()
    box.run("connect", service.shop().token())
    status = box.start().until_state("secure")
    assert status["kind"] == "virtual"

    box.restart()

    assert box.status()["certificate"] == status["certificate"]
    assert box.tries() == 1
    name = urlsplit(box.status()["url"]).hostname or ""
    with strict_connection(box, name, service.root) as tls:
        assert tls.version() == "TLSv1.3"
    box.stop()
    windows = Windows.load(box.state)
    closed = {SYSTEM, ADMINISTRATORS, windows.account}
    open_to = {path: read_access(access_of(windows, path)).holders - closed for path in box.folder.rglob("*")}
    assert {path.name for path, strangers in open_to.items() if strangers} == set()
    assert len(open_to) > 10


def test_a_certificate_that_others_could_read_is_not_served(
    service: Service, virtual_box: Callable[[], VirtualBox]
) -> None:
    """S-04: rights that somebody gave to everybody on the file of a key are seen, and another key is made."""
    box = virtual_box()
    box.run("connect", service.shop().token())
    before = box.start().until_state("secure")["certificate"]
    box.stop()
    windows = Windows.load(box.state)
    generation = box.folder / "certificates" / "generation-000001.pem"
    windows.give(generation, windows.account, "D:AI(A;;FA;;;SY)(A;;FR;;;WD)")
    windows.save(box.state)

    box.start()
    after = box.until_state("secure")["certificate"]

    assert after != before
    aside = box.folder / "certificates" / "set-aside-generation-000001.pem"
    assert ";WD)" not in access_of(Windows.load(box.state), aside)
