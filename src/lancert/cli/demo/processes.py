"""The programs the demo starts: each a process of its own, told from outside, stopped by its process id."""

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from lancert.kit.files import open_to_append
from lancert.kit.settings import environment_without_settings

_STARTING = 30.0
_STOPPING = 8.0


class DidNotStart(Exception):
    """A program of the demo ended or stayed silent; the text holds what it said last."""


def lancert(*arguments: str) -> str:
    """Run a command of lancert to its end and give what it printed. Raises DidNotStart when it failed."""
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        [sys.executable, "-m", "lancert", *arguments],
        capture_output=True,
        text=True,
        env=environment_without_settings(),
        timeout=_STARTING,
        check=False,
    )
    if done.returncode != 0:
        raise DidNotStart(f"lancert {' '.join(arguments[:2])} failed: {(done.stderr or done.stdout).strip()}")
    return done.stdout


@contextlib.contextmanager
def running(log: Path, *arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Keep a command of lancert running, its output in a file, and stop it at the end."""
    with open_to_append(log) as output:
        process = subprocess.Popen(  # noqa: S603 - our own program, no shell
            [sys.executable, "-m", "lancert", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment_without_settings(),
            start_new_session=True,  # Ctrl+C in the terminal reaches the demo, which then stops them in order
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(
    ready: Callable[[], Any], process: "subprocess.Popen[bytes]", log: Path, what: str, seconds: float = _STARTING
) -> Any:
    """Wait until ``ready`` gives something, as long as the process lives. Raises DidNotStart."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := ready()) is not None:
            return found
        if process.poll() is not None:
            break
        time.sleep(0.02)
    said = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    raise DidNotStart("\n".join([f"{what} did not get ready. It said last:", *said]))


def read_json(file: Path) -> dict[str, Any] | None:
    """Read a file that a program writes when it is ready; None while it is not there."""
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
