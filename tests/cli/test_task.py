"""The scheduled task of Windows: its description, and the commands that register it, seen from Linux."""

import json
import stat
import sys
from pathlib import Path, PureWindowsPath
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner

from lancert.box.scheduled_task import (
    Program,
    belongs_to_one_account,
    firewall_rule,
    registration,
    task_file,
    task_xml,
)
from lancert.cli import group
from lancert.cli.box.task import register

PROGRAM = Program(
    python=PureWindowsPath(r"C:\Program Files\lancert\Scripts\python.exe"),
    folder=PureWindowsPath(r"C:\ProgramData\lancert & sons\box"),
)
SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"

# The elements of the schema that may stand in each element (MS-TSCH, 2.5, and the pages of the Task Scheduler schema).
SCHEMA = {
    "Task": {"RegistrationInfo", "Triggers", "Principals", "Settings", "Data", "Actions"},
    "RegistrationInfo": {"URI", "Source", "Date", "Author", "Version", "Description", "Documentation"},
    "Triggers": {"BootTrigger", "TimeTrigger", "LogonTrigger", "EventTrigger", "CalendarTrigger", "IdleTrigger"},
    "BootTrigger": {"Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "Delay"},
    "TimeTrigger": {"Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "RandomDelay"},
    "Repetition": {"Interval", "Duration", "StopAtDurationEnd"},
    "Principals": {"Principal"},
    "Principal": {
        *("UserId", "LogonType", "GroupId", "DisplayName", "RunLevel", "ProcessTokenSidType", "RequiredPrivileges"),
    },
    "RequiredPrivileges": {"Privilege"},
    "Settings": {
        "AllowStartOnDemand",
        "AllowHardTerminate",
        "RestartOnFailure",
        "MultipleInstancesPolicy",
        "DisallowStartIfOnBatteries",
        "StopIfGoingOnBatteries",
        "StartWhenAvailable",
        "RunOnlyIfNetworkAvailable",
        "NetworkSettings",
        "NetworkProfileName",
        "Enabled",
        "Hidden",
        "DeleteExpiredTaskAfter",
        "IdleSettings",
        "ExecutionTimeLimit",
        "Priority",
        "RunOnlyIfIdle",
        "WakeToRun",
    },
    "RestartOnFailure": {"Interval", "Count"},
    "Actions": {"Exec", "ComHandler", "SendEmail", "ShowMessage"},
    "Exec": {"Command", "Arguments", "WorkingDirectory"},
}


def _task() -> ElementTree.Element:
    return ElementTree.fromstring(task_file(task_xml(PROGRAM)))


def _text(path: str) -> str | None:
    return _task().findtext("/".join(f"{SPACE}{name}" for name in path.split("/")))


def _unknown(parent: ElementTree.Element) -> list[str]:
    allowed = SCHEMA.get(parent.tag.removeprefix(SPACE), set())
    wrong = [f"{child.tag} in {parent.tag}" for child in parent if child.tag.removeprefix(SPACE) not in allowed]
    return [*wrong, *(deeper for child in parent for deeper in _unknown(child))]


def test_every_element_is_where_the_schema_has_it() -> None:
    """The Task Scheduler refuses a task with an element it does not know; one element stands once."""
    task = _task()

    assert task.tag == f"{SPACE}Task"
    assert task.get("version") == "1.3"
    assert _unknown(task) == []
    for parent in task.iter():
        assert len({child.tag for child in parent}) == len(parent)


def test_the_elements_of_a_trigger_are_in_their_order() -> None:
    """They are a sequence in the schema (triggerBaseType), other elements may stand in any order."""
    order = ["Enabled", "StartBoundary", "EndBoundary", "Repetition", "ExecutionTimeLimit", "Delay", "RandomDelay"]
    for trigger in _task().findall(f"{SPACE}Triggers/*"):
        places = [order.index(child.tag.removeprefix(SPACE)) for child in trigger]
        assert places == sorted(places)


def test_an_element_in_the_wrong_place_is_found() -> None:
    """The check above can fail."""
    task = _task()
    ElementTree.SubElement(task, f"{SPACE}Priority")

    assert _unknown(task) == [f"{SPACE}Priority in {SPACE}Task"]


@pytest.mark.promise("M19")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("Triggers/BootTrigger/Enabled", "true"),
        ("Triggers/TimeTrigger/Repetition/Interval", "PT1M"),
        ("Triggers/TimeTrigger/Repetition/Duration", None),
        ("Triggers/TimeTrigger/StartBoundary", "2020-01-01T00:00:00"),
        ("Triggers/TimeTrigger/EndBoundary", None),
        ("Principals/Principal/UserId", "S-1-5-19"),
        ("Principals/Principal/RunLevel", "LeastPrivilege"),
        ("Principals/Principal/LogonType", None),
        ("Principals/Principal/RequiredPrivileges/Privilege", "SeChangeNotifyPrivilege"),
        ("Settings/MultipleInstancesPolicy", "IgnoreNew"),
        ("Settings/ExecutionTimeLimit", "PT0S"),
        ("Settings/DisallowStartIfOnBatteries", "false"),
        ("Settings/StopIfGoingOnBatteries", "false"),
        ("Settings/RunOnlyIfNetworkAvailable", "false"),
        ("Settings/Priority", "5"),
        ("Settings/RestartOnFailure/Interval", "PT1M"),
        ("Settings/RestartOnFailure/Count", "255"),
        ("Actions/Exec/Command", r"C:\Program Files\lancert\Scripts\python.exe"),
        ("Actions/Exec/Arguments", r'-I -m lancert box run --watchdog 60 --folder "C:\ProgramData\lancert & sons\box"'),
        ("Actions/Exec/WorkingDirectory", r"C:\ProgramData\lancert & sons\box"),
    ],
)
def test_the_agent_runs_from_boot_for_ever_with_few_rights(path: str, value: str | None) -> None:
    """M19: at boot, within a minute after whatever ended it, as LocalService, on battery, without a time limit."""
    assert _text(path) == value


