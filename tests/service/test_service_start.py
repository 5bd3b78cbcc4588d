"""Starting and stopping the real program: what it says, what it leaves, and each mistake as a sentence."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lancert.kit.settings import environment_without_settings
from lancert.service.app import READY_FILE
from lancert.service.store.engine import BEGUN_FILE, DATABASE_FILE

PORTS = ("--https-port", "0", "--http-port", "0", "--dns-port", "0")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the service as an operator does; it is ended with the test."""
    processes: list[subprocess.Popen[str]] = []

    def run(*arguments: str, folder: str = "service", ports: tuple[str, ...] = PORTS) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "lancert", "service", "run", "--folder", str(tmp_path / folder)]
        process = subprocess.Popen(
            [*command, *ports, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment_without_settings(),
        )
        processes.append(process)
        return process

    yield run
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate(timeout=60)


def ready(process: "subprocess.Popen[str]") -> dict[str, Any]:
    """Wait for the line of JSON that says the service is ready."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, process.communicate(timeout=60)[1]
    said = json.loads(line)
    assert isinstance(said, dict)
    return said


def mistake(process: "subprocess.Popen[str]") -> str:
    """Wait for the end of a service that cannot start, and give its sentence."""
    out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert "Traceback" not in err
    return err


def test_a_program_learns_where_the_service_is(start: Start, tmp_path: Path) -> None:
    """One line of JSON, and the same in a file as long as the service runs."""
    process = start("--json")
    said = ready(process)
    folder = tmp_path / "service"

    assert json.loads((folder / READY_FILE).read_text()) == said
    assert said["pid"] == process.pid
    assert (folder / said["root_file"]).read_text().startswith("-----BEGIN CERTIFICATE-----")
    with urllib.request.urlopen(f"http://127.0.0.1:{said['http_port']}/healthz", timeout=20) as answer:
        assert json.load(answer)["status"] == "ok"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_service_stops_when_it_is_told_to(start: Start, tmp_path: Path, number: signal.Signals) -> None:
    """Exit status 0, no file that says it runs, ports free again."""
    process = start()
    assert process.stdout is not None
    first = [process.stdout.readline() for _ in range(7)]

    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert "The certificate service runs at https://service.lancert.localhost:" in first[0]
    assert out == "The service has stopped.\n"
    assert not (tmp_path / "service" / READY_FILE).exists()


def test_after_a_kill_the_service_starts_again(start: Start) -> None:
    """kill -9 leaves no lock and no half-made state; the authority is the same."""
    process = start("--json")
    before = ready(process)
    process.kill()
    process.wait(60)

    after = ready(start("--json"))

    assert after["root_fingerprint"] == before["root_fingerprint"]


def test_a_port_in_use_is_named_with_its_option(start: Start) -> None:
    """The sentence says which port, and what to do."""
    for option in ("--https-port", "--http-port", "--dns-port"):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            said = mistake(start(folder=option.strip("-"), ports=(*PORTS, option, port)))

        assert port in said
        assert option in said


def test_a_folder_in_use_is_named(start: Start) -> None:
    """Two services on one folder would fight over it."""
    ready(start("--json"))

    assert "Another service" in mistake(start())


def test_a_folder_that_is_no_folder_is_named(start: Start, tmp_path: Path) -> None:
    """A file in the way is said to be in the way."""
    (tmp_path / "service").write_text("I am a file")

    assert str(tmp_path / "service") in mistake(start())


def test_an_authority_for_another_zone_is_not_used(start: Start) -> None:
    """The zone of a folder cannot be changed by a setting; the sentence says so."""
    process = start("--json")
    ready(process)
    process.terminate()
    process.wait(60)

    assert "other.localhost" in mistake(start("--zone", "other.localhost"))


def test_a_damaged_database_is_named_and_left_alone(start: Start, tmp_path: Path) -> None:
    """Nothing is written over what may still be saved."""
    process = start("--json")
    ready(process)
    process.terminate()
    process.wait(60)
    database = tmp_path / "service" / DATABASE_FILE
    database.write_bytes(b"not a database" * 1000)

    assert DATABASE_FILE in mistake(start())
    assert database.read_bytes().startswith(b"not a database")


@pytest.fixture(scope="module")
def as_it_was(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a service that ran, with a tenant."""
    folder = tmp_path_factory.mktemp("used") / "service"
    command = [sys.executable, "-m", "lancert", "service", "run", "--folder", str(folder), *PORTS, "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment_without_settings()) as process:
        ready(process)
        process.terminate()
    assert tenants(folder, "add", "Shop") != []
    return folder


@pytest.fixture
def used(as_it_was: Path, tmp_path: Path) -> Path:
    """A copy of it for one test."""
    return Path(shutil.copytree(as_it_was, tmp_path / "service"))


def tenants(folder: Path, *arguments: str) -> Any:
    """Type a command of ``lancert admin tenant``; gives its JSON, or its sentence when it fails."""
    command = [sys.executable, "-m", "lancert", "admin", "--folder", str(folder), "tenant", *arguments, "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment_without_settings()
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("is_of_an_earlier_version", [False, True])
def test_a_lost_database_is_not_replaced_by_an_empty_one(
    start: Start, used: Path, is_of_an_earlier_version: bool
) -> None:
    """Neither by the service nor by a command: the sentence says how to restore, and how to begin anew on purpose."""
    (used / DATABASE_FILE).rename(used / "backup")
    (used / f"{DATABASE_FILE}-wal").write_bytes(b"the log of the old one")
    if is_of_an_earlier_version:
        (used / BEGUN_FILE).unlink()
    refused = mistake(start()), tenants(used, "list")

    for said in refused:
        assert f"{DATABASE_FILE} is gone from {used}" in said
        assert "Put it back from the backup" in said
        assert "lancert service run --begin-anew" in said
    assert not (used / DATABASE_FILE).exists()

    ready(start("--json", "--begin-anew"))
    assert tenants(used, "list") == []
    assert (used / f"set-aside-{DATABASE_FILE}-wal").read_bytes() == b"the log of the old one"


def test_a_database_that_is_put_back_is_used(start: Start, used: Path) -> None:
    """After the restore everything is as it was."""
    (used / DATABASE_FILE).rename(used / "backup")
    assert DATABASE_FILE in mistake(start())
    (used / "backup").rename(used / DATABASE_FILE)

    ready(start("--json"))

    assert [tenant["name"] for tenant in tenants(used, "list")] == ["Shop"]


def test_commands_may_come_before_the_first_start(start: Start, tmp_path: Path) -> None:
    """An authority made by hand, or a tenant set up beforehand, is no service that lost something."""
    folder = tmp_path / "service"
    made = subprocess.run(
        [
            sys.executable,
            "-m",
            "lancert",
            "authority",
            "create",
            "--zone",
            "lancert.localhost",
            "--folder",
            str(folder),
        ],
        capture_output=True,
        timeout=60,
        check=True,
        env=environment_without_settings(),
    )
    assert made.returncode == 0

    ready(start("--json"))

    assert tenants(folder, "list") == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("root.pem", "on every device that trusts it"), ("issuing.pem", "from the backup of this folder")],
)
def test_a_missing_certificate_of_the_authority_is_named_with_where_to_find_it(
    start: Start, used: Path, name: str, says: str
) -> None:
    """The same sentence from the service and from ``lancert authority show``; none advises what is then refused."""
    (used / "authority" / name).unlink()
    command = [sys.executable, "-m", "lancert", "authority", "show", "--folder", str(used)]
    shown = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env=environment_without_settings()
    )

    assert shown.returncode == 1
    for said in (shown.stderr, mistake(start())):
        assert f"{name} is missing in {used / 'authority'}" in said
        assert says in said
        assert "authority create" not in said


