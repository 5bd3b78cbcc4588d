"""The folder of a box: one fact per file, and whatever a file says, the agent starts."""

import json
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.box.given import (
    CONTRACT,
    CREDENTIAL,
    DATABASE,
    ENROLMENT,
    HOUR,
    NOW,
    OTHER_LABEL,
    REFUSED,
    SERVER,
    UNREACHABLE,
    failed,
)
from tests.peers.authority import make_root

from lancert.box.facts import Enrolment, LastTry, Outcome, Ports, Server
from lancert.box.folder import Folder
from lancert.box.log_level import ChosenLevel
from lancert.kit.files import write_private
from lancert.protocol import problems
from lancert.protocol.credential import Credential
from lancert.protocol.names import DEMO_ZONE
from lancert.protocol.problems import Occurrence

DEBUG = ChosenLevel(level="debug", until=NOW + HOUR)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
"""What a box without a clock of its own believes."""

FILES = (
    "connection.json",
    "server.json",
    "credential.json",
    "enrolment.json",
    "boot.json",
    "log-level.json",
    "listening.json",
    "last-try.json",
)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder of a box."""
    return Folder(tmp_path / "box")


def _read_everything(folder: Folder) -> list[Any]:
    """Read every fact there is, and show what is shown of it."""
    last = folder.last_try()
    if last is not None and last.problem is not None:
        translate = str
        last.problem.meaning(translate)
        last.problem.cause_meaning(translate)
        last.problem.remedy(translate)
    server = folder.server()
    enrolment = folder.enrolment()
    return [
        (server.host, server.port, server.authority) if server else None,
        folder.roots(),
        folder.credential().missing,
        enrolment.label.upper() if enrolment else None,
        folder.log_level(),
        folder.listening(),
        folder.stamp(),
        last,
    ]


def test_an_empty_folder_is_a_box_nobody_connected(folder: Folder) -> None:
    """The first start: nothing is known and nothing is wrong."""
    assert _read_everything(folder) == [None, [], ("contract", "database"), None, None, None, (0, 0, 0, 0), None]


def test_what_is_remembered_is_read_again(folder: Folder) -> None:
    """Everything survives a restart."""
    root = make_root().certificate
    server = Server(url="https://service.localhost:8443", root_fingerprint="ab" * 32)
    folder.connect(server, [root])
    folder.change_credential(CREDENTIAL)
    folder.enrolled(ENROLMENT)
    folder.choose_log_level(DEBUG)
    folder.listens(Ports(http=8080, https=8443))
    again = Folder(folder.path)

    assert again.server() == server
    assert again.roots() == [root]
    assert again.credential() == CREDENTIAL
    assert again.enrolment() == ENROLMENT
    assert again.log_level() == DEBUG
    assert again.listening() == Ports(http=8080, https=8443)


@pytest.mark.parametrize(
    "credential", [CREDENTIAL, Credential(contract=CONTRACT), Credential(database=DATABASE), Credential()]
)
def test_each_half_of_the_credential_may_be_missing(folder: Folder, credential: Credential) -> None:
    """M14: what is missing stays missing."""
    folder.change_credential(credential)

    assert folder.credential() == credential


OCCURRENCES = [
    UNREACHABLE,
    REFUSED,
    Occurrence(problem=problems.LOAD_REQUEST_STATUS, cause_id="maintenance", facts={"server": "x", "status": "503"}),
    Occurrence(problem=problems.LOAD_REQUEST_EXCEPTION, cause_id="unexpected", facts={"server": "x", "reference": "1"}),
]


@pytest.mark.parametrize("problem", OCCURRENCES)
def test_the_last_try_is_remembered_with_its_problem(folder: Folder, problem: Occurrence) -> None:
    """After a restart the owner reads the same code, cause and reasons."""
    last = failed(NOW, wait=HOUR, problem=problem)
    folder.tried(last)

    assert folder.last_try() == last


def test_a_try_that_succeeded_is_remembered(folder: Folder) -> None:
    """An installed certificate leaves no problem."""
    last = LastTry(at=NOW, outcome=Outcome.INSTALLED)
    folder.tried(last)

    assert folder.last_try() == last


def test_another_server_or_credential_means_another_enrolment(folder: Folder) -> None:
    """Who the box is holds for the server and the credential it was made with, and for no others."""
    folder.connect(SERVER, [])
    folder.change_credential(CREDENTIAL)
    folder.enrolled(ENROLMENT)
    folder.connect(SERVER, [])
    folder.change_credential(CREDENTIAL)
    kept = folder.enrolment()
    folder.connect(Server(url="https://other.localhost"), [])
    after_another_server = folder.enrolment()
    folder.enrolled(ENROLMENT)
    folder.change_credential(Credential(contract=CONTRACT))

    assert (kept, after_another_server, folder.enrolment()) == (ENROLMENT, None, None)


def test_a_server_without_a_root_forgets_the_old_root(folder: Folder) -> None:
    """S-09: only the roots of the server that is connected now count."""
    folder.connect(SERVER, [make_root().certificate])
    folder.connect(Server(url="https://other.localhost"), [])

    assert folder.roots() == []


def test_a_change_is_seen_by_its_stamp(folder: Folder) -> None:
    """The agent notices what the command line changed, and nothing else."""
    before = folder.stamp()
    folder.change_credential(CREDENTIAL)
    changed = folder.stamp()
    folder.tried(failed())
    folder.choose_log_level(DEBUG)

    assert before != changed == folder.stamp()


def test_every_start_has_a_higher_number(folder: Folder) -> None:
    """The counter that makes signed requests new never goes back, also after a value that makes no sense."""
    again = Folder(folder.path)
    assert [folder.raise_boot(BEGINNING), again.raise_boot(BEGINNING), folder.raise_boot(BEGINNING)] == [1, 2, 3]
    write_private(folder.path / "boot.json", b'{"boot": true}')
    assert folder.raise_boot(BEGINNING) >= 1


def test_a_lost_or_restored_count_of_starts_does_not_leave_the_box_behind(folder: Folder) -> None:
    """A box whose folder came back from a backup is not taken for a replay: the clock is a lower bound."""
    known = folder.raise_boot(NOW)
    (folder.path / "boot.json").unlink()

    assert folder.raise_boot(NOW + HOUR) > known


def test_a_label_written_as_a_number_is_read_as_a_text_or_not_at_all(folder: Folder) -> None:
    """A box name is built from texts only."""
    write_private(
        folder.path / "enrolment.json",
        json.dumps({"box": "b", "label": 2222222222222222, "zone": DEMO_ZONE}).encode(),
    )
    enrolment = folder.enrolment()

    assert enrolment is None or isinstance(enrolment.label, str)


DAMAGE = {
    "empty": b"",
    "not JSON": b"{",
    "not UTF-8": b"\xff\xfe\x00",
    "zeros": bytes(300),
    "a list": b"[]",
    "null": b"null",
    "nested": b"[" * 60_000,
    "large": b" " * 70_000,
    "a long number": b'{"boot": ' + b"9" * 5000 + b"}",
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", [*FILES, "root.pem"])
def test_a_damaged_file_counts_as_absent(folder: Folder, name: str, content: bytes) -> None:
    """F-08: whatever stands in a file of the folder, the agent starts and the file is not deleted."""
    write_private(folder.path / name, content)
    _read_everything(folder)

    assert (folder.path / name).read_bytes() == content
    assert folder.raise_boot(BEGINNING) >= 1


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["2026-11-20T09:30:00Z", "failed", "https://a", "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS", "timeout"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
GOOD: dict[str, dict[str, Any]] = {
    "connection.json": {
        "server": {"url": "https://a.example", "root_fingerprint": None},
        "roots": "",
        "credential": {"contract": "M240719-1", "database": DATABASE.reveal()},
    },
    "server.json": {"url": "https://a.example", "root_fingerprint": None},
    "credential.json": {"contract": "M240719-1", "database": DATABASE.reveal()},
    "enrolment.json": {"box": "b", "label": OTHER_LABEL, "zone": DEMO_ZONE},
    "boot.json": {"boot": 3},
    "log-level.json": {"level": "debug", "until": "2026-11-21T09:30:00Z", "left_seconds": 86400},
    "listening.json": {"http": 80, "https": 443},
    "last-try.json": {
        "at": "2026-11-20T09:30:00Z",
        "outcome": "failed",
        "failures": 1,
        "next_at": None,
        "problem": {
            "code": "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS",
            "cause": None,
            "facts": {"status": "404"},
            "reasons": [],
        },
    },
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(name=st.sampled_from(FILES), data=st.data())
def test_any_json_in_any_file_lets_the_agent_start(folder: Folder, name: str, data: st.DataObject) -> None:
    """F-08: files with values of the wrong type, from the future or from a bad memory card, break nothing."""
    content = json.loads(json.dumps(GOOD[name]))
    place = content
    if name == "last-try.json" and data.draw(st.booleans()):
        place = content["problem"]
    for key in data.draw(st.lists(st.sampled_from(sorted(place)), min_size=1, max_size=2)):
        place[key] = data.draw(JSON)
    write_private(folder.path / name, json.dumps(content).encode())
    _read_everything(folder)

    assert folder.raise_boot(BEGINNING) >= 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("last-try.json", {**GOOD["last-try.json"], "failures": float("inf")}),
        ("last-try.json", {**GOOD["last-try.json"], "failures": float("nan")}),
        ("last-try.json", {**GOOD["last-try.json"], "next_at": True}),
        ("listening.json", {"http": float("-inf"), "https": 443}),
        ("server.json", {"url": "https://a.example", "root_fingerprint": ["ab"]}),
        ("server.json", {"url": "https://a.example", "root_fingerprint": "ab"}),
        ("server.json", {"url": None}),
        ("connection.json", {**GOOD["connection.json"], "roots": None}),
        ("connection.json", {**GOOD["connection.json"], "server": []}),
        ("connection.json", {"server": GOOD["server.json"]}),
    ],
)
def test_a_value_that_makes_no_sense_counts_as_absent(folder: Folder, name: str, content: dict[str, Any]) -> None:
    """F-08: infinities, lists and half fingerprints are no facts."""
    write_private(folder.path / name, json.dumps(content).encode())
    _read_everything(folder)

    assert (folder.server(), folder.last_try(), folder.listening()) == (None, None, None)


@pytest.mark.parametrize(
    "problem",
    [
        {"code": "ERR_IOT_HTTPS_FROM_THE_FUTURE", "cause": None, "facts": {}, "reasons": []},
        {"code": "ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION", "cause": "from-the-future", "facts": {}, "reasons": []},
        {"code": "ERR_IOT_HTTPS_LOAD_REQUEST_STATUS", "cause": None, "facts": {}, "reasons": []},
        {
            "code": "ERR_IOT_HTTPS_LOAD_REQUEST_NO_RESULT",
            "cause": None,
            "facts": {},
            "reasons": [{"criterion": "from-the-future", "facts": {}}],
        },
    ],
)
def test_a_problem_this_version_does_not_know_is_forgotten(folder: Folder, problem: dict[str, Any]) -> None:
    """After going back to an older version the homepage shows no row that is not in its catalogue."""
    write_private(folder.path / "last-try.json", json.dumps({**GOOD["last-try.json"], "problem": problem}).encode())

    assert folder.last_try() is None


def test_everything_in_the_folder_is_private(folder: Folder) -> None:
    """S-04: credential and all other files are for the owner alone."""
    folder.connect(SERVER, [make_root().certificate])
    folder.change_credential(CREDENTIAL)
    folder.enrolled(ENROLMENT)
    folder.raise_boot(BEGINNING)

    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.path.iterdir()} == {0o600}
    assert stat.S_IMODE(folder.path.stat().st_mode) == 0o700


def test_nothing_is_written_when_nothing_changed(folder: Folder) -> None:
    """F-13: a start with the same facts wears no memory card."""
    folder.enrolled(ENROLMENT)
    folder.listens(Ports(http=80, https=443))
    before = {path.name: path.stat().st_ino for path in folder.path.iterdir()}
    folder.enrolled(Enrolment(box=ENROLMENT.box, label=ENROLMENT.label, zone=ENROLMENT.zone))
    folder.listens(Ports(http=80, https=443))

    assert {path.name: path.stat().st_ino for path in folder.path.iterdir()} == before
