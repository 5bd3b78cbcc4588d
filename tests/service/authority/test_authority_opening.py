"""Opening an authority: its parts are private and belong together, or a sentence says what is wrong."""

import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.kit.secret import Secret
from lancert.protocol.names import DEMO_ZONE, Zone
from lancert.service.authority import AuthorityUnusable, create_authority, open_authority
from lancert.service.authority.keys import new_key, read_key, read_passphrase, write_key


@pytest.fixture
def folder(authority_folder: Path, tmp_path: Path) -> Path:
    """A copy of an authority, to be damaged."""
    return shutil.copytree(authority_folder, tmp_path / "copy")


def pem_of(key: ec.EllipticCurvePrivateKey, how: serialization.KeySerializationEncryption) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, how)


def cheaply_protected(folder: Path) -> bytes:
    phrase = read_passphrase(folder / "issuing.passphrase")
    key = read_key(folder / "issuing.key", phrase)
    return pem_of(key, serialization.BestAvailableEncryption(phrase.reveal().encode()))


def in_the_clear(folder: Path) -> bytes:
    key = read_key(folder / "issuing.key", read_passphrase(folder / "issuing.passphrase"))
    return pem_of(key, serialization.NoEncryption())


def of_another_key(folder: Path) -> bytes:
    write_key(folder / "other.key", new_key(), read_passphrase(folder / "issuing.passphrase"))
    return (folder / "other.key").read_bytes()


