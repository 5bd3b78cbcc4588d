"""``lancert admin``: what operators type, what they are answered, and what is in the database afterwards."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lancert.cli import group
from lancert.protocol.credential import parse_token
from lancert.protocol.messages import Counter, EnrolmentRequest, Kind
from lancert.protocol.names import DEMO_ZONE
from lancert.protocol.signatures import Identity, identity_of
from lancert.service.authority import create_authority, read_root
from lancert.service.enrolment import Enrolled, enrol
from lancert.service.store.engine import open_engine, transaction
from lancert.service.store.events import last_events

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
UUIDS = [f"0f8fad5b-d9cb-469f-a165-70867728950{number}" for number in range(10)]
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
Answer = click.testing.Result
Admin = Callable[..., Answer]

OTHER_UUID = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
FOREIGN_UUID = "16fd2706-8baf-433b-82eb-8c7fada847da"
FIRST = EnrolmentRequest(
    counter=Counter(boot=1, count=1), contract="M240401", database=UUID, kind=Kind.BOX, name="till", version="1.0"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a service that has just been set up."""
    open_engine(tmp_path / "service").dispose()
    return tmp_path / "service"


@pytest.fixture
def admin(folder: Path) -> Admin:
    """Type a command of ``lancert admin`` for this service."""

    def type_it(*arguments: str, **options: Any) -> Answer:
        command = ["admin", "--folder", str(folder), *arguments]
        return click.testing.CliRunner().invoke(group, command, prog_name="lancert", **options)

    return type_it


@pytest.fixture
def shop(admin: Admin) -> Admin:
    """A service with one customer that is eligible for two boxes."""
    for line in (
        ("tenant", "add", "Bakery Rossi"),
        ("contract", "add", "M240401", "--tenant", "bakery-rossi"),
        ("subscription", "add", "S-1", "--contract", "M240401", "--status", "in-progress", "--line", "iot-box=2"),
        ("database", "add", UUID, "--tenant", "bakery-rossi", "--name", "rossi", "--environment", "production"),
    ):
        assert admin(*line).exit_code == 0
    return admin


@pytest.fixture
def box(shop: Admin, folder: Path) -> str:
    """The label of an IoT system that was connected."""
    with transaction(folder) as connection:
        identity = identity_of(Ed25519PrivateKey.generate())
        made = enrol(connection, FIRST, identity=identity, body_hash="0" * 64, now=NOW)
    assert isinstance(made, Enrolled)
    return made.label


def answer_of(answer: Answer) -> Any:
    assert answer.exit_code == 0, answer.output
    return json.loads(answer.stdout)


# The way to the first certificate


def test_each_step_says_what_it_did_and_which_command_comes_next(admin: Admin, folder: Path) -> None:
    """Whoever follows the hints from an empty service arrives at the connection token."""
    create_authority(folder / "authority", DEMO_ZONE, now=NOW)
    said = admin("tenant", "list").output
    typed = []
    for fill_in in (
        {"NAME": "'Bakery Rossi'"},
        {"CODE": "M240401"},
        {},
    ):
        command = re.search(r"lancert admin (.*)", said)
        assert command, said
        line = command[1]
        for placeholder, value in fill_in.items():
            line = re.sub(rf"\b{placeholder}\b", value, line)
        typed.append(line)
        arguments = [part.strip("'") for part in re.findall(r"'[^']*'|\S+", line)]
        answer = admin(*arguments)
        assert answer.exit_code == 0, answer.output
        said = answer.output
    said = admin(
        "database", "add", UUID, "--tenant", "bakery-rossi", "--name", "rossi", "--environment", "production"
    ).output

    assert [" ".join(line.split()[2:4]) for line in typed] == ["tenant add", "contract add", "subscription add"]
    assert f"connection-token M240401 {UUID}" in said
    assert admin("connection-token", "M240401", UUID).stdout.startswith("lct1.")


