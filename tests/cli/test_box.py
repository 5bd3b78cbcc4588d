"""``lancert box`` where no agent runs: what each command says, with which exit status, and what it leaves."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click.testing
import pytest

from lancert.cli import group

Answer = click.testing.Result
Lancert = Callable[..., Answer]
ROOT_FINGERPRINT = "ab" * 32
UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an IoT system, not there yet."""
    return tmp_path / "box"


@pytest.fixture
def box(folder: Path) -> Lancert:
    """Type a command of ``lancert box`` for this folder."""

    def type_it(command: str, *arguments: str, env: dict[str, str] | None = None) -> Answer:
        words = ["box", command, "--folder", str(folder), *arguments]
        return click.testing.CliRunner().invoke(group, words, prog_name="lancert", env=env)

    return type_it


@pytest.fixture
def connected(box: Lancert) -> Lancert:
    """The same, connected to a server that is trusted publicly, with a contract and no database UUID."""
    assert box("connect", "https://iot.example.com", "--contract", "M240401").exit_code == 0
    return box


@pytest.mark.parametrize("command", ["status", "doctor", "renew", "pin"])
def test_a_folder_that_is_not_there_is_named_and_not_made(box: Lancert, folder: Path, command: str) -> None:
    """Whoever looks in the wrong place is told so, instead of about a new IoT system nobody has."""
    answer = box(command)

    assert answer.exit_code == 1
    assert f"There is no IoT system in the folder {folder}." in answer.output
    assert "“lancert box run”" in answer.output
    assert not folder.exists()


@pytest.mark.promise("M12")
def test_the_status_of_an_iot_system_that_was_never_connected(box: Lancert, folder: Path) -> None:
    """State, code, meaning and what to do; exit status 1 because HTTPS does not work."""
    folder.mkdir()

    answer = box("status", "--address", "192.168.1.5", "--name", "till")

    assert answer.exit_code == 1
    for text in (
        "till",
        "not-connected (the agent is not running)",
        "http://192.168.1.5/ always works",
        "server       not connected",
        "certificate  none yet",
        "ERR_IOT_HTTPS_CHECK_NO_SERVER",
        "No server is configured",
        "1. Get a connection token",
    ):
        assert text in answer.output


def test_status_in_json_is_the_document_of_the_homepage(connected: Lancert) -> None:
    """Programs get the fields of status.json, whether the agent runs or not."""
    answer = connected("status", "--json", "--address", "192.168.1.5")

    document: dict[str, Any] = json.loads(answer.output)
    assert answer.exit_code == 1
    assert document["state"] == "blocked"
    assert document["server"] == "https://iot.example.com"
    assert document["credential"] == {"contract": "set", "database_uuid": "missing"}
    assert [problem["code"] for problem in document["problems"]] == ["ERR_IOT_HTTPS_LOAD_NO_CREDENTIAL"]
    assert "M240401" not in answer.output


def test_connecting_says_what_is_missing_and_what_comes_next(box: Lancert, folder: Path) -> None:
    """Nothing of the credential is printed; the file that holds it is private."""
    first = box("connect", "iot.example.com", "--contract", "M240401")
    second = box("connect", "iot.example.com", "--database", UUID)

    assert "The server of this IoT system is https://iot.example.com now." in first.output
    assert "Still missing: database." in first.output
    assert "Still missing" not in second.output
    assert "lancert box status" in second.output
    assert "M240401" not in first.output + second.output
    assert (folder / "connection.json").stat().st_mode & 0o077 == 0


def test_renewing_without_an_agent_is_noted_for_the_next_start(connected: Lancert, folder: Path) -> None:
    """The wish is kept, and it is said that nobody takes it up yet."""
    answer = connected("renew")

    assert answer.exit_code == 0
    assert "no agent is running" in answer.output
    assert (folder / "renewal-asked.json").exists()


