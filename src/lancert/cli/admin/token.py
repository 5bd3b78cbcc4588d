"""``lancert admin connection-token``: the one text an owner pastes into an IoT system."""

import contextlib
import json
import sys
from pathlib import Path
from urllib.parse import urlsplit

import click
from cryptography.hazmat.primitives import hashes

from lancert.cli.admin.options import Chosen, Suggesting, admin_command, looking
from lancert.cli.admin.printing import print_json
from lancert.kit.files import FileTooLarge, read_limited
from lancert.kit.settings import SettingsError
from lancert.protocol.credential import NotAToken, parse_fingerprint
from lancert.service.authority import AUTHORITY_FOLDER, AuthorityUnusable, read_root
from lancert.service.directory.connection import connection_token as token_for
from lancert.service.model import ContractCode, DatabaseUuid
from lancert.service.settings import ServiceSettings, service_settings

_READY_FILE = "service.json"
_LIMIT = 65_536

_holder = Suggesting()


@admin_command(_holder, "connection-token")
@click.argument("contract")
@click.argument("database", metavar="UUID")
@click.option("--server", help="What IoT systems call this service.  [as it is running or set]")
@click.option(
    "--root-fingerprint",
    help="SHA-256 of the root.  [that of the authority, unless the service has another certificate]",
)
@click.option("--public-root", is_flag=True, help="IoT systems trust this service's certificate already.")
def connection_token(
    chosen: Chosen,
    contract: str,
    database: str,
    server: str | None,
    root_fingerprint: str | None,
    public_root: bool,
) -> None:
    """Print the token that connects an IoT system: server, root, contract and database in one text.

    \b
    Examples:
      lancert admin connection-token M240401 0f8fad5b-d9cb-469f-a165-70867728950e
      lancert admin connection-token M240401 0f8fad5b-d9cb-469f-a165-70867728950e \\
          --server https://service.iot.example.com
    """
    if public_root and root_fingerprint:
        raise click.UsageError("Give --root-fingerprint or --public-root, not both.")
    with looking(chosen, contract=contract, database=database) as connection:
        token = token_for(
            connection,
            contract=ContractCode(contract),
            database=DatabaseUuid(database),
            server=_checked(server) if server else _server(chosen),
            root_fingerprint=None if public_root else _fingerprint(chosen, root_fingerprint),
        )
    text = token.write().reveal()
    if chosen.as_json:
        print_json({"token": text, "server": token.server, "root_fingerprint": token.root_fingerprint})
        return
    click.echo(text)
    if sys.stdout.isatty():
        click.echo("")
        click.echo("Whoever has this text can connect an IoT system to the database. Paste it into the homepage of the")
        click.echo("IoT system (cogs > Server), or type there: lancert box connect TOKEN")


def _server(chosen: Chosen) -> str:
    """Give the address of the running service, else the one that is set."""
    running = _running(chosen.folder)
    if running is not None:
        return running
    settings = _settings(chosen)
    if settings.public_url:
        return _checked(settings.public_url)
    if settings.https_port == 0:
        raise click.UsageError("The service is not running and has no fixed port: name its address with --server.")
    port = "" if settings.https_port == 443 else f":{settings.https_port}"
    return f"https://{settings.service_name}{port}"


def _running(folder: Path) -> str | None:
    try:
        document = json.loads(read_limited(folder / _READY_FILE, _LIMIT))
        return _checked(document["url"])
    except (OSError, FileTooLarge, ValueError, TypeError, KeyError, click.UsageError):
        return None


def _settings(chosen: Chosen) -> ServiceSettings:
    try:
        return service_settings({"folder": chosen.folder})
    except SettingsError as error:
        raise click.ClickException(f"{error}.") from error


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise click.UsageError(f"“{url}” is not the address of a service: write https://service.example.com")
    return url.rstrip("/")


def _fingerprint(chosen: Chosen, given: str | None) -> str | None:
    if given:
        try:
            return parse_fingerprint(given)
        except NotAToken as error:
            raise click.UsageError(str(error)) from error
    with contextlib.suppress(SettingsError):
        if service_settings({"folder": chosen.folder}).certificate is not None:
            return None
    try:
        return read_root(chosen.folder / AUTHORITY_FOLDER).fingerprint(hashes.SHA256()).hex()
    except AuthorityUnusable as error:
        raise click.ClickException(f"{error} Or say --public-root.") from error
