"""Options and sentences that the commands of ``lancert box`` share."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lancert.kit.platform import system
from lancert.kit.settings import default_folder, reader_languages

SETTINGS = ("folder", "http_port", "https_port", "listen", "address", "name", "kind", "maintenance")

WRITTEN = (*SETTINGS, "deploy", "proxy", "public_resolver")
"""What may stand in box.toml: ``deploy`` is tables, which no option can name, and ``proxy`` may hold a password."""

_PORTS = {"http_port": 80, "https_port": 443}
_PARAMETERS = {"address": "addresses"}
_READ = "lancert.box.settings"


def setting(name: str, default: Any) -> Callable[[], Any]:
    """Give the default of an option: the environment, then box.toml in the folder, then this.

    What stands there and cannot be used counts as not set; ``settings_read`` holds what to tell about it.
    """

    def read() -> Any:
        found = settings_read()
        if name not in found.values and found.notices and name in _PORTS:
            # The homepage stays where people know it to be, whatever the port was meant to become.
            return _last_ports().get(name, default)
        return found.values.get(name, default)

    return read


def settings_read() -> Any:
    """Give what box.toml and the environment say, read once for a command."""
    from lancert.box.settings import read_settings

    context = click.get_current_context()
    if _READ not in context.meta:
        # The folder is read before the other options, so that its own settings count.
        context.meta[_READ] = read_settings(_folder(context), WRITTEN)
    return context.meta[_READ]


def proxies() -> Any:
    """Give what the settings say about the proxy to reach the server through."""
    from lancert.box.proxies import Proxies

    return Proxies(setting=settings_read().values.get("proxy"))


def settings_in_use() -> dict[str, Any]:
    """Give the settings that count and were not typed at the command line; None where the default counts."""
    from lancert.box.settings import SETTINGS as READ_BY_BOX

    context, found = click.get_current_context(), settings_read().values
    in_use = {"deploy": found.get("deploy")}
    for name in READ_BY_BOX:
        parameter = _PARAMETERS.get(name, name)
        if was_typed(parameter):
            continue
        in_use[name] = found.get(name)
        if name in _PORTS and context.params[parameter] != _PORTS[name]:
            in_use[name] = context.params[parameter]
    return in_use


def was_typed(parameter: str) -> bool:
    """Say whether a parameter stands at the command line."""
    return click.get_current_context().get_parameter_source(parameter) is click.core.ParameterSource.COMMANDLINE


def _folder(context: click.Context) -> Path:
    return Path(context.params.get("folder") or default_folder("box"))


def _last_ports() -> dict[str, int]:
    from lancert.box.folder import Folder

    folder = _folder(click.get_current_context())
    ports = Folder(folder).listening() if folder.is_dir() else None
    return {} if ports is None else {"http_port": ports.http, "https_port": ports.https}


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
    default=setting("kind", system.KIND),
    help="Kind of IoT system.",
)


def existing(folder: Path) -> Path:
    try:
        is_there = folder.is_dir()
    except PermissionError:
        raise click.ClickException(
            f"This account may not look into {folder.parent}. Run this with the account of the agent or with sudo."
        ) from None
    if not is_there:
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