def test_a_hint_names_the_folder_when_it_was_named(admin: Admin, folder: Path) -> None:
    """A hint can be copied as it stands."""
    assert f"lancert admin --folder {folder} tenant add NAME" in admin("tenant", "list").output


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("tenant", "list"), "tenant add NAME"),
        (("contract", "list"), "contract add CODE"),
        (("subscription", "list"), "subscription add --contract CODE"),
        (("database", "list"), "database add UUID"),
        (("box", "list"), "connection-token CODE UUID"),
    ],
)
def test_an_empty_list_says_what_to_type_next(admin: Admin, arguments: tuple[str, ...], hint: str) -> None:
    """Nothing there is no dead end; for programs it is an empty list."""
    assert hint in admin(*arguments).output
    assert answer_of(admin(*arguments, "--json")) == []


def test_the_token_holds_server_root_contract_and_database(shop: Admin, folder: Path) -> None:
    """One text connects an IoT system: the running service's address and the root to trust."""
    create_authority(folder / "authority", DEMO_ZONE, now=NOW)
    fingerprint = read_root(folder / "authority").fingerprint(hashes.SHA256()).hex()
    (folder / "service.json").write_text(json.dumps({"url": "https://service.lancert.localhost:8444"}))

    token = parse_token(shop("connection-token", "M240401", UUID).stdout)

    assert token.server == "https://service.lancert.localhost:8444"
    assert token.root_fingerprint == fingerprint
    assert (token.contract.reveal(), token.database.reveal()) == ("M240401", UUID)


def test_the_token_of_a_service_that_is_not_running_has_the_address_of_its_settings(shop: Admin, folder: Path) -> None:
    """Tokens can be handed out before the service runs, or with an address of one's own choice."""
    create_authority(folder / "authority", DEMO_ZONE, now=NOW)

    def server(*options: str) -> str:
        return str(answer_of(shop("connection-token", "M240401", UUID, "--json", *options))["server"])

    assert server() == "https://service.lancert.localhost:8443"
    (folder / "service.toml").write_text('public_url = "https://iot.lancert.localhost"')
    assert server() == "https://iot.lancert.localhost"
    assert server("--server", "https://elsewhere.example/") == "https://elsewhere.example"


def test_a_token_without_a_root_is_for_a_service_that_is_trusted_already(shop: Admin, folder: Path) -> None:
    """A service with a public certificate needs no fingerprint; without an authority it must be said."""
    assert "--public-root" in shop("connection-token", "M240401", UUID).output
    assert answer_of(shop("connection-token", "M240401", UUID, "--json", "--public-root"))["root_fingerprint"] is None

    (folder / "service.toml").write_text('certificate = "chain.pem"\nkey = "key.pem"')
    assert answer_of(shop("connection-token", "M240401", UUID, "--json"))["root_fingerprint"] is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--server", "http://service.example"), "write https://"),
        (("--server", "https://service.example/path"), "write https://"),
        (("--root-fingerprint", "abc"), "64 hexadecimal digits"),
        (("--root-fingerprint", "ab" * 32, "--public-root"), "not both"),
    ],
)
def test_a_token_is_not_made_of_what_no_box_could_use(shop: Admin, options: tuple[str, ...], sentence: str) -> None:
    """What would fail on the IoT system fails here, with a sentence."""
    answer = shop("connection-token", "M240401", UUID, *options)

    assert answer.exit_code == 2
    assert sentence in answer.output


def test_a_contract_and_a_database_of_different_tenants_make_no_token(shop: Admin) -> None:
    """A credential is a contract and a database of one tenant."""
    shop("tenant", "add", "Other")
    shop("database", "add", UUIDS[1], "--tenant", "other", "--name", "other", "--environment", "production")

    answer = shop("connection-token", "M240401", UUIDS[1], "--public-root")

    assert answer.exit_code == 2
    assert "different tenants" in answer.output


# Lists, details, JSON