def test_the_principal_is_the_one_the_action_names() -> None:
    """An action of a principal that does not exist is not run."""
    task = _task()
    principal, actions = task.find(f".//{SPACE}Principal"), task.find(f"{SPACE}Actions")

    assert principal is not None
    assert actions is not None
    assert principal.get("id") == actions.get("Context") == "agent"


def test_the_file_of_the_task_is_utf_16_as_the_task_scheduler_writes_it() -> None:
    """With a byte order mark, and lines that Windows' own editors show."""
    file = task_file(task_xml(PROGRAM))

    assert file[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = file.decode("utf-16")
    assert text.startswith('<?xml version="1.0" encoding="UTF-16"?>\r\n')
    assert text.count("\n") == text.count("\r\n") > 30


def test_the_firewall_lets_in_the_own_network_alone() -> None:
    """Both doors, and not on the network of a hotel."""
    assert firewall_rule((8080, 8443)) == (
        'netsh advfirewall firewall add rule name="lancert-box" dir=in action=allow protocol=TCP '
        "localport=8080,8443 profile=private,domain"
    )


@pytest.mark.parametrize(
    ("path", "belongs"),
    [
        (r"C:\Users\Anna\AppData\Local\Programs\Python\Python313", True),
        (r"c:\users\anna\lancert\Scripts\python.exe", True),
        (r"C:\Users\Public\lancert", False),
        (r"C:\Program Files\Python313", False),
        (r"D:\Users\lancert", False),
    ],
)
def test_a_python_of_one_account_is_recognised(path: str, belongs: bool) -> None:
    """LocalService cannot read in anybody's own folder, and the task would never start."""
    assert belongs_to_one_account(PureWindowsPath(path), PureWindowsPath(r"C:\Users")) is belongs


@pytest.fixture
def schtasks(tmp_path: Path) -> Path:
    """A program in the place of schtasks: it notes what it is asked and what is in the file it is given."""
    program = tmp_path / "schtasks"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, sys, pathlib\n"
        "given = sys.argv[1:]\n"
        "file = pathlib.Path(given[given.index('/xml') + 1]) if '/xml' in given else None\n"
        "seen = {'given': given, 'file': file.read_bytes().decode('utf-16') if file else None,\n"
        "        'mode': file.stat().st_mode & 0o777 if file else None}\n"
        "with open(sys.argv[0] + '.seen', 'a') as notes:\n"
        "    notes.write(json.dumps(seen) + '\\n')\n"
        "sys.exit(5 if pathlib.Path(sys.argv[0] + '.refuse').exists() else 0)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return program


def _seen(schtasks: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in schtasks.with_name("schtasks.seen").read_text().splitlines()]


def test_the_task_is_made_and_started_and_its_file_is_gone(schtasks: Path, tmp_path: Path) -> None:
    """An older task gives way, and what is left in the folder is the agent's own."""
    folder = tmp_path / "box"
    folder.mkdir()
    register(task_xml(PROGRAM), folder, str(schtasks))

    made, started = _seen(schtasks)
    assert made["given"] == ["/create", "/tn", "lancert-box", "/xml", str(folder / "task.xml"), "/f"]
    assert "S-1-5-19" in str(made["file"])
    assert made["mode"] == 0o600
    assert started["given"] == ["/run", "/tn", "lancert-box"]
    assert list(folder.iterdir()) == []


def test_a_task_scheduler_that_refuses_is_reported(schtasks: Path, tmp_path: Path) -> None:
    """Nothing is started that was not made, and the sentence says with what it ended."""
    folder = tmp_path / "box"
    folder.mkdir()
    schtasks.with_name("schtasks.refuse").touch()

    with pytest.raises(click.ClickException, match=r"schtasks /create” ended with 5"):
        register(task_xml(PROGRAM), folder, str(schtasks))
    assert len(_seen(schtasks)) == 1
    assert list(folder.iterdir()) == []


def test_the_registration_names_the_file_and_the_task() -> None:
    """Paths of Windows stay as they are."""
    make, start = registration(PureWindowsPath(r"C:\ProgramData\lancert\box\task.xml"))

    assert make[-2:] == (r"C:\ProgramData\lancert\box\task.xml", "/f")
    assert start == ("/run", "/tn", "lancert-box")


def test_the_task_can_be_looked_at_on_any_system(tmp_path: Path) -> None:
    """--print shows it and changes nothing."""
    shown = CliRunner().invoke(group, ["box", "install-task", "--print", "--folder", str(tmp_path / "my box")])

    assert shown.exit_code == 0, shown.output
    task = ElementTree.fromstring(shown.output)
    assert task.findtext(f".//{SPACE}Command") == sys.executable
    assert f'"{tmp_path / "my box"}"' in (task.findtext(f".//{SPACE}Arguments") or "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["install-task", "remove-task"])
def test_on_linux_the_command_says_that_it_is_for_windows(command: str, tmp_path: Path) -> None:
    """And what to use instead."""
    ended = CliRunner().invoke(group, ["box", command, "--folder", str(tmp_path / "box")])

    assert ended.exit_code == 1
    assert "for Windows" in ended.output
    assert "docs/guides/debian.md" in ended.output
    assert list(tmp_path.iterdir()) == []
