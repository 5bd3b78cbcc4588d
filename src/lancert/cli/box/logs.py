"""``lancert box logs``: what happened on this IoT system, to read or as one file for support."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import click

from lancert.cli.box.looking import patient_in
from lancert.cli.box.options import (
    address_option,
    existing,
    folder_option,
    kind_option,
    name_option,
    proxies,
    status_from_agent,
)


@click.command()
@folder_option
@address_option
@name_option
@kind_option
@click.option("--lines", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many to show.")
@click.option("--json", "as_json", is_flag=True, help="Show them as they were written, one JSON object a line.")
@click.option(
    "--bundle",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="Write all for support into a new zip file instead; - is standard output.",
)
def logs(
    folder: Path,
    addresses: tuple[str, ...],
    name: str | None,
    kind: str,
    lines: int,
    as_json: bool,
    bundle: Path | None,
) -> None:
    """Show the last lines of the log, or write all for support into one file.

    That file holds the log, the status, the doctor's table, versions, settings and a list of the files of this IoT
    system. No key, contract, database UUID, PIN or password is in it.

    \b
    Examples:
      lancert box logs --lines 200
      lancert box logs --bundle logs.zip
      lancert box logs --bundle - > logs.zip           where this account may not write
    """
    from lancert.box.folder import Folder

    opened = Folder(existing(folder))
    if bundle is None:
        _show(opened, lines, as_json)
        return
    to_output = str(bundle) == "-"
    if not to_output and _is_there(bundle):
        raise click.ClickException(f"{bundle} is there already. Name a new file.")
    content = _bundle(opened, addresses, name, kind)
    if to_output:
        sys.stdout.buffer.write(content)
        return
    from lancert.kit.files import write_private

    try:
        write_private(bundle, content)
    except OSError as error:
        raise click.ClickException(
            f"{bundle} cannot be written: {error.strerror or error}. Name a file where this account may write, "
            "or type: lancert box logs --bundle - > FILE"
        ) from error
    click.echo(f"{bundle}: {len(content) / 1000:.0f} kB. No secret is in it; send it to whoever helps you.")


def _is_there(file: Path) -> bool:
    try:
        file.lstat()
    except OSError:  # also where this account may not even look
        return False
    return True


def _show(folder: Any, lines: int, as_json: bool) -> None:
    from lancert.kit.logs import last_lines

    found = last_lines(folder.log_file, lines)
    if not found:
        click.echo("Nothing is recorded yet.", err=True)
    for line in found:
        click.echo(line if as_json else _readable(line))


def _readable(line: str) -> str:
    """Write an event for a terminal; a line that is none, and every sign a terminal would obey, as JSON shows it."""
    try:
        parts = json.loads(line)
        first = [str(parts.pop(name)) for name in ("time", "level", "event")]
    except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
        return json.dumps(line)
    parts.pop("part", None)
    rest = [f"{name}={json.dumps(value)}" for name, value in parts.items()]
    moment, level, event = (json.dumps(text)[1:-1] for text in first)
    return "  ".join([moment[:19].replace("T", " "), f"{level:<7}", event, *rest])


def _bundle(folder: Any, addresses: tuple[str, ...], name: str | None, kind: str) -> bytes:
    from lancert.box.bundle import Told, make_bundle
    from lancert.box.diagnosis.doctor import diagnose

    click.echo("Asking the doctor; that takes up to half a minute.", err=True)
    patient = patient_in(folder, addresses, name, kind)
    findings = asyncio.run(diagnose(patient))
    status = status_from_agent(folder)
    told = Told(facts=patient.facts, now=patient.now, findings=findings, status=status, proxies=proxies())
    return make_bundle(folder, told)
