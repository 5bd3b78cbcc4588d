"""``lancert admin``: tenants, contracts, subscriptions, databases and boxes, changed and looked at by operators.

The commands work on the service's database through the use cases of ``service.directory``, beside a running service
or without one. Exit status 2 says that the command line is wrong, 1 that it could not be done.
"""

from pathlib import Path

import click

from lancert.cli.admin import boxes, contracts, databases, subscriptions, tenants, token
from lancert.cli.admin.options import Suggesting


@click.group(cls=Suggesting)
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), help="The folder of the service.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
@click.pass_context
def command(context: click.Context, folder: Path | None, as_json: bool) -> None:
    """Tenants, contracts, subscriptions, databases and boxes.

    \b
    A tenant gets its first certificate with:
      lancert admin tenant add "Bakery Rossi"
      lancert admin contract add M240401 --tenant bakery-rossi
      lancert admin subscription add --contract M240401 --status in-progress --line iot-box=2
      lancert admin database add 0f8fad5b-d9cb-469f-a165-70867728950e --tenant bakery-rossi --name rossi \\
          --environment production
      lancert admin connection-token M240401 0f8fad5b-d9cb-469f-a165-70867728950e

    \b
    Later:
      lancert admin box list
      lancert admin subscription set S-1a2b3c4d --status paused
      lancert admin database set 0f8fad5b-d9cb-469f-a165-70867728950e --environment staging
    """
    context.obj = {"folder": folder, "as_json": as_json}


for _subject in (tenants.tenant, contracts.contract, subscriptions.subscription, databases.database, boxes.box):
    command.add_command(_subject)
command.add_command(token.connection_token)
