"""An agent that serves nothing any more ends, where no service manager watches it: its task starts another."""

import subprocess
import sys
from pathlib import Path

import pytest

from lancert.kit.dead_mans_switch import STATUS
from lancert.kit.settings import environment_without_settings

_RUN = """
import asyncio, pathlib, sys, time
from ipaddress import ip_address
from lancert.box.app import BoxSettings, run
from lancert.protocol.messages import Kind

settings = BoxSettings(
    folder=pathlib.Path(sys.argv[1]), name="Shop", kind=Kind.VIRTUAL, http_port=0, https_port=0,
    listen=("127.0.0.1",), addresses=(ip_address("127.0.0.1"),), watchdog=4.0,
)

def started(_facts):
    asyncio.get_running_loop().call_later(0.5, {when_started})

asyncio.run(run(settings, started))
"""


@pytest.mark.promise("M19")
@pytest.mark.parametrize(
    ("when_started", "ends_with"),
    [
        ("time.sleep, 100", STATUS),
        ("asyncio.get_running_loop().call_later, 6.0, lambda: __import__('signal').raise_signal(15)", 0),
    ],
    ids=["stuck", "well"],
)
def test_an_agent_that_is_stuck_ends_and_one_that_serves_goes_on(
    tmp_path: Path, when_started: str, ends_with: int
) -> None:
    """M19: with its loop stuck it is gone within seconds; well, it outlives the patience."""
    ended = subprocess.run(
        [sys.executable, "-c", _RUN.format(when_started=when_started), str(tmp_path / "box")],
        timeout=60,
        check=False,
        capture_output=True,
        text=True,
        env=environment_without_settings(),
    )

    assert ended.returncode == ends_with, ended.stderr
