"""``lancert box``: run the agent of this IoT system, connect it, look at it."""

import asyncio
import json
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from lancert.kit.settings import SettingsError, default_folder, read_settings, reader_languages

_SETTINGS = ("folder", "http_port", "https_port", "listen", "address", "name", "kind")


def _setting(name: str, default: Any) -> Callable[[], Any]:
    """Give the default of an option: the environment, then box.toml in the folder, then this."""

    def read() -> Any:
        try:
            found = read_settings("box", _SETTINGS, default_folder("box") / "box.toml")
        except SettingsError as error:
            raise click.ClickException(str(error)) from error
        value = found.get(name, default)
        return value.split(",") if isinstance(default, list) and isinstance(value, str) else value

    return read


_folder = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=lambda: default_folder("box"),
    help="Where this IoT system keeps its keys and settings.",
)
_address = click.option(
    "--address",
    "addresses",
    multiple=True,
    default=_setting("address", []),
    help="Address to publish; found otherwise.",
)
_name = click.option(
    "--name", default=_setting("name", None), help="Name shown on the homepage; the host name otherwise."
)
_kind = click.option(
    "--kind",
    type=click.Choice(["iot-box", "virtual"]),
    default=_setting("kind", "virtual" if sys.platform == "win32" else "iot-box"),
    help="Kind of IoT system.",
)


@click.group()
def command() -> None:
    """The IoT system: run it, connect it, look at it.

    \b
    Examples:
      lancert box run                                  on ports 80 and 443
      lancert box connect lct1.eyJz...                 with a connection token
      lancert box status
      lancert box doctor                               find out why HTTPS does not work
    """


@command.command()
@_folder
@click.option("--http-port", type=click.IntRange(0, 65535), default=_setting("http_port", 80), show_default="80")
@click.option("--https-port", type=click.IntRange(0, 65535), default=_setting("https_port", 443), show_default="443")
@click.option("--listen", multiple=True, default=_setting("listen", []), help="Address to listen on; all otherwise.")
@_address
@_name
@_kind
@click.option("--log-to-stderr", is_flag=True, help="Write the log to standard error too.")
def run(
    folder: Path,
    http_port: int,
    https_port: int,
    listen: tuple[str, ...],
    addresses: tuple[str, ...],
    name: str | None,
    kind: str,
    log_to_stderr: bool,
) -> None:
    """Run the agent and its homepage until it is stopped.

    \b
    Examples:
      lancert box run
      lancert box run --http-port 8080 --https-port 8443 --listen 127.0.0.1
    """
    from lancert.box.app import BoxSettings
    from lancert.box.app import run as run_box
    from lancert.protocol.messages import Kind

    settings = BoxSettings(
        folder=folder,
        name=name or _host_name(),
        kind=Kind(kind),
        http_port=http_port,
        https_port=https_port,
        listen=listen,
        addresses=_parse_addresses(addresses),
        log_to_stderr=log_to_stderr,
    )
    try:
        asyncio.run(run_box(settings, _say_started))
    except OSError as error:
        raise click.ClickException(_sentence(error, folder)) from error


def _say_started(started: Any) -> None:
    from lancert.box.pin import shown

    port = "" if started.ports.http == 80 else f":{started.ports.http}"
    shown_addresses = [f"[{one}]" if one.version == 6 else str(one) for one in started.addresses] or ["localhost"]
    click.echo("The homepage of this IoT system:")
    for address in shown_addresses:
        click.echo(f"  http://{address}{port}/")
    if started.new_pin is not None:
        click.echo(f"Its PIN, shown only now: {shown(started.new_pin)}    (lancert box pin makes a new one)")
    sys.stdout.flush()


def _sentence(error: OSError, folder: Path) -> str:
    from lancert.box.listener import CannotListen
    from lancert.kit.files import AlreadyLocked

    if isinstance(error, AlreadyLocked):
        return f"An agent already runs with the folder {folder}. Stop it first, or name another one with --folder."
    if isinstance(error, CannotListen):
        return f"{error}. Choose others with --http-port and --https-port."
    return f"The folder {folder} cannot be used: {error.strerror or error}. Name another one with --folder."


