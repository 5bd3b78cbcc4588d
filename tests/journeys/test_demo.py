"""The first look: everything on one machine, told step by step, and nothing left behind."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.journeys.world import lancert, until

from lancert.kit.settings import environment_without_settings

NO_RESULT = "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT"
STEPS = ("service", "DNS", "shop", "enrolled", "eligible", "certificate", "valid", "URL", "terminal")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """The folder for temporary files that the demo is given, so that it can be searched."""
    made = tmp_path / "temporary files"
    made.mkdir()
    return made


def still_running(mark: Path) -> list[str]:
    """Give the command lines of the processes that name this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\x00", b" ").decode(errors="replace")
        except OSError:  # it ended while we looked
            continue
        if str(mark) in line:
            found.append(line)
    return found


@pytest.mark.promise("M1", "M2", "M3", "M6")
def test_the_demo_tells_each_step_and_leaves_nothing_behind(temporary: Path) -> None:
    """Enrolled, eligible, certificate in n ms, valid from and until, URL, accepted by the terminal; then it is gone."""
    done = lancert("demo", "--check", env={"TMPDIR": str(temporary)})

    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [what for what, _ in lines] == [*STEPS, "terminal"]
    told = dict(lines)
    assert re.fullmatch(r"this IoT system is [a-z2-7]{16}", told["enrolled"])
    assert re.search(r"in [0-9]+ ms", told["certificate"])
    assert re.fullmatch(r"(\d{1,2} \w+ \d{4}, \d\d:\d\d UTC) until (\d{1,2} \w+ \d{4}, \d\d:\d\d UTC)", told["valid"])
    assert re.fullmatch(r"https://127-0-0-1\.[a-z2-7]{16}\.lancert\.localhost:\d+/", told["URL"])
    assert told["terminal"].endswith("accepted, HTTP/1.1 200 OK")
    assert list(temporary.iterdir()) == []
    assert still_running(temporary) == []


class Demo:
    """A demo that stays up, with what it has printed so far."""

    def __init__(self, output: Path, temporary: Path) -> None:
        self._output = output
        with output.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "lancert", "demo"],
                stdout=file,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env={**environment_without_settings(), "TMPDIR": str(temporary)},
            )

    def said(self) -> str:
        return self._output.read_text(encoding="utf-8", errors="replace")

    def until_said(self, sentence: str) -> str:
        def is_said() -> bool:
            assert self.process.poll() is None, self.said()
            return sentence in self.said()

        until(is_said, sentence)
        return self.said()

    def end(self, number: int) -> float:
        """Send a signal and say how many seconds the end took."""
        began = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(30)
        return time.monotonic() - began


@pytest.fixture
def demo(tmp_path: Path, temporary: Path) -> Iterator[Demo]:
    """A demo that stays up, until the test ends it."""
    started = Demo(tmp_path / "said", temporary)
    yield started
    if started.process.poll() is None:
        started.end(signal.SIGTERM)


@pytest.mark.promise("M4", "M17")
def test_the_demo_stays_up_and_its_own_instructions_lead_to_a_refusal(demo: Demo, temporary: Path) -> None:
    """Whoever types what the demo prints sees the refusal on the homepage; Ctrl+C stops everything."""
    from urllib.request import ProxyHandler, build_opener

    said = demo.until_said("Ctrl+C stops everything.")
    homepage = re.findall(r"^ +(http://127\.0\.0\.1:\d+/)$", said, re.MULTILINE)[0]
    browser = build_opener(ProxyHandler({}))

    def shown() -> str:
        with browser.open(homepage, timeout=10) as answer:
            return str(answer.read().decode())

    assert "Secure" in shown()
    commands = [shlex.split(line) for line in said.splitlines() if re.search(r"lancert (admin|box) ", line)]
    assert len(commands) == 2
    for command in commands:
        subprocess.run(command, check=True, timeout=30, stdout=subprocess.DEVNULL, env={**os.environ})

    until(lambda: NO_RESULT in shown(), "the refusal on the homepage")
    page = shown()

    assert "staging" in page
    assert "Works, but needs attention" in page
    assert demo.end(signal.SIGINT) < 10
    assert demo.process.returncode == 0
    assert demo.said().endswith("Stopped.\n")
    assert list(temporary.iterdir()) == []
    assert still_running(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_from_outside_stops_its_programs_too(demo: Demo, temporary: Path, number: int) -> None:
    """Closing the terminal in the middle of the story leaves no service behind."""
    demo.until_said("https://service.lancert.localhost")

    assert demo.end(number) < 15

    assert still_running(temporary) == []
    assert list(temporary.iterdir()) == []


def test_a_folder_of_somebody_else_is_not_used(tmp_path: Path) -> None:
    """The demo wants an empty folder and touches nothing in another one."""
    (tmp_path / "letter.txt").write_text("mine")

    done = lancert("demo", "--check", "--folder", str(tmp_path), check=False)

    assert done.returncode == 2
    assert f"{tmp_path} is not empty" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


def test_a_folder_that_was_named_is_kept(tmp_path: Path) -> None:
    """Whoever names a folder finds service and IoT system in it afterwards."""
    done = lancert("demo", "--check", "--folder", str(tmp_path / "kept"))

    assert "accepted" in done.stdout
    assert {path.name for path in (tmp_path / "kept").iterdir()} >= {"service", "box"}
    assert still_running(tmp_path / "kept") == []
