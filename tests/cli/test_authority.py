"""``lancert authority``: creating the embedded authority, looking at it, handing out its root."""

import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click.testing
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from lancert.cli import group

Answer = click.testing.Result
Authority = Callable[..., Answer]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Type a command of ``lancert authority`` for the service in ``tmp_path``."""

    def type_it(*arguments: str) -> Answer:
        command = ["authority", *arguments, "--folder", str(tmp_path)]
        return click.testing.CliRunner().invoke(group, command, prog_name="lancert")

    return type_it


@pytest.fixture
def created(authority: Authority) -> Authority:
    """The same, with an authority."""
    assert authority("create", "--zone", "iot.example.com").exit_code == 0
    return authority


def test_creating_says_where_the_root_key_is_and_what_to_do_with_it(authority: Authority, tmp_path: Path) -> None:
    """The operator learns the fingerprint, that the offline folder goes away, and what comes next (S-67)."""
    answer = authority("create", "--zone", "iot.example.com")

    root = x509.load_pem_x509_certificate((tmp_path / "authority" / "root.pem").read_bytes())
    assert answer.exit_code == 0
    assert root.fingerprint(hashes.SHA256()).hex() in answer.output
    assert f"Move the folder {tmp_path / 'authority' / 'offline'}" in answer.output
    assert "lancert service run --zone iot.example.com --address ADDRESS" in answer.output


def test_nothing_secret_is_printed(authority: Authority, tmp_path: Path) -> None:
    """Neither creating nor showing prints a passphrase or a key."""
    said = authority("create", "--zone", "iot.example.com").output + authority("show", "--json").output

    for phrase in tmp_path.rglob("*.passphrase"):
        assert phrase.read_text().strip() not in said
    assert "PRIVATE KEY" not in said


def test_showing_names_zone_lives_fingerprints_and_the_root_key(created: Authority, tmp_path: Path) -> None:
    """Everything an operator is asked about, for people and for programs."""
    document = json.loads(created("show", "--json").stdout)
    text = created("show").output

    assert document["zone"] == "iot.example.com"
    assert document["root_key_on_this_machine"] is True
    assert document["offline_folder"] == str(tmp_path / "authority" / "offline")
    assert (document["trouble"], document["renewal_due"]) == (None, False)
    for kind in ("root", "issuing"):
        assert document[kind]["fingerprint"] in text
        assert document[kind]["not_after"][:10] in text
    assert "no IP addresses" in text
    assert "kept locked away" in text


def test_a_root_key_that_was_carried_away_is_not_asked_for_again(created: Authority, tmp_path: Path) -> None:
    """Once the offline folder is gone, the advice is gone (S-67)."""
    shutil.rmtree(tmp_path / "authority" / "offline")

    assert "not on this machine, as it should be" in created("show").output
    assert "kept locked away" not in created("show").output
    assert json.loads(created("show", "--json").stdout)["offline_folder"] is None


def test_showing_says_why_the_service_would_not_start(created: Authority, tmp_path: Path) -> None:
    """What the service would refuse is found by looking (S-70)."""
    (tmp_path / "authority" / "issuing.key").chmod(0o644)

    assert "chmod 600" in created("show").output
    assert "Other accounts" in json.loads(created("show", "--json").stdout)["trouble"]


def test_the_passphrase_file_of_the_settings_is_used(authority: Authority, tmp_path: Path) -> None:
    """An authority whose passphrase is kept elsewhere is usable when the settings name the file (S-69)."""
    phrase = tmp_path / "phrase"
    phrase.write_text("a phrase the operator chose")
    phrase.chmod(0o600)
    assert authority("create", "--zone", "iot.example.com", "--passphrase-file", str(phrase)).exit_code == 0
    assert "issuing.passphrase is missing" in json.loads(authority("show", "--json").stdout)["trouble"]

    (tmp_path / "service.toml").write_text(f'passphrase_file = "{phrase}"\n')

    assert json.loads(authority("show", "--json").stdout)["trouble"] is None


def test_the_root_is_printed_or_written(created: Authority, tmp_path: Path) -> None:
    """The root certificate alone, to standard output or to a file everybody may read."""
    printed = created("root").output
    answer = created("root", "--out", str(tmp_path / "root.crt"))

    assert printed == (tmp_path / "authority" / "root.pem").read_text()
    assert (tmp_path / "root.crt").read_text() == printed
    assert stat.S_IMODE((tmp_path / "root.crt").stat().st_mode) == 0o644
    assert x509.load_pem_x509_certificate(printed.encode()).fingerprint(hashes.SHA256()).hex() in answer.output


def test_a_second_creation_is_refused(created: Authority, tmp_path: Path) -> None:
    """An authority that clients trust is never written over."""
    before = (tmp_path / "authority" / "root.pem").read_bytes()

    answer = created("create", "--zone", "iot.example.com")

    assert answer.exit_code == 1
    assert "never written over" in answer.output
    assert (tmp_path / "authority" / "root.pem").read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (("create",), 2, "--zone"),
        (("create", "--zone", "nozone"), 2, "write host labels joined by dots"),
        (("create", "--zone", "iot.example.com", "--passphrase-file", "/nonexistent"), 2, "does not exist"),
        (("show",), 1, "lancert authority create --zone ZONE"),
        (("root",), 1, "lancert authority create --zone ZONE"),
    ],
)
def test_a_wrong_command_line_is_answered_with_what_to_type(
    authority: Authority, arguments: tuple[str, ...], status: int, sentence: str
) -> None:
    """Exit status 2 for what was typed, 1 for what is there."""
    answer = authority(*arguments)

    assert answer.exit_code == status
    assert sentence in answer.output


def test_damaged_certificates_are_said(created: Authority, tmp_path: Path) -> None:
    """No trace of the program, a sentence that names the file."""
    (tmp_path / "authority" / "root.pem").write_text("nothing")

    for arguments in (("show",), ("root",)):
        answer = created(*arguments)
        assert answer.exit_code == 1
        assert "root.pem" in answer.output


def test_the_command_works_without_the_service_extra(tmp_path: Path, root: Path) -> None:
    """An authority can be created on an offline machine that has the base install only."""
    hide = "import sys; sys.modules.update(dict.fromkeys(['sqlalchemy', 'alembic', 'dns', 'uvloop', 'httptools']))"
    arguments = ["lancert", "authority", "create", "--zone", "iot.example.com", "--folder", str(tmp_path)]
    program = f"{hide}; sys.argv = {arguments!r}; from lancert.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(root / "src")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "authority" / "issuing.key").exists()