@command.command()
@_folder
@click.argument("server_or_token", metavar="SERVER|TOKEN")
@click.option("--contract", help="Contract of the database.")
@click.option("--database", help="UUID of the database.")
@click.option("--ca", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="File with the server's root.")
@click.option("--root-fingerprint", help="SHA-256 of the server's root, in place of --ca.")
def connect(
    folder: Path,
    server_or_token: str,
    contract: str | None,
    database: str | None,
    ca: Path | None,
    root_fingerprint: str | None,
) -> None:
    """Connect this IoT system to its server. A running agent notices by itself.

    \b
    Examples:
      lancert box connect lct1.eyJz...
      lancert box connect https://iot.example.com --contract M240401 \\
          --database 0f8fad5b-d9cb-469f-a165-70867728950e
      lancert box connect https://service.lab.example:8443 --ca root.pem --contract ... --database ...
    """
    from lancert.box.connecting import ConnectRefused, credential_of, server_of
    from lancert.box.connecting import connect as connect_box
    from lancert.box.facts import NotAServer, parse_server
    from lancert.box.folder import Folder
    from lancert.protocol.credential import NotACredential, NotAToken, parse_fingerprint, parse_token

    if ca is not None and root_fingerprint is not None:
        raise click.UsageError("Give --ca or --root-fingerprint, not both.")
    try:
        if server_or_token.strip().startswith("lct1."):
            if contract or database or ca or root_fingerprint:
                raise click.UsageError("A connection token says everything: leave the other options out.")
            token = parse_token(server_or_token)
            server, credential = server_of(token), credential_of(token)
        else:
            server = parse_server(server_or_token, parse_fingerprint(root_fingerprint) if root_fingerprint else None)
            credential = _credential(contract, database)
        roots = _read_roots(ca) if ca else []
        asyncio.run(connect_box(Folder(folder), server, credential, roots))
    except (NotAServer, NotAToken, NotACredential) as error:
        raise click.UsageError(str(error)) from error
    except ConnectRefused as refused:
        raise click.ClickException(_in_words(refused.problem)) from refused
    except OSError as error:
        raise click.ClickException(_sentence(error, folder)) from error
    click.echo(f"Connected to {server.url}.")
    missing = Folder(folder).credential().missing
    if missing:
        click.echo("Still missing: " + ", ".join(missing) + ". Give --contract and --database.")
    click.echo("A running agent asks for the certificate now; lancert box status shows the result.")


def _credential(contract: str | None, database: str | None) -> Any:
    from lancert.protocol.credential import Credential, parse_contract, parse_database_uuid

    if contract is None and database is None:
        return None
    return Credential(
        contract=parse_contract(contract) if contract else None,
        database=parse_database_uuid(database) if database else None,
    )


def _read_roots(file: Path) -> Any:
    from lancert.kit.files import read_limited
    from lancert.protocol.certificate import NotAChain, read_chain

    try:
        return list(read_chain(read_limited(file, 65_536)))
    except (NotAChain, OSError) as error:
        raise click.UsageError(f"{file.name} is not a root certificate in PEM: {error}") from error


def _in_words(problem: Any) -> str:
    translate = _translate()
    steps = "\n".join(f"  {step}" for step in problem.remedy(translate))
    return f"{problem.cause_meaning(translate)}\n{steps}\nNothing was changed."


@command.command()
@_folder
@_address
@_name
@_kind
@click.option("--json", "as_json", is_flag=True, help="Print the same document as /status.json of the homepage.")
def status(folder: Path, addresses: tuple[str, ...], name: str | None, kind: str, as_json: bool) -> None:
    """Say how this IoT system is doing. Exit status 0 when HTTPS works, 1 otherwise."""
    from lancert.box.folder import Folder
    from lancert.box.gathering import facts_on_disk
    from lancert.box.status import status_document
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    opened = Folder(_existing(folder))
    document = _from_agent(opened)
    is_running = document is not None
    if document is None:
        facts = facts_on_disk(opened, name=name or _host_name(), kind=Kind(kind), addresses=_parse_addresses(addresses))
        document = status_document(facts, SystemClock().now(), _translate())
    if as_json:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        _print_status(document, is_running)
    sys.exit(0 if document["state"] in ("secure", "attention") else 1)


