"""The unit of the box, judged by systemd's own tools; that it runs under them is for tools/try_deb.py to show."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

PROGRAM = "/usr/lib/lancert-box/bin/lancert"


@pytest.fixture
def unit(sources: Path, tmp_path: Path) -> Path:
    """The unit, starting a program that is there: the real one comes with the package."""
    text = (sources / "lancert-box.service").read_text(encoding="utf-8")
    assert PROGRAM in text
    written = tmp_path / "lancert-box.service"
    written.write_text(text.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    return written


def _analyze(tool: Callable[[str], str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [tool("systemd-analyze"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def _exposure(tool: Callable[[str], str], unit: Path) -> float:
    said = _analyze(tool, "security", "--offline=true", str(unit)).stdout
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def test_systemd_has_nothing_to_say_against_the_unit(tool: Callable[[str], str], unit: Path) -> None:
    """No unknown key, no value that is ignored in silence."""
    ended = _analyze(tool, "verify", "--man=no", str(unit))

    assert (ended.returncode, ended.stdout + ended.stderr) == (0, "")


def test_systemd_would_have_something_to_say(tool: Callable[[str], str], unit: Path) -> None:
    """The test above can fail."""
    unit.write_text(unit.read_text(encoding="utf-8").replace("RestartSec=10", "RestartSecs=10"), encoding="utf-8")

    assert "RestartSecs" in _analyze(tool, "verify", "--man=no", str(unit)).stderr


def test_the_unit_is_confined(tool: Callable[[str], str], unit: Path) -> None:
    """S-11: the exposure that systemd computes is at most 2.0; of the rights of root it has the ports alone."""
    text = unit.read_text(encoding="utf-8")

    assert _exposure(tool, unit) <= 2.0
    for name in ("AmbientCapabilities", "CapabilityBoundingSet"):
        assert re.findall(rf"^{name}=(.*)$", text, re.MULTILINE) == ["CAP_NET_BIND_SERVICE"]
    (user,) = re.findall(r"^User=(.*)$", text, re.MULTILINE)
    assert user not in ("root", "0", "")


def test_an_unconfined_unit_would_be_seen(tool: Callable[[str], str], tmp_path: Path) -> None:
    """The measure above can fail."""
    bare = tmp_path / "lancert-box.service"
    bare.write_text("[Service]\nExecStart=/bin/true\n", encoding="utf-8")

    assert _exposure(tool, bare) > 9


def test_the_unit_never_gives_up(unit: Path) -> None:
    """F-74: it starts again whatever happened, slowly enough never to meet systemd's limit of starts (5 in 10 s)."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", unit.read_text(encoding="utf-8"), re.MULTILINE))

    assert settings["Restart"] == "always"
    assert int(settings["RestartSec"]) * 5 > 10
    assert (settings["Type"], settings["WatchdogSec"]) == ("notify", "30")
