"""The certificates on the disk: whatever is found there, the agent starts and serves the best that is whole."""

import os
import random
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.box.conftest import Authority
from tests.box.given import NAMES
from tests.peers.authority import TODAY, Key, key_pem, new_key

from lancert.box.keys import pending_key
from lancert.box.store import CertificateStore, Generation, generation_file, read_generation
from lancert.kit.files import write_private
from lancert.protocol import problems

# Turned bits make certificates that a later version of the library will refuse by itself; until then it warns.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

RENEWAL = (TODAY + timedelta(days=29), TODAY + timedelta(days=36))
CAUSES = {cause.id for cause in problems.CHECK_CERT_READ_EXCEPTION.causes}

Chain = tuple[x509.Certificate, ...]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the certificates are kept."""
    return tmp_path / "certificates"


@pytest.fixture
def chain(authority: Authority, a_key: Key) -> Chain:
    """A chain for the key of these tests."""
    return authority.chain(NAMES, a_key)


def _install(folder: Path, key: Key, chain: Chain) -> Generation:
    return CertificateStore(folder).install(key, chain, renewal_start=RENEWAL[0], renewal_end=RENEWAL[1])


def _content(key: Key, chain: Chain) -> bytes:
    return generation_file(key_pem(key), chain, *RENEWAL)


def _check(folder: Path) -> tuple[CertificateStore, str | None]:
    store = CertificateStore(folder)
    return store, store.check().damage


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_installed_is_found_at_the_next_start(folder: Path, a_key: Key, chain: Chain) -> None:
    """M2: a certificate survives the restart with its renewal window, and can be served from its file."""
    installed = _install(folder, a_key, chain)
    store, damage = _check(folder)

    assert damage is None
    assert store.generation == installed
    assert installed.chain == chain
    assert (installed.installed.renewal_start, installed.installed.renewal_end) == RENEWAL
    assert store.stored == CertificateStore(folder).look()


def test_an_empty_store_has_nothing_and_nothing_wrong(folder: Path) -> None:
    """The first start is no problem."""
    store, damage = _check(folder)

    assert damage is None
    assert store.generation is None


def test_a_new_certificate_replaces_the_old_and_two_older_ones_are_kept(folder: Path, authority: Authority) -> None:
    """Six renewals leave three files, the newest is current, and the key that waited is gone."""
    serials = []
    for _ in range(6):
        store = CertificateStore(folder)
        key = store.pending_key()
        chain = authority.chain(NAMES, key)
        store.install(key, chain, renewal_start=RENEWAL[0], renewal_end=RENEWAL[1])
        serials.append(f"{chain[0].serial_number:x}")

    kept = sorted(path.name for path in folder.iterdir())
    assert kept == ["current", "generation-000004.pem", "generation-000005.pem", "generation-000006.pem"]
    newest = CertificateStore(folder).look().usable
    assert newest is not None
    assert newest.facts.serial == serials[-1]
    assert [
        read_generation(folder / name).installed.facts.serial for name in kept if name.startswith("generation")
    ] == serials[3:]


def test_every_certificate_has_a_key_of_its_own(folder: Path, authority: Authority) -> None:
    """S-03: the key waits until its certificate is installed; the next certificate gets a new one."""
    store = CertificateStore(folder)
    key = store.pending_key()
    assert key_pem(CertificateStore(folder).pending_key()) == key_pem(key)
    store.install(key, authority.chain(NAMES, key), renewal_start=RENEWAL[0], renewal_end=RENEWAL[1])

    assert key_pem(store.pending_key()) != key_pem(key)


def test_a_key_that_was_certified_is_not_asked_for_again(folder: Path, authority: Authority) -> None:
    """S-03: where a kill left the waiting key beside its certificate, the next certificate still gets a new key."""
    store = CertificateStore(folder)
    key = store.pending_key()
    store.install(key, authority.chain(NAMES, key), renewal_start=RENEWAL[0], renewal_end=RENEWAL[1])
    write_private(folder / "pending-key.pem", key_pem(key))
    restarted, _ = _check(folder)

    assert key_pem(restarted.pending_key()) != key_pem(key)


# Damage (F-08, F-09)


@pytest.mark.promise("M13")
def test_a_file_cut_off_anywhere_is_set_aside(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-08: truncated at 64 places, the older generation is used and the damage is told."""
    older = _install(folder, a_key, chain)
    whole = _content(a_key, chain)
    for part in range(64):
        current = _install(folder, a_key, chain)
        current.path.write_bytes(whole[: len(whole) * part // 64])
        store, damage = _check(folder)
        assert damage == "damaged"
        assert store.generation is not None
        assert store.generation.chain == older.chain
        assert not current.path.exists()


@pytest.mark.promise("M13")
def test_a_flipped_bit_is_found_wherever_it_is(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-08: a thousand random bits turned, one or a few at a time; nothing is accepted and nothing breaks."""
    whole = _content(a_key, chain)
    chance = random.Random(8)
    store = CertificateStore(folder)
    found = set()
    for _ in range(1000):
        spoilt = bytearray(whole)
        for _ in range(chance.choice((1, 1, 1, 3))):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        if bytes(spoilt) == whole:
            continue
        path = folder / "generation-000001.pem"
        path.write_bytes(spoilt)
        path.chmod(0o600)
        found.add(store.check().damage)
        assert store.generation is None

    assert found <= CAUSES
    assert "damaged" in found


def _spoilt_with_its_checksum(key: Key, chain: Chain, chance: random.Random) -> bytes:
    """Turn a bit in what the checksum covers, and write the checksum that belongs to it."""
    import hashlib

    rest = bytearray(_content(key, chain).split(b"\n", 1)[1])
    rest[chance.randrange(len(rest))] ^= 1 << chance.randrange(8)
    return b"sha-256: " + hashlib.sha256(rest).hexdigest().encode() + b"\n" + bytes(rest)


def test_a_wrong_part_is_found_even_when_the_checksum_fits(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-08: a file that was wrong before its checksum was made breaks nothing; what is used has the key it names."""
    chance = random.Random(88)
    store = CertificateStore(folder)
    for _ in range(1000):
        path = folder / "generation-000001.pem"
        path.write_bytes(_spoilt_with_its_checksum(a_key, chain, chance))
        path.chmod(0o600)
        damage = store.check().damage
        assert damage in CAUSES or (store.generation is not None)
        (folder / "damage").unlink(missing_ok=True)


SPOILT: list[tuple[str, Callable[[bytes, Chain], bytes]]] = [
    ("empty", lambda whole, chain: b""),
    ("zeros", lambda whole, chain: bytes(len(whole))),
    ("a block of zeros", lambda whole, chain: whole[:512] + bytes(512) + whole[1024:]),
    ("CRLF", lambda whole, chain: whole.replace(b"\n", b"\r\n")),
    ("BOM", lambda whole, chain: b"\xef\xbb\xbf" + whole),
    ("DER", lambda whole, chain: chain[0].public_bytes(serialization.Encoding.DER)),
    ("10 MB", lambda whole, chain: whole + b"\n" * 10_000_000),
    ("twice", lambda whole, chain: whole * 2),
    ("text after", lambda whole, chain: whole + b"hello"),
    ("no checksum", lambda whole, chain: whole.split(b"\n", 1)[1]),
    ("missing intermediate", lambda whole, chain: whole[: whole.rindex(b"-----BEGIN CERTIFICATE-----")]),
    (
        "no key",
        lambda whole, chain: whole[: whole.index(b"-----BEGIN PRIV")] + whole[whole.index(b"-----BEGIN CERT") :],
    ),
    ("another date", lambda whole, chain: whole.replace(b"renewal: 2", b"renewal: 3")),
    ("no date", lambda whole, chain: whole.replace(b"renewal: 2", b"renewal: \xff")),
    ("HTML", lambda whole, chain: b"<html><body>Sign in</body></html>"),
]


@pytest.mark.promise("M13")
@pytest.mark.parametrize("spoil", [row[1] for row in SPOILT], ids=[row[0] for row in SPOILT])
def test_a_spoilt_file_is_set_aside_and_the_older_one_used(
    folder: Path, a_key: Key, chain: Chain, spoil: Callable[[bytes, Chain], bytes]
) -> None:
    """F-08, F-09: the file is kept for whoever wants to know, and does not reach a client."""
    older = _install(folder, a_key, chain)
    current = _install(folder, a_key, chain)
    current.path.write_bytes(spoil(_content(a_key, chain), chain))
    store, damage = _check(folder)

    assert damage == "damaged"
    assert store.generation is not None
    assert store.generation.path == older.path
    assert (folder / f"set-aside-{current.path.name}").exists()
    assert _check(folder)[1] == "damaged"


@pytest.mark.promise("M13")
def test_the_key_of_another_certificate_is_told_from_damage(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-09: a whole file whose parts do not belong together has a cause of its own."""
    older = _install(folder, a_key, chain)
    for wrong in (_content(new_key(), chain), _content(a_key, tuple(reversed(chain)))):
        current = _install(folder, a_key, chain)
        current.path.write_bytes(wrong)
        store, damage = _check(folder)
        assert damage == "key-mismatch"
        assert store.generation is not None
        assert store.generation.chain == older.chain


def test_a_key_of_an_unknown_kind_is_damage(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-08: a key this system cannot read is no reason not to start."""
    der = bytearray(
        a_key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    curve = der.index(bytes.fromhex("06082a8648ce3d030107"))
    der[curve + 9] = 0x55
    from base64 import encodebytes

    strange = b"-----BEGIN PRIVATE KEY-----\n" + encodebytes(bytes(der)) + b"-----END PRIVATE KEY-----\n"
    CertificateStore(folder)
    write_private(folder / "generation-000001.pem", generation_file(strange, chain, *RENEWAL))
    store, damage = _check(folder)

    assert damage == "damaged"
    assert store.generation is None


def test_damage_is_remembered_until_a_new_certificate_is_installed(folder: Path, a_key: Key, chain: Chain) -> None:
    """M13: the owner sees the problem also after a restart, and no longer than it lasts."""
    _install(folder, a_key, chain).path.write_bytes(b"")
    assert _check(folder)[1] == "damaged"
    assert _check(folder)[1] == "damaged"
    _install(folder, a_key, chain)

    assert _check(folder)[1] is None


@pytest.mark.parametrize("content", [b"", b"melted", b"\xff\xfe", b"x" * 1000])
def test_a_damaged_note_of_the_damage_is_still_a_known_cause(folder: Path, content: bytes) -> None:
    """M13: what is shown is always a row of the catalogue."""
    CertificateStore(folder)
    write_private(folder / "damage", content)

    assert _check(folder)[1] in CAUSES


def test_the_older_generations_are_tried_in_turn(folder: Path, a_key: Key, chain: Chain) -> None:
    """Two damaged files in a row still leave the third."""
    first, second, third = (_install(folder, a_key, chain) for _ in range(3))
    third.path.write_bytes(b"")
    second.path.unlink()
    store, _ = _check(folder)

    assert store.generation is not None
    assert store.generation.path == first.path
    assert (folder / "current").read_text() == f"{first.path.name}\n"


def test_looking_changes_nothing(folder: Path, a_key: Key, chain: Chain) -> None:
    """A second process may look at a damaged store and leaves everything as it is."""
    _install(folder, a_key, chain)
    _install(folder, a_key, chain).path.write_bytes(b"damaged")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    seen = CertificateStore(folder).look()

    assert seen.damage == "damaged"
    assert seen.usable is not None
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_what_is_set_aside_is_bounded(folder: Path, a_key: Key, chain: Chain) -> None:
    """However often the card fails, a few damaged files are kept and no more."""
    _install(folder, a_key, chain)
    for number in range(2, 20):
        write_private(folder / f"generation-{number:06}.pem", b"damaged")
        write_private(folder / "current", f"generation-{number:06}.pem\n".encode())
        _check(folder)

    aside = sorted(path.name for path in folder.iterdir() if path.name.startswith("set-aside-"))
    assert aside == [f"set-aside-generation-{number:06}.pem" for number in range(15, 20)]


# The pointer (F-10)


def _instead(path: Path) -> Path:
    """Make room for something else under this name."""
    path.unlink()
    return path


POINTERS: list[tuple[str, Callable[[Path], object]]] = [
    ("dangling", lambda current: current.write_text("generation-000099.pem\n")),
    ("a link to nowhere", lambda current: _instead(current).symlink_to("nowhere")),
    ("a loop", lambda current: _instead(current).symlink_to(current.name)),
    ("out of the folder", lambda current: current.write_text("../outside/generation-000001.pem\n")),
    ("an absolute path", lambda current: current.write_text("/etc/passwd\n")),
    ("empty", lambda current: current.write_bytes(b"")),
    ("not text", lambda current: current.write_bytes(b"\xff\x00\xfe" * 20)),
    ("huge", lambda current: current.write_bytes(b"x" * 1_000_000)),
    ("missing", lambda current: current.unlink()),
    ("a folder", lambda current: _instead(current).mkdir()),
    ("a folder with something in it", lambda current: (_instead(current) / "x").mkdir(parents=True)),
    ("an older one that is gone", lambda current: current.write_text("generation-000000.pem\n")),
    ("itself", lambda current: current.write_text("current\n")),
]


@pytest.mark.parametrize("spoil", [row[1] for row in POINTERS], ids=[row[0] for row in POINTERS])
def test_a_wrong_pointer_is_healed_at_the_start(
    folder: Path, a_key: Key, chain: Chain, spoil: Callable[[Path], object]
) -> None:
    """F-10: whatever the pointer says, the newest whole generation inside the folder is served and named."""
    outside = folder.parent / "outside"
    outside.mkdir()
    write_private(outside / "generation-000001.pem", _content(a_key, chain))
    _install(folder, a_key, chain)
    newest = _install(folder, a_key, chain)
    spoil(folder / "current")
    store, _ = _check(folder)

    assert store.generation is not None
    assert store.generation.path == newest.path
    assert (folder / "current").read_text() == f"{newest.path.name}\n"


def test_a_generation_that_is_a_folder_is_set_aside(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-10: something else under the name of a generation hides no good one."""
    older = _install(folder, a_key, chain)
    current = _install(folder, a_key, chain)
    current.path.unlink()
    (current.path / "inside").mkdir(parents=True)
    store, damage = _check(folder)

    assert damage == "damaged"
    assert store.generation is not None
    assert store.generation.path == older.path


def test_a_file_in_place_of_the_folder_is_set_aside(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-10: the agent starts, and the next certificate has its place."""
    folder.write_bytes(b"not a folder")
    store, _ = _check(folder)
    assert store.generation is None
    _install(folder, a_key, chain)

    assert CertificateStore(folder).look().usable is not None
    assert [path.read_bytes() for path in folder.parent.iterdir() if path.is_file()] == [b"not a folder"]


@pytest.mark.promise("M13")
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_could_read_is_refused_closed_and_reported(
    folder: Path, a_key: Key, chain: Chain, mode: int
) -> None:
    """F-12, S-04: it is not served, nobody else can read it any more, and the cause is named."""
    current = _install(folder, a_key, chain)
    current.path.chmod(mode)
    store, damage = _check(folder)

    assert damage == "open-to-others"
    assert store.generation is None
    assert {_mode(path) for path in folder.iterdir()} == {0o600}


def test_nothing_is_open_under_a_careless_umask(folder: Path, authority: Authority) -> None:
    """F-12, I-4: with umask 000 no file of the store has any right for others."""
    before = os.umask(0)
    try:
        store = CertificateStore(folder)
        key = store.pending_key()
        keys_on_disk = {_mode(path) for path in folder.iterdir()}
        installed = store.install(key, authority.chain(NAMES, key), renewal_start=RENEWAL[0], renewal_end=RENEWAL[1])
        installed.path.write_bytes(b"damaged")
        store.check()
    finally:
        os.umask(before)

    assert keys_on_disk == {0o600}
    assert _mode(folder) == 0o700
    assert {_mode(path) & 0o077 for path in folder.iterdir()} == {0}


def test_a_folder_that_others_could_enter_is_closed(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-12: the rights of the folder are mended at the start."""
    _install(folder, a_key, chain)
    folder.chmod(0o755)

    assert _check(folder)[1] is None
    assert _mode(folder) == 0o700


def test_the_rest_of_an_interrupted_write_is_cleared_away(folder: Path, a_key: Key, chain: Chain) -> None:
    """F-05, I-5: a half-written file may hold a key, so none stays."""
    _install(folder, a_key, chain)
    for name in (".generation-000002.pem.0a1b2c3d.new", ".pending-key.pem.0a1b2c3d.new", ".current.0a1b2c3d.new"):
        (folder / name).write_bytes(key_pem(a_key)[:100])
    _check(folder)

    assert sorted(path.name for path in folder.iterdir()) == ["current", "generation-000001.pem"]


def test_a_certificate_is_installed_where_an_interrupted_installation_left_its_file(
    folder: Path, a_key: Key, chain: Chain
) -> None:
    """F-01: a generation that was written and never named is not used, and does not stand in the way."""
    old = _install(folder, a_key, chain)
    write_private(folder / "generation-000002.pem", _content(a_key, chain))
    store, damage = _check(folder)
    assert store.generation is not None
    assert (store.generation.path, damage) == (old.path, None)

    assert _install(folder, a_key, chain).path.name == "generation-000003.pem"


@pytest.mark.parametrize("content", [b"", b"garbage", b"x" * 100_000, b"\xff" * 50])
def test_a_pending_key_that_cannot_be_read_is_made_anew(folder: Path, content: bytes) -> None:
    """F-03: nothing that is found there stops the next try."""
    store = CertificateStore(folder)
    write_private(folder / "pending-key.pem", content)

    assert isinstance(store.pending_key(), ec.EllipticCurvePrivateKey)
    assert key_pem(store.pending_key()) == (folder / "pending-key.pem").read_bytes()


def test_a_pending_key_that_was_open_to_others_is_not_used(folder: Path) -> None:
    """S-04: a key that others could have read is thrown away before it is certified."""
    store = CertificateStore(folder)
    first = store.pending_key()
    (folder / "pending-key.pem").chmod(0o644)

    assert key_pem(pending_key(folder / "pending-key.pem")) != key_pem(first)
    assert _mode(folder / "pending-key.pem") == 0o600
