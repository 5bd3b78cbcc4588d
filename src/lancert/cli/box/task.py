"""``lancert box install-task`` and ``remove-task``: the agent as a scheduled task of Windows."""

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

import click

from lancert.cli.box.options import folder_option, sentence_of, setting
from lancert.kit.platform import system

_NOT_WINDOWS = (
    "Scheduled tasks are for Windows, and this is another system. Here the Debian package starts the agent "
    "(docs/guides/debian.md), or “lancert box run” does in a terminal."
)
_NOT_ADMINISTRATOR = (
    "Only an administrator can do this. Open the start menu, type “cmd”, choose “Run as administrator”, and repeat "
    "the command there."
)


@click.command("install-task")
@folder_option
@click.option("--print", "only_print", is_flag=True, help="Write the XML of the task to standard output, do nothing.")
def install_task(folder: Path, only_print: bool) -> None:
    """Have Windows run the agent from boot on, as LocalService, and start it now.

    \b
    Examples:
      lancert box install-task                         as administrator
      lancert box install-task --print
    """
    from lancert.box.scheduled_task import Program, firewall_rule, task_xml

    folder = folder.absolute()
    xml = task_xml(Program(python=Path(sys.executable), folder=folder))
    if only_print:
        click.echo(xml, nl=False)
        return
    schtasks = _tool_of_administrator()
    ports = int(setting("http_port", 80)()), int(setting("https_port", 443)())
    _refuse_python_of_one_account()
    try:
        _give_folder(folder)
        register(xml, folder, schtasks)
    except OSError as error:
        raise click.ClickException(sentence_of(error, folder)) from error
    click.echo("The agent runs as the scheduled task “lancert-box”, from now on and after every start of Windows.")
    click.echo("“lancert box status” shows how it is doing, and “lancert box pin” makes a PIN for its homepage.")
    click.echo("If others on the network cannot open the homepage, let them in through the firewall:")
    click.echo(f"  {firewall_rule(ports)}")


@click.command("remove-task")
@folder_option
def remove_task(folder: Path) -> None:
    """Stop the agent and take its scheduled task away; its folder stays.

    \b
    Examples:
      lancert box remove-task                          as administrator
    """
    from lancert.box.scheduled_task import FIREWALL_REMOVAL, REMOVAL

    schtasks = _tool_of_administrator()
    stop, remove = REMOVAL
    _ends_with(schtasks, stop)
    _carry_out(schtasks, [remove])
    click.echo(f"The agent does not run any more. What it knows is still in {folder}: installed again, it is the same")
    click.echo("IoT system. If you opened the firewall for it, close it:")
    click.echo(f"  {FIREWALL_REMOVAL}")


def register(xml: str, folder: Path, schtasks: str) -> None:
    """Make the task with this program, from a file that is gone afterwards, and start it. Raises OSError."""
    from lancert.box.scheduled_task import registration, task_file
    from lancert.kit.files import write_private

    file = folder / "task.xml"
    write_private(file, task_file(xml))
    try:
        _carry_out(schtasks, registration(file))
    finally:
        file.unlink(missing_ok=True)


def _carry_out(schtasks: str, commands: Iterable[tuple[str, ...]]) -> None:
    for arguments in commands:
        status = _ends_with(schtasks, arguments)
        if status != 0:
            raise click.ClickException(
                f"The Task Scheduler did not do what it was asked (“schtasks {arguments[0]}” ended with {status}). "
                "What it said stands above."
            )


def _ends_with(schtasks: str, arguments: tuple[str, ...]) -> int:
    return subprocess.run([schtasks, *arguments], check=False).returncode  # noqa: S603 - Windows' own, no shell


def _tool_of_administrator() -> str:
    """Give the path of schtasks, on Windows and for an administrator."""
    if not system.HAS_SCHEDULED_TASKS:
        raise click.ClickException(_NOT_WINDOWS)
    from lancert.kit.platform.win32 import calls

    if not calls.is_administrator():
        raise click.ClickException(_NOT_ADMINISTRATOR)
    return str(calls.system_folder() / "schtasks.exe")


def _refuse_python_of_one_account() -> None:
    from lancert.box.scheduled_task import belongs_to_one_account
    from lancert.kit.platform.win32 import calls

    profiles = PureWindowsPath(calls.profiles_folder())
    for place in (sys.base_prefix, sys.prefix, str(Path(__file__))):
        if belongs_to_one_account(PureWindowsPath(place), profiles):
            raise click.ClickException(
                f"LocalService, as which the task runs, cannot read {place}. Install Python for all users and lancert "
                r"in a folder such as C:\Program Files\lancert (docs/guides/windows.md), and repeat the command there."
            )


def _give_folder(folder: Path) -> None:
    from lancert.kit.files import private_directory
    from lancert.kit.platform import windows
    from lancert.kit.platform.windows_access import LOCAL_SERVICE

    windows.give_to(private_directory(folder), LOCAL_SERVICE)
