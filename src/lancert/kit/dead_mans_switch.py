"""Ends this process when it gives no sign of life, where no service manager does: whoever started it starts another.

For Windows, whose Task Scheduler starts a program that ended and never looks whether one that runs does anything. The
thread that waits counts its own short waits, not the clock: hours in which the machine slept count as one of them.
"""

import os
import threading
from types import TracebackType

from lancert.kit.logs import Log

STATUS = 70
"""The exit status of a process that was ended this way (EX_SOFTWARE of sysexits.h)."""

_WAITS = 10

log = Log("dead_mans_switch")


class DeadMansSwitch:
    """Ends the process after so many seconds without a sign of life, as long as it is entered."""

    def __init__(self, patience: float) -> None:
        self._wait = patience / _WAITS
        self._missed = 0
        self._released = threading.Event()

    def alive(self) -> None:
        """Give a sign of life."""
        self._missed = 0

    def status(self, status: str) -> None:
        """Take in how things are; nobody but the log is interested, and it knows."""

    def __enter__(self) -> "DeadMansSwitch":
        """Begin to wait for signs."""
        threading.Thread(target=self._watch, name="dead man's switch", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for no more."""
        self._released.set()

    def _watch(self) -> None:
        while not self._released.wait(self._wait):
            self._missed += 1
            if self._missed > _WAITS:
                # Whatever is stuck may hold the log as well, and the end must come all the same.
                last_word = threading.Thread(target=log.error, args=("no sign of life: the process ends",), daemon=True)
                last_word.start()
                last_word.join(self._wait)
                os._exit(STATUS)