def test_lists_are_aligned_tables(shop: Admin) -> None:
    """Columns stand below their headings, also when a name has wide signs."""
    shop("tenant", "add", "パン屋", "--id", "panya")
    shop("database", "add", UUIDS[1], "--tenant", "panya", "--name", "パン", "--environment", "production")

    heading, first, second = shop("database", "list").output.splitlines()

    assert heading.split() == ["UUID", "NAME", "TENANT", "ENVIRONMENT"]
    assert first.index("bakery-rossi") == heading.index("TENANT")
    assert second.index("panya") == heading.index("TENANT") - 2  # two wide signs take four columns
    assert all(line == line.rstrip() for line in (heading, first, second))


def test_everything_can_be_read_by_programs(shop: Admin, box: str) -> None:
    """``--json`` before the subject or after the verb gives the facts, without secrets of programs."""
    expected: dict[tuple[str, ...], dict[str, object]] = {
        ("tenant", "show", "bakery-rossi"): {"id": "bakery-rossi", "name": "Bakery Rossi", "contracts": ["M240401"]},
        ("contract", "show", "M240401"): {"code": "M240401", "tenant": "bakery-rossi"},
        ("subscription", "show", "S-1"): {
            "id": "S-1",
            "contract": "M240401",
            "status": "in-progress",
            "lines": [{"product": "iot-box", "quantity": 2}],
        },
        ("database", "show", UUID): {"uuid": UUID, "environment": "production", "is_duplicated": False},
        ("box", "show", box): {"label": box, "name": "till", "kind": "iot-box", "enrolled_at": "2026-11-20T12:00:00Z"},
    }

    for arguments, facts in expected.items():
        document = answer_of(shop(*arguments, "--json"))
        assert {name: document[name] for name in facts} == facts
        assert answer_of(shop("--json", *arguments)) == document
        assert "identity" not in document


@pytest.mark.parametrize("subject", ["tenant", "contract", "subscription", "database", "box"])
def test_what_is_listed_can_be_shown(shop: Admin, box: str, subject: str) -> None:
    """The first column of a list is what ``show`` takes."""
    first = shop(subject, "list").output.splitlines()[1].split()[0]

    assert first in shop(subject, "show", first).output


def test_lists_can_be_narrowed(shop: Admin, box: str) -> None:
    """By tenant, by contract, and with what was removed."""
    shop("tenant", "add", "Other")
    shop("contract", "add", "M240402", "--tenant", "other")

    assert [one["code"] for one in answer_of(shop("contract", "list", "--tenant", "other", "--json"))] == ["M240402"]
    assert answer_of(shop("database", "list", "--tenant", "other", "--json")) == []
    assert answer_of(shop("subscription", "list", "--contract", "M240402", "--json")) == []
    assert answer_of(shop("box", "list", "--tenant", "other", "--json")) == []
    assert [one["label"] for one in answer_of(shop("box", "list", "--contract", "M240401", "--json"))] == [box]


def test_a_contract_shows_its_seats(shop: Admin, box: str) -> None:
    """Who wonders whether another IoT box fits sees it in one place."""
    assert re.search(r"seats +2, 1 in use", shop("contract", "show", "M240401").output)
    shop("subscription", "set", "S-1", "--status", "paused")
    assert re.search(r"seats +0, 1 in use", shop("contract", "show", "M240401").output)


# Changes


@pytest.mark.promise("M5")
def test_a_subscription_changes_its_status_and_single_lines(shop: Admin) -> None:
    """Lines that are not named stay, a quantity of nothing takes a line out."""

    def lines(*options: str) -> list[tuple[str, int]]:
        document = answer_of(shop("subscription", "set", "S-1", *options, "--json"))
        return [(line["product"], line["quantity"]) for line in document["lines"]]

    assert lines("--line", "support=1") == [("iot-box", 2), ("support", 1)]
    assert lines("--line", "iot-box=3") == [("iot-box", 3), ("support", 1)]
    assert lines("--line", "support=0", "--status", "paused") == [("iot-box", 3)]
    assert answer_of(shop("subscription", "show", "S-1", "--json"))["status"] == "paused"


