"""``lancert box reset``: back to factory settings, said exactly before and after."""

import time
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.options import existing, folder_option, sentence_of, settings_read

_PATIENCE = 30.0  # seconds for an agent to notice, to end what is under way and to remove everything
_LOOK = 0.1

_REMOVED = {
    "identity.pem": "its identity",
    "certificates/": "certificates and their keys",
    "stop-gap.pem": "the self-signed certificate",
    "connection.json": "server, root, contract and database UUID",
    "server.json": "the server",
    "root.pem": "the root of the server",
    "credential.json": "contract and database UUID",
    "enrolment.json": "its name",
    "log/": "the log",
    "log-level.json": "the log level",
    "pin.json": "the PIN",
}


@click.command()
@folder_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(folder: Path, yes: bool) -> None:
    """Remove everything this IoT system knows: back to factory settings, with a new PIN.

    Identity, credential, certificates, keys and log are removed; the settings file box.toml is kept. A running agent
    does it by itself and goes on serving the homepage. It cannot be undone.
    """
    from lancert.box import reset as factory
    from lancert.box.pin import shown

    try:
        _announce(existing(folder), factory.contents(folder))
        if not yes:
            click.confirm("Reset this IoT system to factory settings?", abort=True)
        pin = factory.ask(folder)
        by_agent, left = _carry_out(folder)
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    if left is None:
        told = "The agent has not done it yet. It is done at its next start: restart the agent."
        raise click.ClickException(f"{told} The PIN is then {shown(pin)}.")
    if left:
        told = f"Not everything could be removed: {', '.join(left)}. Remove that by hand and restart the agent."
        raise click.ClickException(f"{told} The PIN is then {shown(pin)}.")
    click.echo("This IoT system is as on the first day." + (" Its agent serves the homepage." if by_agent else ""))
    click.echo(f"Its new PIN: {shown(pin)}    (lancert box pin makes another one)")
    click.echo("Next: lancert box connect TOKEN. The old one is still known to the service;")
    click.echo("its operator removes it with: lancert admin box remove LABEL")


def _announce(folder: Path, contents: Any) -> None:
    click.echo(f"This removes from {folder}:")
    for name in contents.removed or ("nothing",):
        click.echo(f"  {name:<20} {_REMOVED.get(name, '')}".rstrip())
    click.echo("and keeps:")
    for name in contents.kept:
        click.echo(f"  {name:<20} the settings you wrote")
    click.echo("  the program, and what was handed over to other programs of this machine")
    for file in _handed_over():
        click.echo(f"    {file} with its key: remove it by hand")
    click.echo("Keys are overwritten first. A memory card or SSD may keep older copies that no program can reach.")


def _handed_over() -> list[str]:
    """Give the files of other programs, and the folders behind their links, that hold the key of the certificate."""
    from lancert.box.deploy.reading import parse_targets

    targets, _ = parse_targets(settings_read().values.get("deploy"))
    files = [path for target in targets for part, path in target.files if part.holds_key]
    return [str(path) for path in (*files, *(target.home for target in targets)) if path.exists()]


def _carry_out(folder: Path) -> tuple[bool, Any]:
    """Reset the folder, or have the agent do it that holds its lock; what is left is None when it did not in time."""
    from lancert.box import reset as factory
    from lancert.kit.files import AlreadyLocked, lock

    end = time.monotonic() + _PATIENCE
    while True:
        try:
            with lock(folder):
                # An agent that ended meanwhile may have done it.
                return False, factory.finish(folder) if factory.asked(folder) else ()
        except AlreadyLocked:
            if not factory.asked(folder):
                return True, ()
        if time.monotonic() > end:
            return True, None
        time.sleep(_LOOK)
