"""Options and sentences that the commands of ``lancert box`` share."""

import json
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lancert.kit.settings import SettingsError, default_folder, read_settings, reader_languages

SETTINGS = ("folder", "http_port", "https_port", "listen", "address", "name", "kind", "maintenance")


def setting(name: str, default: Any) -> Callable[[], Any]:
    """Give the default of an option: the environment, then box.toml in the folder, then this."""

    def read() -> Any:
        try:
            # The folder is read before the other options, so that its own settings count.
            folder = click.get_current_context().params.get("folder") or default_folder("box")
            found = read_settings("box", SETTINGS, folder / "box.toml")
        except SettingsError as error:
            raise click.ClickException(str(error)) from error
        value = found.get(name, default)
        return value.split(",") if isinstance(default, list) and isinstance(value, str) else value

    return read


folder_option = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: default_folder("box"),
    is_eager=True,
    help="Where this IoT system keeps its keys and settings.",
)
address_option = click.option(
    "--address",
    "addresses",
    multiple=True,
    default=setting("address", []),
    help="Address to publish; found otherwise.",
)
name_option = click.option(
    "--name", default=setting("name", None), help="Name shown on the homepage; the host name otherwise."
)
kind_option = click.option(
    "--kind",
    type=click.Choice(["iot-box", "virtual"]),
    default=setting("kind", "virtual" if sys.platform == "win32" else "iot-box"),
    help="Kind of IoT system.",
)


def existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise click.ClickException(
            f"There is no IoT system in the folder {folder}. Start one with “lancert box run”, or name its --folder."
        )
    return folder


def host_name() -> str:
    return socket.gethostname().split(".")[0] or "IoT system"


def parse_addresses(texts: tuple[str, ...]) -> Any:
    from lancert.protocol.names import address_ranges, parse_address

    ranges = address_ranges(shared=True, link_local=True, loopback=True)
    found = []
    for text in texts:
        address = parse_address(text)
        if address is None or not ranges.allow(address):
            raise click.UsageError(f"“{text}” is not a private address, such as 192.168.1.5.")
        found.append(address)
    return tuple(found)


def parse_maintenance(text: str | None) -> Any:
    from lancert.box.maintenance import NotAMaintenanceWindow
    from lancert.box.maintenance import parse_maintenance as parse

    try:
        return parse(str(text)) if text else None
    except NotAMaintenanceWindow as error:
        raise click.UsageError(f"“{text}”: {error}") from error


def translate_for_reader() -> Callable[[str], str]:
    from lancert.kit.language import translation

    return translation(reader_languages()).gettext


def sentence_of(error: OSError, folder: Path) -> str:
    from lancert.box.listener import CannotListen
    from lancert.kit.files import AlreadyLocked

    if isinstance(error, AlreadyLocked):
        return f"An agent already runs with the folder {folder}. Stop it first, or name another one with --folder."
    if isinstance(error, CannotListen):
        return f"{error}. Choose others with --listen, --http-port and --https-port."
    return f"The folder {folder} cannot be used: {error.strerror or error}. Name another one with --folder."


def status_from_agent(folder: Any) -> dict[str, Any] | None:
    """Ask the running agent, which knows what is under way; None when none answers."""
    ports = folder.listening()
    if ports is None:
        return None
    import urllib.request  # an agent does without it

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(
        f"http://127.0.0.1:{ports.http}/status.json", headers={"Accept-Language": ",".join(reader_languages())}
    )
    try:
        with opener.open(request, timeout=3) as response:
            document: dict[str, Any] = json.loads(response.read(100_000))
    except (OSError, ValueError):
        return None
    return document if "state" in document else None