@pytest.mark.promise("M5")
@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--status", "paused"), "subscription set S-1 --status in-progress"),
        (("--line", "iot-box=0"), "subscription set S-1 --line iot-box=1"),
        (("--line", "iot-box=1"), "Certificates for 1 IoT box."),
        (("--line", "iot-box=4"), "Certificates for 4 IoT boxes."),
    ],
)
def test_a_change_of_a_subscription_says_what_it_means_for_iot_boxes(
    shop: Admin, options: tuple[str, ...], sentence: str
) -> None:
    """A subscription that gives no certificates says how to make it one that does."""
    assert sentence in shop("subscription", "set", "S-1", *options).output


@pytest.mark.promise("M4")
@pytest.mark.parametrize("environment", ["staging", "development", "copy", "duplicate"])
def test_a_database_that_is_not_in_production_says_that_it_gives_no_certificates(shop: Admin, environment: str) -> None:
    """The change is made, and its consequence is named."""
    answer = shop("database", "set", UUID, "--environment", environment)

    assert "get no new certificate" in answer.output
    assert answer_of(shop("database", "show", UUID, "--json"))["environment"] == environment


def test_a_database_is_marked_as_duplicated_and_cleared_again(shop: Admin) -> None:
    """An operator who knows of a copy says so, and takes it back when it is gone."""
    assert "in use twice" in shop("database", "set", UUID, "--duplicated").output
    assert "is now: production.\n" in shop("database", "set", UUID, "--not-duplicated").output
    assert "already was: production.\n" in shop("database", "set", UUID, "--not-duplicated").output


def test_tenant_and_database_can_be_renamed(shop: Admin) -> None:
    """Names are for people and may change, ids stay."""
    assert answer_of(shop("tenant", "set", "bakery-rossi", "--name", "Rossi", "--json"))["name"] == "Rossi"
    assert answer_of(shop("database", "set", UUID, "--name", "shop", "--json"))["name"] == "shop"


def test_a_box_is_suspended_resumed_and_removed(shop: Admin, box: str) -> None:
    """Each state shows in the list; a removed one only when asked for."""

    assert "gets no new certificate" in shop("box", "suspend", box, "--why", "reported stolen").output
    assert "suspended" in shop("box", "list").output
    assert "Resumed till" in shop("box", "resume", box).output
    assert " fine " in shop("box", "list").output
    assert "its seat is free" in shop("box", "remove", box, "--yes").output
    assert "No IoT system" in shop("box", "list").output
    assert "removed" in shop("box", "list", "--removed").output
    assert shop("box", "resume", box).exit_code == 2


def test_a_box_made_known_beforehand_keeps_its_label_when_it_is_connected(
    shop: Admin, folder: Path, tmp_path: Path
) -> None:
    """A vendor prints the name on the device before it leaves; whoever holds its identity key is that box."""
    typed = subprocess.run(
        [sys.executable, "-m", "lancert", "box", "identity", "--folder", str(tmp_path / "box")],
        capture_output=True,
        text=True,
        check=True,
    )
    identity = typed.stdout.strip()
    adding = ("box", "add", identity, "--contract", "M240401", "--database", UUID, "--name", "till")
    made = answer_of(shop(*adding, "--json"))

    with transaction(folder) as connection:
        enrolled = enrol(connection, FIRST, identity=Identity(identity), body_hash="0" * 64, now=NOW)

    assert isinstance(enrolled, Enrolled)
    assert enrolled.label == made["label"]
    assert "already" in shop(*adding).output
    assert "43 characters" in shop("box", "add", "x", *adding[3:]).output


