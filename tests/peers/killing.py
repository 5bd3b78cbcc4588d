"""Kills a process at each system call between two marks of its own, and says what was left each time.

The process marks the stretch that counts by calling ``os.getppid()`` before and after it. strace names every system
call in between; then the process is started again once for each of them and killed on entering it.
"""

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALL = re.compile(r"(?:\d+ +)?([a-z0-9_]+)\(")
_MARK = "getppid"
# They change nothing on a disk, and how many there are depends on the memory allocator's mood.
_MEMORY_ONLY = {"brk", "mmap", "munmap", "mprotect", "madvise", "mremap", "futex", "getrandom"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """The n-th call of this name since the process started."""

    call: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Killed:
    """What was found after a kill at a point, as the judge named it."""

    point: Point
    verdict: str


def kill_everywhere(
    strace: str, script: str, *, prepare: Callable[[], Sequence[str]], judge: Callable[[], str], notes: Path
) -> list[Killed]:
    """Run ``script`` with the arguments that ``prepare`` gives, killed at every point in turn."""
    found = []
    for point in _points(strace, script, prepare(), notes):
        arguments = prepare()
        calls = _trace(strace, script, arguments, notes, point)
        assert calls.count(_MARK) == 1, f"the kill at {point} came outside the marks"
        found.append(Killed(point=point, verdict=judge()))
    return found


def _points(strace: str, script: str, arguments: Sequence[str], notes: Path) -> list[Point]:
    calls = _trace(strace, script, arguments, notes, None)
    first, last = (index for index, call in enumerate(calls) if call == _MARK)
    return [
        Point(call=call, number=calls[: index + 1].count(call))
        for index, call in enumerate(calls)
        if first < index <= last and call not in _MEMORY_ONLY | {_MARK}
    ]


def _trace(strace: str, script: str, arguments: Sequence[str], notes: Path, kill_at: Point | None) -> list[str]:
    command = [strace, "-f", "-o", str(notes)]
    if kill_at is not None:
        command += [
            f"--trace={kill_at.call},{_MARK}",
            f"--inject={kill_at.call}:signal=KILL:when={kill_at.number}",
        ]
    ended = subprocess.run(
        [*command, sys.executable, "-B", "-c", script, *arguments], capture_output=True, timeout=60, check=False
    )
    assert (ended.returncode == 0) is (kill_at is None), ended.stderr.decode()
    return [found.group(1) for line in notes.read_text(errors="replace").splitlines() if (found := _CALL.match(line))]
