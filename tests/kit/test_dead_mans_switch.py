"""A process that gives no sign of life ends; one that does lives."""

import subprocess
import sys

import pytest

from lancert.kit.dead_mans_switch import STATUS

_PROCESS = """
import sys, threading
from lancert.kit.dead_mans_switch import DeadMansSwitch

hold = threading.Event()
with DeadMansSwitch(0.5) as switch:
    print("watched", flush=True)
    {watched}
{after}
"""


def _ends_with(watched: str, after: str = "pass") -> int:
    code = _PROCESS.format(watched=watched, after=after)
    return subprocess.run([sys.executable, "-c", code], timeout=60, check=False, stdout=subprocess.DEVNULL).returncode


def test_a_process_that_is_stuck_ends() -> None:
    """Even when nothing of it turns any more, so that the Task Scheduler can start another."""
    assert _ends_with("hold.wait(50)") == STATUS


def test_a_process_that_is_stuck_with_the_log_in_its_hands_ends() -> None:
    """The last word must not keep it from ending."""
    assert _ends_with("import logging; logging.Handler.handle = lambda *_: hold.wait(50)\n    hold.wait(50)") == STATUS


@pytest.mark.parametrize(
    ("watched", "after"),
    [
        ("[(switch.alive(), hold.wait(0.2)) for _ in range(6)]", "pass"),
        ("pass", "hold.wait(1.2)"),
    ],
    ids=["signs", "released"],
)
def test_a_process_that_gives_signs_or_is_not_watched_any_more_lives(watched: str, after: str) -> None:
    """More than twice the patience passes, and nothing ends before its time."""
    assert _ends_with(watched, after) == 0