def test_a_missing_key_of_the_authority_is_named(start: Start, tmp_path: Path) -> None:
    """The service never makes a new authority over an old one."""
    process = start("--json")
    ready(process)
    process.terminate()
    process.wait(60)
    (tmp_path / "service" / "authority" / "issuing.key").unlink()

    assert "issuing.key" in mistake(start())


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--zone", "localhost"), "zone"),
        (("--https-port", "many"), "https_port"),
        (("--certificate", "nothing.pem"), "key"),
        (("--certificate", "nothing.pem", "--key", "nothing.key"), "nothing.pem"),
        (("--name-servers", "no_host.example.com"), "no_host"),
    ],
)
def test_a_wrong_setting_is_a_sentence(start: Start, arguments: tuple[str, ...], says: str) -> None:
    """What is wrong is named, without a trace."""
    assert says in mistake(start(*arguments))


def test_the_log_is_json_and_holds_no_secret(start: Start, tmp_path: Path) -> None:
    """One event a line on standard error (S-91)."""
    process = start("--json", "--log-level", "debug")
    ready(process)
    process.terminate()
    _, err = process.communicate(timeout=60)
    lines = [json.loads(line) for line in err.splitlines()]
    passphrase = (tmp_path / "service" / "authority" / "issuing.passphrase").read_text().strip()

    assert {"authority created", "the service stops"} <= {line["event"] for line in lines}
    assert passphrase not in err


def test_everything_in_the_folder_is_its_owners_alone(start: Start, tmp_path: Path) -> None:
    """But for the public certificates, nobody else may read a file, nor look into the folder."""
    process = start("--json")
    ready(process)
    folder = tmp_path / "service"

    assert folder.stat().st_mode & 0o777 == 0o700
    open_to_others = {path.name for path in folder.rglob("*") if path.is_file() and path.stat().st_mode & 0o077}
    assert open_to_others <= {"root.pem", "issuing.pem"}
    assert shutil.which("sh")
    assert os.name == "posix"