def half(name: str) -> Callable[[Path], bytes]:
    return lambda folder: (folder / name).read_bytes()[: (folder / name).stat().st_size // 2]


def another_root(folder: Path) -> bytes:
    create_authority(folder / "other", DEMO_ZONE, now=datetime.fromisoformat("2026-11-20T09:30:00Z"))
    return (folder / "other" / "root.pem").read_bytes()


DAMAGE: dict[str, tuple[str, Callable[[Path], bytes], str]] = {
    "key in the clear": ("issuing.key", in_the_clear, "not an encrypted key"),
    "key cheaply protected": ("issuing.key", cheaply_protected, "protected too cheaply"),
    "key of another certificate": ("issuing.key", of_another_key, "not the key of"),
    "key cut off": ("issuing.key", half("issuing.key"), "not an encrypted key"),
    "key too large": ("issuing.key", lambda folder: b"x" * 20_000, "cannot be read"),
    "key empty": ("issuing.key", lambda folder: b"", "not an encrypted key"),
    "another passphrase": ("issuing.passphrase", lambda folder: b"not the one it was made with", "not the right one"),
    "a short passphrase": ("issuing.passphrase", lambda folder: b"short", "less than 16"),
    "a passphrase of bytes": ("issuing.passphrase", lambda folder: b"\xff" * 40, "not text"),
    "root cut off": ("root.pem", half("root.pem"), "root.pem in .* cannot be read"),
    "root of another authority": ("root.pem", another_root, "was not signed by root.pem"),
    "issuing certificate is the root": (
        "issuing.pem",
        lambda folder: (folder / "root.pem").read_bytes(),
        "allows more or less",
    ),
    "issuing certificate empty": ("issuing.pem", lambda folder: b"", "cannot be read"),
    "two certificates": (
        "issuing.pem",
        lambda folder: (folder / "issuing.pem").read_bytes() + (folder / "root.pem").read_bytes(),
        "more than one",
    ),
}


@pytest.mark.parametrize(("name", "damage", "sentence"), DAMAGE.values(), ids=DAMAGE)
def test_damaged_parts_are_refused_with_a_sentence(
    folder: Path, now: datetime, name: str, damage: Callable[[Path], bytes], sentence: str
) -> None:
    """No part that is damaged, weak or of another authority is used, and the sentence names it (S-70)."""
    content = damage(folder)
    (folder / name).write_bytes(content)

    with pytest.raises(AuthorityUnusable, match=sentence):
        open_authority(folder, DEMO_ZONE, now=now)


@pytest.mark.parametrize("name", ["root.pem", "issuing.pem", "issuing.key", "issuing.passphrase"])
def test_a_missing_part_is_named(folder: Path, now: datetime, name: str) -> None:
    """The sentence says which file is missing."""
    (folder / name).unlink()

    with pytest.raises(AuthorityUnusable, match=f"{name} is missing"):
        open_authority(folder, DEMO_ZONE, now=now)


@pytest.mark.parametrize("name", ["issuing.key", "issuing.passphrase"])
@pytest.mark.parametrize("mode", [0o604, 0o620, 0o644, 0o602, 0o601])
def test_a_key_or_passphrase_others_may_open_is_refused(folder: Path, now: datetime, name: str, mode: int) -> None:
    """The service does not start with a key that others could have taken; the sentence says how to close it (S-70)."""
    (folder / name).chmod(mode)

    with pytest.raises(AuthorityUnusable, match=rf"may open {name} \(mode {mode:04o}\).*chmod 600"):
        open_authority(folder, DEMO_ZONE, now=now)


def test_a_passphrase_may_be_readable_for_the_group_and_a_key_not(folder: Path, now: datetime) -> None:
    """A credential that systemd hands over shows rights of the group; a key file never does (S-69)."""
    (folder / "issuing.passphrase").chmod(0o440)
    assert open_authority(folder, DEMO_ZONE, now=now)

    (folder / "issuing.key").chmod(0o640)
    with pytest.raises(AuthorityUnusable):
        open_authority(folder, DEMO_ZONE, now=now)


@pytest.mark.parametrize("zone", ["localhost", "other.lancert.localhost", "iot.example.com"])
def test_an_authority_of_another_zone_is_refused(folder: Path, now: datetime, zone: str) -> None:
    """The authority signs for the zone it was created for and no other, wider or narrower."""
    with pytest.raises(AuthorityUnusable, match="not one for the zone"):
        open_authority(folder, Zone(zone), now=now)


@pytest.mark.parametrize(
    ("days", "sentence"),
    [(-1, "check the clock"), (3 * 365, "issuing.pem was valid until"), (11 * 365, "root.pem was valid until")],
)
def test_an_authority_that_is_not_valid_now_is_refused(folder: Path, now: datetime, days: int, sentence: str) -> None:
    """Before its time the clock is wrong, after its time the authority is over: two sentences."""
    with pytest.raises(AuthorityUnusable, match=sentence):
        open_authority(folder, DEMO_ZONE, now=now + timedelta(days=days))


@pytest.mark.parametrize("name", ["issuing.key", "offline/root.key"])
def test_openssl_opens_the_keys_too(authority_folder: Path, name: str, tool: Callable[[str], str]) -> None:
    """The operator is not dependent on us: openssl reads the key with the passphrase file."""
    key = authority_folder / name

    done = subprocess.run(
        [tool("openssl"), "pkey", "-in", key, "-passin", f"file:{key.with_suffix('.passphrase')}", "-noout", "-text"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "prime256v1" in done.stdout


def test_a_key_that_openssl_encrypted_is_opened(tmp_path: Path, tool: Callable[[str], str]) -> None:
    """What the sentences tell the operator to type makes a key that is accepted."""
    key = new_key()
    (tmp_path / "phrase").write_text("a phrase the operator chose")
    (tmp_path / "clear.key").write_bytes(pem_of(key, serialization.NoEncryption()))

    command = [tool("openssl"), "pkcs8", "-topk8", "-scrypt", "-passout", f"file:{tmp_path / 'phrase'}"]
    command += ["-in", str(tmp_path / "clear.key"), "-out", str(tmp_path / "issuing.key")]
    subprocess.run(command, capture_output=True, timeout=30, check=True)
    (tmp_path / "issuing.key").chmod(0o600)

    read = read_key(tmp_path / "issuing.key", Secret("a phrase the operator chose"))
    assert read.private_numbers() == key.private_numbers()
