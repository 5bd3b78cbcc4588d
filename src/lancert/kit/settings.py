"""The one door to the environment: settings are read once, at the start, into a value.

Order: command line, then environment (``LANCERT_...``), then a file, then the default. A name nobody knows is an
error that names the nearest known one, since a setting that is silently ignored costs an afternoon.
"""

import difflib
import os
import sys
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_PREFIX = "LANCERT_"


class SettingsError(ValueError):
    """A setting is unknown or cannot be read; the text is for the person who wrote it."""


def read_settings(part: str, known: Iterable[str], file: Path | None) -> dict[str, object]:
    """Read the settings of a part, environment over file.

    ``known`` are the names in lower case; ``LANCERT_BOX_HTTP_PORT`` is the name ``http_port`` of the part ``box``.
    Raises SettingsError.
    """
    names = sorted(known)
    prefix = f"{_PREFIX}{part.upper()}_"
    from_environment: dict[str, object] = {
        name[len(prefix) :].lower(): value for name, value in os.environ.items() if name.startswith(prefix)
    }
    from_file = _read_file(file) if file is not None and file.exists() else {}
    _refuse_unknown(from_environment, names, lambda name: prefix + name.upper())
    _refuse_unknown(from_file, names, lambda name: f"{name} in {file.name if file else ''}")
    return {**from_file, **from_environment}


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from error


def _refuse_unknown(found: Mapping[str, object], known: list[str], spell: Callable[[str], str]) -> None:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {spell(near[0])}?" if near else f"; known are {', '.join(known)}"
            raise SettingsError(f"there is no setting {spell(name)}{hint}")


def reader_languages() -> list[str]:
    """Give the languages of the person at the terminal, best first, as gettext names them."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return [part.split(".")[0] for part in value.split(":") if part]
    return []


def default_folder(part: str) -> Path:
    """Give the folder a part keeps its state in when none is named."""
    if named := os.environ.get(f"{_PREFIX}{part.upper()}_FOLDER"):
        return Path(named)
    if sys.platform == "win32":
        return Path(os.environ.get("PROGRAMDATA", r"C:\ProgramData")) / "lancert" / part
    if os.geteuid() == 0:
        return Path("/var/lib/lancert") / part
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "lancert" / part


def proxy_may_be_set() -> bool:
    """Say whether a proxy can be configured here: by the environment, or by the system's own settings on Windows."""
    return sys.platform in ("win32", "darwin") or any(name.lower().endswith("_proxy") for name in os.environ)


def notify_socket() -> str | None:
    """Give where the service manager that started this process listens; None without one (sd_notify(3))."""
    return os.environ.get("NOTIFY_SOCKET") or None


def watchdog_seconds() -> float | None:
    """Give how long the service manager waits for a sign of life; None when it does not (sd_watchdog_enabled(3))."""
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    meant = os.environ.get("WATCHDOG_PID") or str(os.getpid())
    if not (microseconds.isascii() and microseconds.isdigit() and int(microseconds) > 0) or meant != str(os.getpid()):
        return None
    return int(microseconds) / 1_000_000


def environment_without_settings() -> dict[str, str]:
    """Give the environment for a child process of ours, without any setting of lancert."""
    return {name: value for name, value in os.environ.items() if not name.startswith(_PREFIX)}
