"""The one door to the environment: settings are read once, at the start, into a value.

Order: command line, then environment (``LANCERT_...``), then a file, then the default. A name nobody knows is an
error that names the nearest known one, since a setting that is silently ignored costs an afternoon.
"""

import os
import tomllib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from lancert.kit.platform import system

_PREFIX = "LANCERT_"


class SettingsError(ValueError):
    """A setting is unknown or cannot be read; the text is for the person who wrote it."""


def read_settings(part: str, known: Iterable[str], file: Path | None) -> dict[str, object]:
    """Read the settings of a part, environment over file.

    ``known`` are the names in lower case; ``LANCERT_BOX_HTTP_PORT`` is the name ``http_port`` of the part ``box``.
    The folder cannot be named in the file, which is found by it. Raises SettingsError.
    """
    names = sorted(known)
    from_environment: dict[str, object] = dict(settings_of_environment(part))
    from_file = _read_file(file) if file is not None and file.exists() else {}
    _refuse_unknown(from_environment, names, lambda name: variable_of(part, name))
    _refuse_unknown(from_file, names, lambda name: f"{name} in {file.name if file else ''}")
    if "folder" in from_file and file is not None:
        raise SettingsError(
            f"folder cannot stand in {file.name}, which lies in it: remove the line, and name the folder with --folder "
            f"or {variable_of(part, 'folder')}"
        )
    return {**from_file, **from_environment}


def settings_of_environment(part: str) -> dict[str, str]:
    """Give what the environment says to a part, by names in lower case, known to it or not."""
    prefix = variable_of(part, "")
    return {name[len(prefix) :].lower(): value for name, value in os.environ.items() if name.startswith(prefix)}


def variable_of(part: str, name: str) -> str:
    """Give the variable of the environment that holds a setting: ``LANCERT_BOX_HTTP_PORT``."""
    return f"{_PREFIX}{part.upper()}_{name.upper()}"


def _read_file(file: Path) -> dict[str, object]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{file.name} cannot be read: {error}") from error
    except OSError as error:
        raise SettingsError(f"{file.name} cannot be read: {error.strerror or error}") from error


def _refuse_unknown(found: Mapping[str, object], known: list[str], spell: Callable[[str], str]) -> None:
    for name in found:
        if name not in known:
            import difflib  # for a mistake only

            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {spell(near[0])}?" if near else f"; known are {', '.join(known)}"
            raise SettingsError(f"there is no setting {spell(name)}{hint}")


def reader_languages() -> list[str]:
    """Give the languages of the person at the terminal, best first, as gettext names them."""
    for name in ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            return [part.split(".")[0] for part in value.split(":") if part]
    return [one for one in [system.reader_language()] if one]


def default_folder(part: str) -> Path:
    """Give the folder a part keeps its state in when none is named."""
    if named := os.environ.get(f"{_PREFIX}{part.upper()}_FOLDER"):
        return Path(named)
    return system.state_folder(part, os.environ, Path.home)


def proxy_may_be_set() -> bool:
    """Say whether a proxy can be configured here: by the environment, or by the system's own settings on Windows."""
    return system.has_proxy_settings() or any(name.lower().endswith("_proxy") for name in os.environ)


def proxy_environment() -> dict[str, str]:
    """Give what the environment says about proxies, by names in small letters; a variable in small letters counts more.

    A variable that is empty says that there is none.
    """
    found = {name.lower(): value.strip() for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    small = {name: value.strip() for name, value in os.environ.items() if name.endswith("_proxy")}
    return {**found, **small}


def proxies_of_system(host: str) -> str:
    """Give the proxy for HTTPS to a host that the system's own settings name, on Windows and macOS; else nothing."""
    if not system.has_proxy_settings():
        return ""
    from urllib.request import getproxies, proxy_bypass  # 3 MB that hardly any box needs

    return "" if proxy_bypass(host) else getproxies().get("https", "")


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
