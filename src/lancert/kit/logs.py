"""The log: one event a line as JSON, a constant sentence and named fields.

Control characters are escaped by JSON itself. Fields that could name a secret are dots whatever they hold, and so is
everything that looks like a private key: the formatter is the last door before the disk, so it does not trust
its callers. The file is bounded: it is rotated before it grows past its share.
"""

import contextlib
import json
import logging
import re
import secrets
import sys
from collections import deque
from collections.abc import Mapping
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from lancert.kit.files import close_to_others, private_directory

LEVELS = ("debug", "info", "warning", "error")

_FILE_BYTES = 1_000_000
_FILES_KEPT = 4
_DOTS = "••••"
_SECRET_FIELDS = re.compile(
    r"pin|contract|uuid|database|credential|token|secret|password|cookie|authorization|key$", re.I
)
_KEY_BLOCK = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.S)
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.I)
_TOKEN = re.compile(r"lct1\.[A-Za-z0-9_-]+")
_VALUE_CHARACTERS = 2000
_TRACE_CHARACTERS = 8000
_LINE_CHARACTERS = 64_000


def redact(text: str) -> str:
    """Replace private keys, database UUIDs and connection tokens in a text by dots."""
    return _TOKEN.sub(_DOTS, _UUID.sub(_DOTS, _KEY_BLOCK.sub(_DOTS, text)))


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
        for name, value in _without_secrets(getattr(record, "fields", {})).items():
            # A field called "level" must not change what the level of this event was.
            line[f"field_{name}" if name in line else name] = value
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = redact(self.formatException(record.exc_info))[-_TRACE_CHARACTERS:]
        written = json.dumps(line, ensure_ascii=True)
        return written if len(written) <= _LINE_CHARACTERS else own


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return _without_secrets(value)
    return redact(str(value))[:_VALUE_CHARACTERS]


def _without_secrets(fields: Mapping[str, object]) -> dict[str, object]:
    return {str(name): _DOTS if _SECRET_FIELDS.search(str(name)) else _plain(value) for name, value in fields.items()}


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


class _BoundedFile(RotatingFileHandler):
    """A private log file; a full disk loses lines, never the process (S-97)."""

    def _open(self) -> Any:
        stream = super()._open()
        with contextlib.suppress(OSError):
            close_to_others(Path(self.baseFilename))
        return stream

    def handleError(self, record: logging.LogRecord) -> None:
        """Drop the line."""


def write_logs(*, to_file: Path | None = None, to_stderr: bool = False, level: str = "info") -> None:
    """Send the events of all parts to a bounded private file, to standard error, or both."""
    root = logging.getLogger("lancert")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.propagate = False
    if to_file is not None:
        private_directory(to_file.parent)
        # Opened with the first event, where what fails is a line lost and not an agent that does not start.
        file = _BoundedFile(to_file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", delay=True)
        root.addHandler(file)
    if to_stderr:
        root.addHandler(logging.StreamHandler(sys.stderr))
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    for handler in root.handlers:
        handler.setFormatter(JsonFormatter())
    set_level(level)


def set_level(level: str) -> None:
    """Choose how much is recorded, by one of ``LEVELS``; no level lifts the redaction (S-96)."""
    logging.getLogger("lancert").setLevel(level.upper())


def last_lines(path: Path, count: int) -> list[str]:
    """Read the last lines of a log file, redacted once more on the way out; none when there is no file."""
    try:
        with path.open("r", encoding="utf-8", errors="replace") as file:
            return [redact(line.rstrip("\n")) for line in deque(file, maxlen=count)]
    except OSError:
        return []
