"""Creating an authority: what is made, where each part lies, and what an interruption leaves behind."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from lancert.kit.files import lock
from lancert.protocol.names import DEMO_ZONE, parse_zone
from lancert.service.authority import (
    AuthorityExists,
    AuthorityUnusable,
    EmbeddedAuthority,
    authority_exists,
    create_authority,
    open_authority,
    read_root,
    root_key_is_here,
)
from lancert.service.authority.keys import read_key, read_passphrase


def value_of(certificate: x509.Certificate, kind: type[x509.ExtensionType], *, critical: bool) -> x509.ExtensionType:
    found = certificate.extensions.get_extension_for_class(kind)
    assert found.critical is critical
    return found.value


def test_root_and_issuing_certificate_speak_for_the_zone_alone(authority: EmbeddedAuthority) -> None:
    """Both carry critical constraints: names of the zone, no IP address of either version (S-71, T-24)."""
    expected = x509.NameConstraints(
        [x509.DNSName("lancert.localhost")],
        [x509.IPAddress(ip_network("0.0.0.0/0")), x509.IPAddress(ip_network("::/0"))],
    )

    for certificate in (authority.root, authority.issuing):
        assert value_of(certificate, x509.NameConstraints, critical=True) == expected


def test_the_root_has_one_authority_below_it_and_the_issuing_certificate_none(authority: EmbeddedAuthority) -> None:
    """A stolen issuing key cannot make further authorities (S-71)."""
    assert value_of(authority.root, x509.BasicConstraints, critical=True) == x509.BasicConstraints(True, 1)
    assert value_of(authority.issuing, x509.BasicConstraints, critical=True) == x509.BasicConstraints(True, 0)
    assert value_of(authority.issuing, x509.ExtendedKeyUsage, critical=False) == x509.ExtendedKeyUsage(
        [ExtendedKeyUsageOID.SERVER_AUTH]
    )


def test_the_lives_are_ten_and_three_years(authority: EmbeddedAuthority, now: datetime) -> None:
    """The root is for ten years, the issuing certificate for three at most, and never longer than the root (S-71)."""
    root, issuing = authority.root, authority.issuing

    assert root.not_valid_after_utc - now > timedelta(days=3649)
    assert issuing.not_valid_after_utc - issuing.not_valid_before_utc < timedelta(days=3 * 365)
    assert now - timedelta(hours=1) <= issuing.not_valid_before_utc <= now
    assert issuing.not_valid_after_utc <= root.not_valid_after_utc


def test_every_part_lies_where_it_belongs_and_keys_are_for_the_owner_alone(authority_folder: Path) -> None:
    """The root key and its passphrase are in a folder of their own, to be carried away (S-67, S-70)."""
    modes = {
        path.relative_to(authority_folder).as_posix(): stat.S_IMODE(path.stat().st_mode)
        for path in [authority_folder, *authority_folder.rglob("*")]
    }

    assert modes == {
        ".": 0o700,
        "root.pem": 0o644,
        "issuing.pem": 0o644,
        "issuing.key": 0o600,
        "issuing.passphrase": 0o600,
        "offline": 0o700,
        "offline/root.pem": 0o644,
        "offline/root.key": 0o600,
        "offline/root.passphrase": 0o600,
        "offline/README.txt": 0o600,
    }


def test_no_key_lies_in_the_clear_and_each_has_its_own_passphrase(authority_folder: Path) -> None:
    """Both keys are encrypted, under passphrases that open one of them only (S-70)."""
    keys = {"issuing": authority_folder / "issuing.key", "root": authority_folder / "offline" / "root.key"}
    phrases = {name: read_passphrase(path.with_suffix(".passphrase")) for name, path in keys.items()}

    for path in authority_folder.rglob("*"):
        assert not path.is_file() or b"-----BEGIN PRIVATE KEY-----" not in path.read_bytes()
    assert read_key(keys["root"], phrases["root"]) != read_key(keys["issuing"], phrases["issuing"])
    with pytest.raises(AuthorityUnusable):
        read_key(keys["root"], phrases["issuing"])


def test_the_service_needs_nothing_of_the_folder_that_is_carried_away(
    authority_folder: Path, tmp_path: Path, now: datetime
) -> None:
    """With the offline folder gone, the authority opens and signs as before (S-67)."""
    folder = tmp_path / "authority"
    create_authority(folder, DEMO_ZONE, now=now)
    assert root_key_is_here(folder)
    (folder / "offline").rename(tmp_path / "stick")

    assert not root_key_is_here(folder)
    assert open_authority(folder, DEMO_ZONE, now=now).root == read_root(folder)


def test_the_readme_names_zone_fingerprint_and_end(authority_folder: Path, authority: EmbeddedAuthority) -> None:
    """Who finds the medium in three years reads what it is for."""
    text = (authority_folder / "offline" / "README.txt").read_text(encoding="utf-8")

    assert DEMO_ZONE in text
    assert authority.root_fingerprint in text
    assert f"{authority.issuing.not_valid_after_utc:%Y-%m-%d}" in text


def test_an_interrupted_creation_is_redone(tmp_path: Path, now: datetime) -> None:
    """What a power cut left half made is no authority, and is gone after the next creation."""
    left = tmp_path / ".authority.new-0123abcd"
    (left / "offline").mkdir(parents=True)
    (left / "issuing.key").write_text("half")
    folder = tmp_path / "authority"
    assert not authority_exists(folder)

    create_authority(folder, DEMO_ZONE, now=now)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".authority.lock", "authority"]
    assert open_authority(folder, DEMO_ZONE, now=now)


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path, now: datetime) -> None:
    """A missing passphrase file stops the creation before anything is in place."""
    folder = tmp_path / "authority"

    with pytest.raises(AuthorityUnusable, match=r"phrase is missing"):
        create_authority(folder, DEMO_ZONE, now=now, passphrase_file=tmp_path / "phrase")

    assert not folder.exists()
    assert [path.name for path in tmp_path.iterdir()] == [".authority.lock"]


def test_an_authority_is_never_written_over(authority_folder: Path, tmp_path: Path, now: datetime) -> None:
    """Neither an authority nor a folder with anything else in it is replaced."""
    before = (authority_folder / "root.pem").read_bytes()
    (tmp_path / "note").write_text("mine")

    for folder in (authority_folder, tmp_path):
        with pytest.raises(AuthorityExists):
            create_authority(folder, DEMO_ZONE, now=now)

    assert (authority_folder / "root.pem").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_of_several_creations_at_once_one_wins(tmp_path: Path, now: datetime) -> None:
    """Started four times at the same moment, there is one authority and it is whole."""

    def create(_: int) -> bool:
        try:
            create_authority(tmp_path / "authority", DEMO_ZONE, now=now)
        except AuthorityExists:
            return False
        return True

    with ThreadPoolExecutor(4) as threads:
        won = list(threads.map(create, range(4)))

    assert won.count(True) == 1
    assert open_authority(tmp_path / "authority", DEMO_ZONE, now=now)


def test_a_creation_under_way_elsewhere_is_said(tmp_path: Path, now: datetime) -> None:
    """While another process creates it, the answer says so."""
    with lock(tmp_path, ".authority.lock"), pytest.raises(AuthorityExists, match="Another process"):
        create_authority(tmp_path / "authority", DEMO_ZONE, now=now)


def test_the_passphrase_may_come_from_a_file_elsewhere(tmp_path: Path, now: datetime) -> None:
    """A systemd credential or a file of the operator is used instead of one in the folder (S-69)."""
    phrase = tmp_path / "phrase"
    phrase.write_text("a phrase the operator chose\n")
    phrase.chmod(0o600)
    folder = tmp_path / "authority"

    create_authority(folder, DEMO_ZONE, now=now, passphrase_file=phrase)

    assert not (folder / "issuing.passphrase").exists()
    assert open_authority(folder, DEMO_ZONE, now=now, passphrase_file=phrase)
    with pytest.raises(AuthorityUnusable, match=r"issuing.passphrase is missing"):
        open_authority(folder, DEMO_ZONE, now=now)


def test_two_authorities_for_one_zone_have_different_names(
    authority: EmbeddedAuthority, tmp_path: Path, now: datetime
) -> None:
    """A browser that still trusts an old root can tell the new one from it."""
    create_authority(tmp_path / "authority", DEMO_ZONE, now=now)

    assert read_root(tmp_path / "authority").subject != authority.root.subject


def test_a_long_zone_gets_an_authority_too(tmp_path: Path, now: datetime) -> None:
    """The longest zone there may be fits into constraints, if not into the common name."""
    zone = parse_zone(".".join(["x" * 59] * 3))
    create_authority(tmp_path / "authority", zone, now=now)

    assert open_authority(tmp_path / "authority", zone, now=now).zone == zone
