"""The log: one event a line as JSON, a constant sentence and named fields.

Control characters are escaped by JSON itself. Fields that could name a secret are dots whatever they hold, and so is
everything that looks like one: the formatter is the last door before the disk, so it does not trust its callers.
The files are bounded together, whatever lies there, and a line is in them whole or not at all.
"""

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import sys
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

from lancert.kit.files import close_to_others, open_to_append, private_directory
from lancert.kit.redaction import redact as redact
from lancert.kit.redaction import without_secrets

LEVELS = ("debug", "info", "warning", "error")
NORMAL = "info"
"""The level that is recorded unless another was chosen."""

FILE_BYTES = 1_000_000
"""The largest file of a log; with the older ones there are at most five times as many bytes on the disk."""

_OLDER_KEPT = 4
_VALUE_CHARACTERS = 2000
_TRACE_CHARACTERS = 8000
_LINE_CHARACTERS = 64_000


class JsonFormatter(logging.Formatter):
    """Write one record as one line of JSON, redacted."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name,
            "event": redact(record.getMessage())[:_VALUE_CHARACTERS],
        }
        own = json.dumps(line, ensure_ascii=True)
        for name, value in without_secrets(getattr(record, "fields", {})).items():
            # A field called "level" must not change what the level of this event was.
            line[f"field_{name}" if name in line else name] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = redact(self.formatException(record.exc_info))[-_TRACE_CHARACTERS:]
        written = json.dumps(line, ensure_ascii=True)
        return written if len(written) <= _LINE_CHARACTERS else own


class Log:
    """Events of one part: ``log.info("certificate installed", serial=...)``."""

    def __init__(self, part: str) -> None:
        self._logger = logging.getLogger(f"lancert.{part}")

    def debug(self, event: str, **fields: Any) -> None:
        """Record what only an engineer asks for."""
        self._logger.debug(event, extra={"fields": fields})

    def info(self, event: str, **fields: Any) -> None:
        """Record what happened."""
        self._logger.info(event, extra={"fields": fields})

    def warning(self, event: str, **fields: Any) -> None:
        """Record what somebody may have to look at."""
        self._logger.warning(event, extra={"fields": fields})

    def error(self, event: str, **fields: Any) -> None:
        """Record what went wrong."""
        self._logger.error(event, extra={"fields": fields})

    def exception(self, event: str, **fields: Any) -> str:
        """Record an exception with its trace; gives the reference that a page may show instead of it."""
        reference = secrets.token_hex(4)
        self._logger.error(event, exc_info=True, extra={"fields": {**fields, "reference": reference}})
        return reference


class _BoundedFile(logging.Handler):
    """A private log file and its older ones: ``box.log``, ``box.log.1`` and so on to ``box.log.4`` (S-97).

    A disk that is full or gone loses lines, never the process. How many were lost is written when there is room again.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._file: BinaryIO | None = None
        self._size = 0
        self._lost = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line, or count it as lost."""
        try:
            line = self._line(record)
            # Opened with the first event, where what fails is a line lost and not an agent that does not start.
            if self._file is None:
                self._open()
            if self._size + len(line) > FILE_BYTES:
                self._rotate()
            if self._lost:
                lost = self._line(_lost_lines(self._lost))
                self._put(lost)
                self._lost = 0
            self._put(line)
        except Exception:
            self._lost += 1
            self._let_go()

    def close(self) -> None:
        """Let the file go."""
        self._let_go()
        super().close()

    def _line(self, record: logging.LogRecord) -> bytes:
        return self.format(record).encode("ascii", "backslashreplace") + b"\n"

    def _open(self) -> None:
        private_directory(self._path.parent)
        if self._path.exists() and not self._path.is_file():
            raise OSError(errno.EINVAL, "a pipe in the place of the log would wait for a reader")
        self._bound_the_older()
        self._file = open_to_append(self._path)
        with contextlib.suppress(OSError):
            close_to_others(self._path)
        self._size = os.fstat(self._file.fileno()).st_size

    def _put(self, line: bytes) -> None:
        assert self._file is not None
        number = self._file.fileno()
        try:
            # Past the buffer of the file, where the rest of a line would wait for a disk that is full.
            if os.write(number, line) < len(line):
                raise OSError(errno.ENOSPC, "a line did not fit on the disk")
        except OSError:
            with contextlib.suppress(OSError):
                os.ftruncate(number, self._size)
            raise
        self._size += len(line)

    def _rotate(self) -> None:
        self._let_go()
        for number in range(_OLDER_KEPT, 0, -1):
            newer = _older(self._path, number - 1) if number > 1 else self._path
            with contextlib.suppress(FileNotFoundError):
                newer.replace(_older(self._path, number))
        self._open()

    def _bound_the_older(self) -> None:
        """Remove what is more than an older version, a mistake or a kill between two renames may leave."""
        left = FILE_BYTES * _OLDER_KEPT
        for number, path in sorted(_numbered(self._path)):
            with contextlib.suppress(OSError):
                left -= path.lstat().st_size
                if number > _OLDER_KEPT or left < 0:
                    path.unlink()

    def _let_go(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
        self._file = None


def _lost_lines(count: int) -> logging.LogRecord:
    record = logging.LogRecord("lancert.log", logging.WARNING, __file__, 0, "events could not be written", (), None)
    record.fields = {"count": count}
    return record


def _older(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def _numbered(path: Path) -> list[tuple[int, Path]]:
    numbers = re.compile(re.escape(path.name) + r"\.([1-9][0-9]{0,8})")
    return [(int(found[1]), one) for one in path.parent.iterdir() if (found := numbers.fullmatch(one.name))]


def write_logs(*, to_file: Path | None = None, to_stderr: bool = False, level: str = NORMAL) -> None:
    """Send the events of all parts to bounded private files, to standard error, or both.

    With a file, what ends the process is recorded there too, and standard error gets it redacted.
    """
    root = logging.getLogger("lancert")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.propagate = False
    if to_file is not None:
        root.addHandler(_BoundedFile(to_file))
        sys.excepthook = _record_the_end
    if to_stderr:
        root.addHandler(logging.StreamHandler(sys.stderr))
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    set_level(level)


def _record_the_end(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Record an exception that nobody caught; what the journal gets of it is redacted as well (S-95)."""
    ended = (kind, error, trace)
    if issubclass(kind, Exception):
        logging.getLogger("lancert").error("the process was ended by an error", exc_info=ended)
    sys.stderr.write(redact(logging.Formatter().formatException(ended)) + "\n")


def set_level(level: str) -> None:
    """Choose how much is recorded, by one of ``LEVELS``; no level lifts the redaction (S-96)."""
    logging.getLogger("lancert").setLevel(level.upper())


def log_files(path: Path) -> list[Path]:
    """Give the files of a log that are there, the newest first."""
    files = [path, *(_older(path, number) for number in range(1, _OLDER_KEPT + 1))]
    return [one for one in files if one.is_file()]


def last_lines(path: Path, count: int) -> list[str]:
    """Read the last lines of a log, oldest first, redacted once more on the way out; none when there is no file."""
    lines: deque[str] = deque()
    for one in log_files(path):
        lines.extendleft(reversed(deque(lines_of(one), maxlen=count - len(lines))))
        if len(lines) >= count:
            break
    return [redact(line.rstrip("\n")) for line in lines]


def lines_of(path: Path) -> Iterator[str]:
    """Read one file of a log line by line, as it was written; it ends early where it cannot be read on."""
    with contextlib.suppress(OSError), path.open("r", encoding="utf-8", errors="replace") as file:
        yield from file
