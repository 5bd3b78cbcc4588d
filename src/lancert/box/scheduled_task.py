"""The scheduled task that runs the agent on Windows: its description in XML and the commands that register it.

Pure: nothing is called here, so a task can be looked at on any system. It follows the Task Scheduler schema 1.3
(MS-TSCH, 2.5). The task runs as LocalService, the account of Windows with the fewest rights that needs no password:
ports are free for everybody on Windows, and the folder of the agent is given to it and to nobody else.
"""

import subprocess
from dataclasses import dataclass
from pathlib import PurePath, PureWindowsPath
from xml.etree import ElementTree

from lancert.kit.platform.windows_access import LOCAL_SERVICE

NAME = "lancert-box"
"""How the task and the rule of the firewall are called."""

_AGENT = "agent"  # the principal, by which the action names it
_SCHEMA = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_EVERY_MINUTE = "PT1M"
_LONG_AGO = "2020-01-01T00:00:00"
_NO_LIMIT = "PT0S"
# To reach a folder below others; every account has it, and LocalService loses all that it has besides.
_ONLY_PRIVILEGE = "SeChangeNotifyPrivilege"
_PATIENCE = "60"  # seconds in which HTTPS may not answer; then the agent ends, and the next minute starts another
_NORMAL_PRIORITY = "5"  # the default of a task is below that of every program, for the disk too
_RESTARTS = "255"  # the largest number the schema allows; what happens after them is the minute trigger's affair
_SETTINGS = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "false",
    "StopIfGoingOnBatteries": "false",
    "StartWhenAvailable": "true",
    "RunOnlyIfNetworkAvailable": "false",
    "RunOnlyIfIdle": "false",
    "ExecutionTimeLimit": _NO_LIMIT,
    "Priority": _NORMAL_PRIORITY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What the task starts: an interpreter, and the folder of the agent."""

    python: PurePath
    folder: PurePath

    @property
    def arguments(self) -> str:
        """Write the command line behind the interpreter, quoted as Windows programs take it apart.

        ``-I`` keeps the packages of an account and the current folder out: only what is installed is run.
        """
        run = ["-I", "-m", "lancert", "box", "run", "--watchdog", _PATIENCE, "--folder", str(self.folder)]
        return subprocess.list2cmdline(run)


def task_xml(program: Program) -> str:
    """Write the task: at boot, again within a minute whatever ended it, without time limit, on battery too."""
    ElementTree.register_namespace("", _SCHEMA)
    task = ElementTree.Element(_named("Task"), {"version": "1.3"})
    registration = _below(task, "RegistrationInfo")
    _below(registration, "Author", "lancert")
    _below(registration, "Description", "Keeps the HTTPS certificate of this IoT system and serves its homepage.")
    _write_triggers(_below(task, "Triggers"))
    _write_principal(_below(_below(task, "Principals"), "Principal", id=_AGENT))
    _write_settings(_below(task, "Settings"))
    action = _below(_below(task, "Actions", Context=_AGENT), "Exec")
    _below(action, "Command", str(program.python))
    _below(action, "Arguments", program.arguments)
    _below(action, "WorkingDirectory", str(program.folder))
    ElementTree.indent(task)
    return ElementTree.tostring(task, encoding="unicode") + "\n"


def _write_triggers(triggers: ElementTree.Element) -> None:
    _below(_below(triggers, "BootTrigger"), "Enabled", "true")
    # A program that ends is no failure to the Task Scheduler, whatever its status: it only tries again what it could
    # not start (MS-TSCH, 2.5.4.2). So it is asked every minute to start the task, and ignores that while it runs.
    minute = _below(triggers, "TimeTrigger")
    _below(minute, "Enabled", "true")
    _below(minute, "StartBoundary", _LONG_AGO)
    repetition = _below(minute, "Repetition")  # without a duration, for ever
    _below(repetition, "Interval", _EVERY_MINUTE)
    _below(repetition, "StopAtDurationEnd", "false")


def _write_principal(principal: ElementTree.Element) -> None:
    _below(principal, "UserId", LOCAL_SERVICE)
    _below(principal, "RunLevel", "LeastPrivilege")
    _below(_below(principal, "RequiredPrivileges"), "Privilege", _ONLY_PRIVILEGE)


def _write_settings(settings: ElementTree.Element) -> None:
    for name, value in _SETTINGS.items():
        _below(settings, name, value)
    restart = _below(settings, "RestartOnFailure")
    _below(restart, "Interval", _EVERY_MINUTE)
    _below(restart, "Count", _RESTARTS)


def task_file(xml: str) -> bytes:
    """Give the bytes of the file that schtasks reads: UTF-16 with a byte order mark, lines as Windows ends them."""
    return f'<?xml version="1.0" encoding="UTF-16"?>\n{xml}'.replace("\n", "\r\n").encode("utf-16")


def registration(file: PurePath) -> tuple[tuple[str, ...], ...]:
    """Give the arguments of schtasks that make the task of a file, in place of an older one, and start it."""
    return ("/create", "/tn", NAME, "/xml", str(file), "/f"), ("/run", "/tn", NAME)


REMOVAL = ("/end", "/tn", NAME), ("/delete", "/tn", NAME, "/f")
"""The arguments of schtasks that stop the task and take it away; the first fails when it does not run."""


def firewall_rule(ports: tuple[int, ...]) -> str:
    """Write the command that lets the own network in, and only that; it works in every console of an administrator."""
    numbers = ",".join(str(port) for port in ports)
    return (
        f'netsh advfirewall firewall add rule name="{NAME}" dir=in action=allow protocol=TCP '
        f"localport={numbers} profile=private,domain"
    )


FIREWALL_REMOVAL = f'netsh advfirewall firewall delete rule name="{NAME}"'
"""The command that takes the rule of the firewall away."""


def belongs_to_one_account(path: PureWindowsPath, profiles: PureWindowsPath) -> bool:
    """Say whether a file lies in somebody's own folder, such as below C:\\Users, where LocalService cannot read."""
    return path.is_relative_to(profiles) and not path.is_relative_to(profiles / "Public")


def _named(name: str) -> str:
    return f"{{{_SCHEMA}}}{name}"


def _below(parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, _named(name), attributes)
    element.text = text
    return element
