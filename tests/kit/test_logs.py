"""The log: one event a line, no secret at any level, never more than its share of the disk."""

import json
import logging
import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.kit.logs import LEVELS, Log, last_lines, redact, set_level, write_logs
from lancert.kit.secret import Secret
from lancert.protocol.credential import ConnectionToken

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CONTRACT = "CONTRACT-CANARY-1"
BODY_OF_A_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)
MIDDLE_OF_THE_KEY = BODY_OF_A_KEY.splitlines()[2]
TOKEN = (
    ConnectionToken(server="https://a.example", root_fingerprint=None, contract=Secret(CONTRACT), database=Secret(UUID))
    .write()
    .reveal()
)
CANARIES = (UUID, UUID.upper(), CONTRACT, MIDDLE_OF_THE_KEY, TOKEN, TOKEN.removeprefix("lct1."))

log = Log("test")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The file the events go to."""
    path = tmp_path / "log" / "box.log"
    write_logs(to_file=path, level="debug")
    yield path
    write_logs()


def _lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


def test_an_event_is_one_line_of_json_with_its_fields(file: Path) -> None:
    """S-91: time in UTC, level, part, a constant sentence, named fields."""
    log.info("certificate installed", names=["a.example"], count=3, is_new=True, nothing=None)

    (line,) = _lines(file)
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info",
        "part": "lancert.test",
        "event": "certificate installed",
        "names": ["a.example"],
        "count": 3,
        "is_new": True,
        "nothing": None,
    }


def _raise(text: str) -> None:
    try:
        raise ValueError(text)
    except ValueError:
        log.exception("it failed", detail=text)


LEAKS: list[tuple[str, Callable[[], object]]] = [
    ("the event", lambda: log.error(f"bad {UUID} {TOKEN} {BODY_OF_A_KEY}")),
    ("a field", lambda: log.warning("bad", detail=f"bad {UUID} {TOKEN} {BODY_OF_A_KEY}")),
    ("a list", lambda: log.info("bad", parts=[UUID, TOKEN, BODY_OF_A_KEY, [UUID]])),
    ("an exception", lambda: _raise(f"bad {UUID} {TOKEN} {BODY_OF_A_KEY}")),
    ("a key cut off", lambda: log.info("bad", detail=BODY_OF_A_KEY[:150])),
    ("a key written by repr", lambda: log.info("bad", detail=repr(BODY_OF_A_KEY))),
    ("inside a word", lambda: log.info("bad", detail=f"db_{UUID}.json x{TOKEN} {UUID}_{UUID}")),
    ("a field that names it", lambda: log.info("bad", contract=CONTRACT, database_uuid=UUID, private_key="x")),
    ("the old UUID in capitals", lambda: log.info("bad", detail=UUID.upper())),
    ("an object inside a field", lambda: log.info("bad", facts={"contract": CONTRACT, "server": UUID})),
    ("objects inside a list", lambda: log.info("bad", facts=[{"contract": CONTRACT}])),
    ("a secret", lambda: log.info("bad", value=Secret(CONTRACT), values=[Secret(CONTRACT)])),
]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("leak", [leak for _, leak in LEAKS], ids=[name for name, _ in LEAKS])
def test_no_secret_reaches_the_disk_at_any_level(file: Path, leak: Callable[[], object], level: str) -> None:
    """S-95, S-96: planted canaries never appear, whatever the level and wherever they were put."""
    set_level(level)
    leak()
    log.error("the end")

    written = file.read_text(encoding="utf-8")
    assert [canary for canary in CANARIES if canary in written] == []
    assert "the end" in written


@pytest.mark.parametrize("level", LEVELS)
def test_a_level_records_itself_and_what_is_worse(file: Path, level: str) -> None:
    """M18: choosing a level chooses how much is recorded."""
    set_level(level)
    for name in LEVELS:
        getattr(log, name)("an event of this level")

    assert [line["level"] for line in _lines(file)] == list(LEVELS[LEVELS.index(level) :])


def test_control_characters_stay_inside_their_line(file: Path) -> None:
    """F-64: nobody forges an event or paints a terminal through a field."""
    evil = 'a\r\n{"level": "error"}\x1b[31m\x00\u2028\u2029\x85\ud800'
    log.info("one", detail=evil)

    raw = file.read_bytes()
    assert raw.count(b"\n") == 1
    assert all(byte == 0x0A or 0x20 <= byte < 0x7F for byte in raw)
    assert json.loads(raw)["detail"] == evil


def test_a_field_never_stands_in_for_a_part_of_the_line(file: Path) -> None:
    """A field called like a part of the line changes neither the level nor the time of the event."""
    log.info("the log level was changed", level="error", part="another", time="never")

    (line,) = _lines(file)
    assert (line["level"], line["part"]) == ("info", "lancert.test")
    assert line["time"] != "never"
    assert {"error", "another", "never"} <= set(map(str, line.values()))


def test_the_log_is_private(file: Path) -> None:
    """The file and its folder are for the owner alone."""
    log.info("one")

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_log_is_bounded_on_the_disk(file: Path) -> None:
    """S-97: however much is recorded, and however long one event is, five MiB are not passed."""
    for _ in range(350):
        log.info("one", detail="x" * 4000, more=["y" * 2000] * 9)
    try:
        raise ValueError("z" * 3_000_000)
    except ValueError:
        log.exception("z" * 3_000_000)

    files = list(file.parent.iterdir())
    assert len(files) > 1
    assert sum(path.stat().st_size for path in files) <= 5 * 1024 * 1024
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("/proc/none")])
def test_a_log_that_cannot_be_written_stops_nothing(tmp_path: Path, make: Callable[[Path], object]) -> None:
    """S-97: where the file cannot be had, lines are lost and the agent goes on, also before a pipe nobody reads."""
    path = tmp_path / "box.log"
    make(path)
    try:
        write_logs(to_file=path)
        log.error("one")
    finally:
        write_logs()

    assert not path.is_file()


_FULL_FOR_A_WHILE = """
import pathlib, resource, sys
from lancert.kit.logs import Log, write_logs
write_logs(to_file=pathlib.Path(sys.argv[1]))
log = Log("test")
soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, hard))
for number in range(40):
    log.info("one", number=number)
resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
log.info("there is room again")
"""


def test_a_disk_that_was_full_costs_lines_and_never_half_a_line(tmp_path: Path) -> None:
    """S-97: what did not fit is not there at all, the log goes on when there is room, and says how much is missing."""
    path = tmp_path / "log" / "box.log"
    subprocess.run([sys.executable, "-c", _FULL_FOR_A_WHILE, str(path)], check=True, timeout=60)

    *fitted, lost, last = _lines(path)
    assert [line["number"] for line in fitted] == list(range(len(fitted)))
    assert 10 < len(fitted) < 40
    assert (lost["level"], lost["count"]) == ("warning", 40 - len(fitted))
    assert last["event"] == "there is room again"


def test_what_another_version_left_does_not_pass_the_bound(tmp_path: Path) -> None:
    """S-97: older logs that are too many or too large are removed; a stranger's file is not."""
    folder = tmp_path / "log"
    folder.mkdir()
    for name, size in (("box.log.1", 1000), ("box.log.2", 9_000_000), ("box.log.7", 10), ("box.log.old", 10)):
        (folder / name).write_bytes(b"x" * size)
    write_logs(to_file=folder / "box.log")
    log.info("one")
    write_logs()

    assert {path.name for path in folder.iterdir()} == {"box.log", "box.log.1", "box.log.old"}


def test_the_last_lines_go_on_in_the_older_files(file: Path) -> None:
    """M18: just after a rotation the newest file is nearly empty, and what happened before is what is looked for."""
    for number in range(700):
        log.info("one", number=number, detail="x" * 1900)
    numbers = [json.loads(line)["number"] for line in last_lines(file, 600)]

    assert len(_lines(file)) < 600
    assert numbers == list(range(100, 700))


_ENDED = f"""
import pathlib, sys
from lancert.kit.logs import write_logs
write_logs(to_file=pathlib.Path(sys.argv[1]))
raise ValueError("bad {UUID} {TOKEN}" + chr(10) + {BODY_OF_A_KEY!r})
"""


def test_what_ends_the_process_is_recorded_and_nothing_secret_reaches_the_journal(tmp_path: Path) -> None:
    """S-95: an exception that nobody caught stands in the log, redacted there and on standard error."""
    path = tmp_path / "box.log"
    ended = subprocess.run(
        [sys.executable, "-c", _ENDED, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    (line,) = _lines(path)

    assert ended.returncode == 1
    assert "ValueError: bad ••••" in line["exception"]
    assert "ValueError: bad ••••" in ended.stderr
    assert [one for one in CANARIES if one in ended.stderr + path.read_text()] == []


def test_an_exception_gives_the_reference_under_which_it_is_found(file: Path) -> None:
    """What a page shows instead of an exception leads to it."""
    try:
        raise ValueError("the reason")
    except ValueError:
        reference = log.exception("it failed")

    (line,) = _lines(file)
    assert line["reference"] == reference
    assert "ValueError: the reason" in line["exception"]


def test_the_last_lines_are_redacted_once_more(tmp_path: Path) -> None:
    """S-35: lines that an older version wrote come out redacted, the last ones only; no file gives none."""
    path = tmp_path / "box.log"
    path.write_text(f"one\ntwo {UUID}\nthree {TOKEN}\n", encoding="utf-8")

    assert last_lines(path, 2) == ["two ••••", "three ••••"]
    assert last_lines(tmp_path / "absent", 2) == []


def test_ordinary_text_is_not_redacted() -> None:
    """Redaction takes secrets, not certificates and sentences."""
    text = (
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nlct1 is the prefix; 0f8fad5b-d9cb is half a one"
    )

    assert redact(text) == text


def test_nothing_is_logged_before_it_was_asked_for() -> None:
    """Nothing happens on import: without a destination events go nowhere."""
    write_logs()
    log.error("one")

    assert logging.getLogger("lancert").propagate is False
    assert [type(handler) for handler in logging.getLogger("lancert").handlers] == [logging.NullHandler]