def test_a_new_pin_is_shown_once_and_kept_as_a_hash(connected: Lancert, folder: Path) -> None:
    """Ten digits in groups as they are read aloud, each time others (S-31)."""
    pins = [connected("pin").output.rpartition(":")[2].strip() for _ in range(3)]

    assert len(set(pins)) == 3
    for pin in pins:
        assert [len(part) for part in pin.split(" ")] == [3, 3, 4]
        digits = pin.replace(" ", "")
        assert digits.isdigit()
        assert digits not in (folder / "pin.json").read_text()
    assert (folder / "pin.json").stat().st_mode & 0o077 == 0


def test_the_settings_come_from_the_environment_too(box: Lancert, folder: Path) -> None:
    """LANCERT_BOX_ADDRESS and the like stand for options; one that is mistyped is named with the nearest."""
    folder.mkdir()

    known = box("status", env={"LANCERT_BOX_ADDRESS": "192.168.1.7,10.0.0.7", "LANCERT_BOX_NAME": "till 7"})
    mistyped = box("status", env={"LANCERT_BOX_ADRESS": "192.168.1.7"})

    assert "till 7" in known.output
    assert "http://192.168.1.7/" in known.output
    assert "http://10.0.0.7/" in known.output
    assert "The environment holds LANCERT_BOX_ADRESS, and there is no such setting." in mistyped.output
    assert "Did you mean LANCERT_BOX_ADDRESS?" in mistyped.output


def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    """A disk that is full, gone or read-only is a sentence, not a trace."""
    place = Path("/proc/no-folder-can-be-made-here")
    answer = click.testing.CliRunner().invoke(
        group, ["box", "connect", "--folder", str(place), "https://iot.example.com"], prog_name="lancert"
    )

    assert answer.exit_code == 1
    assert f"The folder {place} cannot be used" in answer.output
    assert "--folder" in answer.output


@pytest.mark.parametrize(
    ("command", "arguments", "sentence"),
    [
        ("statsu", (), "Did you mean 'status'?"),
        ("status", ("--jsn",), "Did you mean '--json'?"),
        ("status", ("now",), "Got unexpected extra argument (now)"),
        ("run", ("--address", "8.8.8.8"), "“8.8.8.8” is not a private address, such as 192.168.1.5."),
        ("run", ("--http-port", "70000"), "70000 is not in the range 0<=x<=65535"),
        ("run", ("--kind", "toaster"), "'toaster' is not one of 'iot-box', 'virtual'"),
        ("run", ("--address", "localhost"), "“localhost” is not a private address, such as 192.168.1.5."),
        ("connect", (), "Missing argument 'SERVER|TOKEN'"),
        ("connect", ("https://x.example", "--root-fingerprint", ROOT_FINGERPRINT[1:]), "64 hexadecimal digits"),
        (
            "connect",
            ("https://x.example", "--root-fingerprint", ROOT_FINGERPRINT, "--ca", os.devnull),
            "Give --ca or --root-fingerprint, not both.",
        ),
    ],
)
def test_a_wrong_command_line_is_answered_with_what_to_type(
    box: Lancert, folder: Path, command: str, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit status 2, the mistake and the way out, and nothing was begun."""
    answer = box(command, *arguments)

    assert answer.exit_code == 2
    assert sentence in " ".join(answer.output.split())
    assert not (folder / "connection.json").exists()


def test_an_address_of_another_machine_cannot_be_listened_on(box: Lancert) -> None:
    """The address is what is wrong, so the address is named and not the port."""
    answer = box("run", "--listen", "203.0.113.7", "--http-port", "0", "--https-port", "0")

    assert answer.exit_code == 1
    assert "203.0.113.7 is not an address of this machine" in answer.output
    assert "--listen" in answer.output


@pytest.mark.parametrize("command", ["run", "connect", "status", "doctor", "renew", "pin"])
def test_every_command_says_what_it_is_for(box: Lancert, command: str) -> None:
    """``--help`` is there and makes no folder."""
    answer = box(command, "--help")

    assert answer.exit_code == 0
    assert answer.output.startswith(f"Usage: lancert box {command}")