def _from_agent(folder: Any) -> dict[str, Any] | None:
    """Ask the running agent, which knows what is under way; None when none answers."""
    ports = folder.listening()
    if ports is None:
        return None
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


def _print_status(document: dict[str, Any], is_running: bool) -> None:
    certificate = document["certificate"]
    rows = [
        ("state", document["state"] + ("" if is_running else " (the agent is not running)")),
        ("homepage", document["url"] or "no HTTPS URL yet"),
        *(("", f"{entry['http']} always works") for entry in document["urls"]),
        ("server", document["server"] or "not connected"),
        (
            "certificate",
            f"valid from {certificate['not_before']} until {certificate['not_after']}" if certificate else "none yet",
        ),
        ("next try", document["next_try"] or "after something was changed"),
    ]
    click.secho(document["name"], bold=True)
    for label, text in rows:
        click.echo(f"  {label:<12} {text}")
    for problem in document["problems"]:
        click.echo("")
        click.secho(problem["code"], bold=True)
        click.echo(f"  {problem['title']}. {problem['meaning']}")
        if problem["cause"] and problem["cause"]["id"] != "refused":
            click.echo(f"  {problem['cause']['meaning']}")
        for reason in problem["reasons"]:
            click.echo(f"  - {reason['meaning']}")
        for number, step in enumerate(problem["remedy"], 1):
            click.echo(f"  {number}. {step}")


@command.command()
@_folder
@_address
@_name
@_kind
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
def doctor(folder: Path, addresses: tuple[str, ...], name: str | None, kind: str, as_json: bool) -> None:
    """Check everything between this IoT system and its lock. Exit status 0 when all is fine, 1 otherwise."""
    from lancert.box.client import Client
    from lancert.box.diagnosis.doctor import diagnose, is_healthy
    from lancert.box.folder import Folder
    from lancert.box.gathering import facts_on_disk
    from lancert.kit.clock import SystemClock
    from lancert.protocol.messages import Kind

    opened, clock = Folder(_existing(folder)), SystemClock()
    facts = facts_on_disk(opened, name=name or _host_name(), kind=Kind(kind), addresses=_parse_addresses(addresses))
    client = Client(facts.server, opened.roots(), clock) if facts.server else None
    findings = asyncio.run(diagnose(facts, client, clock.now(), own_host="127.0.0.1"))
    translate = _translate()
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "check": finding.check,
                        "verdict": finding.verdict.value,
                        "sentence": finding.words(translate),
                        "remedy": finding.steps(translate),
                    }
                    for finding in findings
                ],
                indent=2,
                ensure_ascii=False,
            )
        )
    else:
        signs = {"fine": "✓ fine", "wrong": "✗ wrong", "not-tried": "· not tried"}
        for finding in findings:
            click.echo(f"{signs[finding.verdict.value]:<12} {translate(finding.title)}: {finding.words(translate)}")
            for step in finding.steps(translate):
                click.echo(f"{'':<12}   → {step}")
    sys.exit(0 if is_healthy(findings) else 1)


@command.command()
@_folder
def pin(folder: Path) -> None:
    """Make a new PIN for the homepage and show it; the old one stops working."""
    from lancert.box.folder import Folder
    from lancert.box.pin import new_pin, shown

    try:
        made = new_pin(Folder(folder).pin)
    except OSError as error:
        raise click.ClickException(_sentence(error, folder)) from error
    click.echo(f"The new PIN of this IoT system: {shown(made)}")


def _existing(folder: Path) -> Path:
    if not folder.is_dir():
        raise click.ClickException(
            f"There is no IoT system in the folder {folder}. Start one with “lancert box run”, or name its --folder."
        )
    return folder


def _host_name() -> str:
    return socket.gethostname().split(".")[0] or "IoT system"


def _parse_addresses(texts: tuple[str, ...]) -> Any:
    from lancert.protocol.names import address_ranges, parse_address

    ranges = address_ranges(shared=True, link_local=True, loopback=True)
    found = []
    for text in texts:
        address = parse_address(text)
        if address is None or not ranges.allow(address):
            raise click.UsageError(f"“{text}” is not a private address, such as 192.168.1.5.")
        found.append(address)
    return tuple(found)


def _translate() -> Callable[[str], str]:
    from lancert.kit.language import translation

    return translation(reader_languages()).gettext
