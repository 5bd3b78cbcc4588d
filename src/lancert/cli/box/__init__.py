"""``lancert box``: run the agent of this IoT system, connect it, look at it."""

import click

from lancert.cli.box.connecting import connect
from lancert.cli.box.keeping import pin, renew
from lancert.cli.box.looking import doctor, status
from lancert.cli.box.running import run
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
    """
    # What a command has to say it prints; the events of the log are the agent's, and "run" turns them on.
    write_logs()


for one in (run, connect, status, doctor, renew, pin):
    command.add_command(one)