def test_a_box_is_renamed_and_moved_to_another_database_of_its_tenant(shop: Admin, box: str) -> None:
    """What a box is called is for people; it cannot be moved to somebody else's database."""
    shop("database", "add", OTHER_UUID, "--tenant", "bakery-rossi", "--name", "second", "--environment", "production")
    shop("tenant", "add", "Other")
    shop("database", "add", FOREIGN_UUID, "--tenant", "other", "--name", "theirs", "--environment", "production")

    assert answer_of(shop("box", "set", box, "--name", "Till 4", "--json"))["name"] == "Till 4"
    assert answer_of(shop("box", "set", box, "--database", OTHER_UUID, "--json"))["database"] == OTHER_UUID
    assert "not one of the tenant" in shop("box", "set", box, "--database", FOREIGN_UUID).output
    assert "--name or --database" in shop("box", "set", box).output


def test_every_change_is_on_the_record_with_account_and_reason(shop: Admin, box: str, folder: Path) -> None:
    """Who did what to what, when and why, can be looked up later."""
    shop("box", "suspend", box, "--why", "reported stolen")

    with transaction(folder) as connection:
        newest, *older = last_events(connection)

    assert (newest.action, newest.why) == ("box suspended", "reported stolen")
    assert newest.actor.startswith("cli:")
    assert {event.action for event in older} >= {"tenant added", "contract added", "database added as production"}


# Wrong command lines


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("tenants", "list"), "Did you mean lancert admin tenant?"),
        (("tenant", "ls"), "Did you mean lancert admin tenant list?"),
        (("tenant", "delete", "x"), "Known are: add, list, set, show."),
        (("tenant", "show", "bakery-rosi"), "Did you mean bakery-rossi?"),
        (("tenant", "show", "bakery rossi"), "Did you mean bakery-rossi?"),
        (("tenant", "show", "zzz"), "Known are: bakery-rossi."),
        (("contract", "add", "M240402", "--tenant", "rossi"), "Did you mean bakery-rossi?"),
        (("contract", "show", "M240410"), "Did you mean M240401?"),
        (("subscription", "set", "S-2", "--status", "paused"), "Did you mean S-1?"),
        (("database", "set", UUIDS[1], "--environment", "staging"), f"Did you mean {UUID}?"),
        (("database", "show", "rossi"), "groups of 8-4-4-4-12"),
        (("box", "show", "till"), "an IoT system appears here when it is connected"),
        (("database", "set", UUID), "Say what to change"),
        (("subscription", "set", "S-1"), "Say what to change"),
        (("subscription", "set", "S-1", "--status", "running"), "'in-progress'"),
        (("subscription", "set", "S-1", "--line", "iot-box"), "such as iot-box=2"),
        (("subscription", "set", "S-1", "--line", "iot-box=-1"), "such as iot-box=2"),
        (("subscription", "set", "S-1", "--line", "=1"), "such as iot-box=2"),
        (("subscription", "set", "S-1", "--line", "iot_box=1"), "write iot-box=1"),
        (("subscription", "set", "S-1", "--line", "IoT-Box=1"), "write iot-box=1"),
        (("subscription", "set", "S-1", "--line", "iot-box=99999999"), "from 0 to"),
        (("contract", "add", "M", "--tenant", "bakery-rossi"), "3 to 64 letters and digits"),
        (("tenant", "add", "パン屋"), "choose one with --id"),
        (("tenant", "add", ""), "--id"),
        (("tenant", "add", "Rossi", "--id", "a b"), "cannot be the id"),
        (
            ("database", "add", "0f8f", "--tenant", "bakery-rossi", "--name", "x", "--environment", "production"),
            "groups of 8-4-4-4-12",
        ),
        (
            ("database", "add", UUIDS[1], "--tenant", "bakery-rossi", "--name", "a\tb", "--environment", "production"),
            "printable",
        ),
    ],
)
def test_a_wrong_command_line_is_answered_with_what_to_type(
    shop: Admin, arguments: tuple[str, ...], sentence: str
) -> None:
    """The answer to the mistake people really make, and exit status 2."""
    answer = shop(*arguments)

    assert answer.exit_code == 2
    assert sentence in answer.output


