"""Running a foreign program to its end, in plain English."""

import os
import subprocess
from pathlib import Path

Done = subprocess.CompletedProcess[str]


def run(*command: str | Path | int, stdin: str = "") -> Done:
    """Give what a program said and how it ended; the judgement is the test's."""
    return subprocess.run(
        [str(part) for part in command],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LC_ALL": "C"},
    )
