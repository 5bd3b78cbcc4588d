"""``lancert box identity``: who this IoT system is to a server, for whoever makes it known there beforehand."""

from pathlib import Path

import click

from lancert.cli.box.options import folder_option, sentence_of


@click.command()
@folder_option
def identity(folder: Path) -> None:
    """Print the public identity of this IoT system; it is made at the first call and no secret.

    \b
    Example:
      lancert admin box add "$(lancert box identity)" --contract M240401 ...
    """
    from lancert.box.folder import Folder
    from lancert.box.keys import identity_key
    from lancert.protocol.signatures import identity_of

    try:
        click.echo(identity_of(identity_key(Folder(folder).identity)))
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
