"""``lancert box``: run the agent of this IoT system, connect it, look at it."""

import click

from lancert.box import lean_cryptography as lean_cryptography
from lancert.cli.box.connecting import connect
from lancert.cli.box.deploying import deploy
from lancert.cli.box.identity import identity
from lancert.cli.box.keeping import pin, renew
from lancert.cli.box.logs import logs
from lancert.cli.box.looking import doctor, status
from lancert.cli.box.reset import reset
from lancert.cli.box.running import run
from lancert.cli.box.task import install_task, remove_task
from lancert.kit.logs import write_logs


@click.group()
def command() -> None:
    """The IoT system: run it, connect it, look at it.

    \b
    Examples:
      lancert box run                                  on ports 80 and 443
      lancert box connect lct1.eyJz...                 with a connection token
      lancert box status
      lancert box doctor                               find out why HTTPS does not work
      lancert box logs --bundle logs.zip               all for support in one file, no secret in it
    """
    # What a command has to say it prints; the events of the log are the agent's, and "run" turns them on.
    write_logs()


for one in (run, connect, status, doctor, renew, pin, identity, logs, reset, install_task, remove_task, deploy):
    command.add_command(one)
