"""A wall clock that a running program goes by and that is set from outside, as NTP, a person or an empty battery does.

libfaketime stands between the program and the clock of the machine: ``datetime``, the log and TLS see the false time.
The monotonic clock and the times of files stay true, as they do when a real clock is set.
"""

import subprocess
from datetime import timedelta
from pathlib import Path


class FalseClock:
    """How far the clock of a program is from the true one."""

    def __init__(self, faketime: str, file: Path, off_by: timedelta = timedelta(0)) -> None:
        self._file = file
        self.set(off_by)
        # The wrapper knows where the library lies on this machine.
        shown = subprocess.run([faketime, "-f", "+0", "env"], capture_output=True, text=True, timeout=30, check=True)
        library = next(line for line in shown.stdout.splitlines() if line.startswith("LD_PRELOAD="))
        self.environment = {
            "LD_PRELOAD": library.partition("=")[2],
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1",
        }
        """What the program is started with."""

    def set(self, off_by: timedelta) -> None:
        """Set the clock to the true time and this."""
        beside = self._file.with_suffix(".new")
        beside.write_text(f"{round(off_by.total_seconds()):+d}\n")
        beside.replace(self._file)
