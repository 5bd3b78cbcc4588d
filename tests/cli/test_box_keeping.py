"""``lancert box logs`` and ``reset`` where no agent runs: what each says, and what it leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import click.testing
import pytest

from lancert.cli import group
from lancert.kit.files import lock, private_directory, write_private

Lancert = Callable[..., click.testing.Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an IoT system that was used."""
    made = private_directory(tmp_path / "box")
    private_directory(made / "log")
    write_private(made / "identity.pem", b"key")
    lines = [
        {"time": "2026-11-20T09:30:00.000+00:00", "level": "info", "part": "lancert.box", "event": "one", "count": 1},
        {"time": "2026-11-20T09:30:01.000+00:00", "level": "error", "part": "lancert.box", "event": "two\x1b[31m"},
    ]
    write_private(made / "log" / "box.log", "".join(json.dumps(line) + "\n" for line in lines).encode() + b"{torn\n")
    return made


@pytest.fixture
def box(folder: Path) -> Lancert:
    """Type a command of ``lancert box`` for this folder."""

    def type_it(command: str, *arguments: str, answer: str | None = None) -> click.testing.Result:
        words = ["box", command, "--folder", str(folder), *arguments]
        return click.testing.CliRunner().invoke(group, words, prog_name="lancert", input=answer)

    return type_it


def test_the_log_is_shown_as_people_read_it(box: Lancert) -> None:
    """Moment, level, sentence, facts; no sign that a terminal would obey (F-64)."""
    shown = box("logs").output

    assert "2026-11-20 09:30:00  info     one  count=1\n" in shown
    assert "2026-11-20 09:30:01  error    two\\u001b[31m\n" in shown
    assert '"{torn"' in shown
    assert "\x1b" not in shown
    assert box("logs", "--lines", "1").output == '"{torn"\n'


def test_the_log_is_shown_as_it_was_written(box: Lancert, folder: Path) -> None:
    """For programs."""
    assert box("logs", "--json").output == (folder / "log" / "box.log").read_text()


def test_a_box_that_recorded_nothing_says_so(box: Lancert, folder: Path) -> None:
    """An empty answer would leave doubts."""
    (folder / "log" / "box.log").unlink()

    assert "Nothing is recorded yet." in box("logs").output


@pytest.mark.promise("M18")
def test_a_bundle_is_a_new_private_file(box: Lancert, tmp_path: Path) -> None:
    """S-35: nobody else can read it, and no file is overwritten by mistake."""
    file = tmp_path / "logs.zip"
    said = box("logs", "--bundle", str(file))
    again = box("logs", "--bundle", str(file))

    assert said.exit_code == 0, said.output
    assert f"{file}: " in said.output
    assert file.stat().st_mode & 0o777 == 0o600
    with ZipFile(file) as bundle:
        assert "lancert-box-logs/log/box.log" in bundle.namelist()
    assert (again.exit_code, "is there already" in again.output) == (1, True)


def test_a_bundle_goes_where_the_shell_may_write(box: Lancert, tmp_path: Path) -> None:
    """On a device the command runs as another account; what it cannot write it can print."""
    refused = [box("logs", "--bundle", place) for place in ("/proc/logs.zip", f"{tmp_path}/{'x' * 300}.zip")]
    printed = box("logs", "--bundle", "-")
    (tmp_path / "printed.zip").write_bytes(printed.stdout_bytes)

    assert [one.exit_code for one in refused] == [1, 1]
    assert all("--bundle - > FILE" in one.output for one in refused)
    with ZipFile(tmp_path / "printed.zip") as bundle:
        assert bundle.testzip() is None


def test_a_reset_asks_and_says_what_goes_and_what_stays(box: Lancert, folder: Path, tmp_path: Path) -> None:
    """S-15: nothing happens without a yes; a key that another program was given is named."""
    given = tmp_path / "key.pem"
    given.write_bytes(b"key")
    table = f'[[deploy]]\nname = "other"\nkey = "{given}"\nfull_chain = "{tmp_path}/chain.pem"\n'
    write_private(folder / "box.toml", table.encode())

    said = box("reset", answer="n\n")

    assert said.exit_code == 1
    assert (folder / "identity.pem").exists()
    for sentence in (
        "identity.pem         its identity",
        "log/                 the log",
        "box.toml             the settings",
    ):
        assert sentence in said.output
    assert "may keep older copies" in said.output
    assert f"{given} with its key: remove it by hand" in said.output


def test_a_reset_without_an_agent_is_done_at_once(box: Lancert, folder: Path) -> None:
    """S-15: what is left is the new PIN, which is shown."""
    said = box("reset", answer="y\n")

    assert said.exit_code == 0
    assert {path.name for path in folder.iterdir()} == {"lock", "pin.json"}
    assert "This IoT system is as on the first day." in said.output
    assert "Its new PIN: " in said.output
    assert "Its agent serves" not in said.output
    assert "lancert box connect TOKEN" in said.output


def test_a_reset_of_nothing_is_refused(tmp_path: Path) -> None:
    """Whoever names the wrong folder is told so, and none is made."""
    words = ["box", "reset", "--folder", str(tmp_path / "none"), "--yes"]
    said = click.testing.CliRunner().invoke(group, words, prog_name="lancert")

    assert said.exit_code == 1
    assert "There is no IoT system in the folder" in said.output
    assert not (tmp_path / "none").exists()


def test_the_lock_is_free_after_a_reset(box: Lancert, folder: Path) -> None:
    """An agent can start right after it."""
    box("reset", "--yes")

    with lock(folder):
        assert (folder / "lock").exists()