def test_a_box_may_be_meant_by_its_name(shop: Admin, box: str) -> None:
    """Names of IoT systems are not unique, so the label is asked for, and said."""
    answer = shop("box", "show", "till")

    assert answer.exit_code == 2
    assert f"Did you mean {box}?" in answer.output


def test_many_known_ids_are_not_all_listed(shop: Admin) -> None:
    """With more than a handful, the command that lists them is named instead."""
    for number in range(10):
        shop("tenant", "add", f"Customer {number}")

    assert "tenant list" in shop("tenant", "show", "zzz").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("tenant", "add", "Bakery Rossi"),
        ("contract", "add", "M240401", "--tenant", "bakery-rossi"),
        ("subscription", "add", "S-1", "--contract", "M240401"),
        ("database", "add", UUID.upper(), "--tenant", "bakery-rossi", "--name", "again", "--environment", "staging"),
    ],
)
def test_what_is_there_already_is_not_added_twice(shop: Admin, arguments: tuple[str, ...]) -> None:
    """Exit status 1, and nothing changed."""
    before = shop("--json", arguments[0], "list").stdout

    answer = shop(*arguments)

    assert answer.exit_code == 1
    assert "already" in answer.output
    assert shop("--json", arguments[0], "list").stdout == before


def test_a_folder_without_a_service_is_said_and_stays_empty(tmp_path: Path) -> None:
    """A mistyped folder does not become a second, empty service."""
    runner = click.testing.CliRunner()

    answer = runner.invoke(group, ["admin", "--folder", str(tmp_path / "typo"), "tenant", "list"])

    assert answer.exit_code == 1
    assert "no certificate service in the folder" in answer.output
    assert not (tmp_path / "typo").exists()


def test_a_damaged_database_is_said(admin: Admin, folder: Path) -> None:
    """No trace of the program, a sentence."""
    for path in folder.glob("service.sqlite*"):
        path.unlink()
    (folder / "service.sqlite").write_bytes(b"not a database" * 1000)

    answer = admin("tenant", "list")

    assert answer.exit_code == 1
    assert "cannot be used now" in answer.output


def test_the_command_is_a_program_that_works_on_the_folder_of_the_environment(folder: Path, root: Path) -> None:
    """The real process: exit status, output and the folder from the environment."""
    environment = {**os.environ, "PYTHONPATH": str(root / "src"), "LANCERT_SERVICE_FOLDER": str(folder)}

    def program(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lancert", "admin", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    added = program("tenant", "add", "Bakery Rossi")
    assert (added.returncode, added.stderr) == (0, "")
    assert "Next: lancert admin contract add CODE --tenant bakery-rossi" in added.stdout
    wrong = program("tenant", "show", "rossi")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert "Did you mean bakery-rossi?" in wrong.stderr
    assert program("tenant", "add", "Bakery Rossi").returncode == 1


def test_a_contract_goes_to_another_tenant(shop: Admin) -> None:
    """A contract that was given to the wrong customer is moved."""
    shop("tenant", "add", "Other")

    moved = shop("contract", "set", "M240401", "--tenant", "other")

    assert moved.output == "The contract M240401 is one of other now.\n"
    assert [one["code"] for one in answer_of(shop("contract", "list", "--tenant", "other", "--json"))] == ["M240401"]


def test_a_contract_in_use_stays_where_it_is(shop: Admin, box: str) -> None:
    """A box and its database belong to one tenant."""
    shop("tenant", "add", "Other")

    refused = shop("contract", "set", "M240401", "--tenant", "other")

    assert refused.exit_code == 2
    assert "remove its IoT systems first (there are 1)" in refused.output
    assert box in shop("box", "list", "--contract", "M240401").output
