"""Makes single system calls of an installation fail, with the error a sick disk would give."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_CALL = re.compile(r"(?:\d+ +)?([a-z0-9_]+)\(")
_MARK = "getppid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How an installation ended: refused with an errno (0: installed, -1: ended in another way), serving a file."""

    errno: int
    served: str


def points(
    strace: str, script: str, arguments: Sequence[str], calls: set[str], notes: Path
) -> Iterator[tuple[str, int]]:
    """Run once undisturbed; give the calls between the marks, each with its number since the start."""
    _run([strace, "-f", "-o", str(notes)], script, arguments)
    seen = [found.group(1) for line in notes.read_text(errors="replace").splitlines() if (found := _CALL.match(line))]
    first, last = (index for index, call in enumerate(seen) if call == _MARK)
    for index, call in enumerate(seen):
        if first < index < last and call in calls:
            yield call, seen[: index + 1].count(call)


def install_failing(
    strace: str, script: str, arguments: Sequence[str], point: tuple[str, int], error: str, notes: Path
) -> Ended:
    """Run an installation whose n-th call of a name fails with an error such as ``EIO``."""
    call, number = point
    inject = [f"--trace={call},{_MARK}", f"--inject={call}:error={error}:when={number}"]
    ended = _run([strace, "-f", "-o", str(notes), *inject], script, arguments)
    traced = notes.read_text(errors="replace")
    before, _, rest = traced.partition(_MARK)
    assert "(INJECTED)" in rest.partition(_MARK)[0], f"{call} {number} was not hit between the marks"
    assert "(INJECTED)" not in before
    return ended


def install(script: str, arguments: Sequence[str]) -> Ended:
    """Run an installation as it is."""
    return _run([], script, arguments)


def _run(prefix: Sequence[str], script: str, arguments: Sequence[str]) -> Ended:
    ended = subprocess.run(
        [*prefix, sys.executable, "-B", "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode != 0:
        return Ended(errno=-1, served=f"nothing: it ended with {ended.stderr.strip().splitlines()[-1:]}")
    errno, _, served = ended.stdout.strip().partition(" ")
    return Ended(errno=int(errno), served=served)
