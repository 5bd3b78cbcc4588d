"""``lancert box renew`` and ``pin``: what the person in charge asks of a running agent."""

from pathlib import Path

import click

from lancert.cli.box.options import existing, folder_option, sentence_of, status_from_agent


@click.command()
@folder_option
def renew(folder: Path) -> None:
    """Have the running agent ask for a new certificate now, although the old one will do.

    The old one is served until the new one is there, and for as long as it is valid if the service refuses.
    """
    from lancert.box.folder import Folder

    opened = Folder(existing(folder))
    try:
        opened.ask_for_renewal()
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    if status_from_agent(opened) is None:
        click.echo("Noted; no agent is running, so it is done at the next start: lancert box run")
    else:
        click.echo("The agent asks for a new certificate within seconds; lancert box status shows the result.")


@click.command()
@folder_option
def pin(folder: Path) -> None:
    """Make a new PIN for the homepage and show it; the old one stops working."""
    from lancert.box.folder import Folder
    from lancert.box.pin import new_pin, shown

    try:
        made = new_pin(Folder(existing(folder)).pin)
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    click.echo(f"The new PIN of this IoT system: {shown(made)}")
