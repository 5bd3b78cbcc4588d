"""The keys of a box: one identity for life, a new key for every certificate."""

import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lancert.box.keys import identity_key, pending_key, signing_request
from lancert.protocol.signatures import identity_of


def _pem(
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey, password: bytes | None = None
) -> bytes:
    protection: serialization.KeySerializationEncryption = (
        serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection)


def test_the_identity_stays_the_same(tmp_path: Path) -> None:
    """S-07: a box is the same box after every restart, and no two are."""
    first = identity_key(tmp_path / "identity.pem")

    assert identity_of(identity_key(tmp_path / "identity.pem")) == identity_of(first)
    assert identity_of(identity_key(tmp_path / "another.pem")) != identity_of(first)
    assert stat.S_IMODE((tmp_path / "identity.pem").stat().st_mode) == 0o600


def test_an_identity_that_was_open_to_others_is_closed_and_kept(tmp_path: Path) -> None:
    """F-12: the box does not lose who it is, and nobody else can read it any more."""
    path = tmp_path / "identity.pem"
    first = identity_key(path)
    path.chmod(0o644)

    assert identity_of(identity_key(path)) == identity_of(first)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


UNREADABLE = {
    "empty": b"",
    "garbage": b"\xff" * 100,
    "cut off": _pem(Ed25519PrivateKey.generate())[:60],
    "10 MB": b"x" * 10_000_000,
    "another kind of key": _pem(ec.generate_private_key(ec.SECP256R1())),
    "with a password": _pem(Ed25519PrivateKey.generate(), b"password"),
    "a certificate's place": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "an unknown kind of key": b"-----BEGIN PRIVATE KEY-----\nMAkCAQAwBAYAAAAEAA==\n-----END PRIVATE KEY-----\n",
}


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_an_unreadable_identity_is_set_aside_and_never_deleted(tmp_path: Path, content: bytes) -> None:
    """A box whose identity is damaged gets a new one; what was there stays for whoever can rescue it."""
    path = tmp_path / "identity.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    made = identity_key(path)

    assert (tmp_path / "set-aside-identity.pem").read_bytes() == content
    assert identity_of(identity_key(path)) == identity_of(made)


@pytest.mark.parametrize("content", UNREADABLE.values(), ids=UNREADABLE)
def test_a_waiting_key_that_cannot_be_used_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """F-03: whatever lies in its place, there is a key to ask with."""
    path = tmp_path / "pending-key.pem"
    path.write_bytes(content)
    path.chmod(0o600)
    key = pending_key(path)

    assert isinstance(key.curve, ec.SECP256R1)
    assert pending_key(path).private_numbers() == key.private_numbers()


def test_a_waiting_key_of_a_kind_nobody_certifies_is_made_anew(tmp_path: Path) -> None:
    """S-03: certificates are asked for with P-256 keys."""
    path = tmp_path / "pending-key.pem"
    path.write_bytes(_pem(ec.generate_private_key(ec.SECP256K1())))
    path.chmod(0o600)

    assert isinstance(pending_key(path).curve, ec.SECP256R1)


def test_a_signing_request_is_a_public_key_with_proof_and_nothing_else(tmp_path: Path) -> None:
    """S-01, S-46: no names and no private key leave the box."""
    key = pending_key(tmp_path / "pending-key.pem")
    text = signing_request(key)
    request = x509.load_pem_x509_csr(text.encode())

    assert request.is_signature_valid
    assert request.public_key() == key.public_key()
    assert list(request.subject) == []
    assert list(request.extensions) == []
    assert "PRIVATE" not in text
    assert len(text) <= 4096
