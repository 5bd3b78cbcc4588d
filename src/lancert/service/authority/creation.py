"""Creating an authority: a root, an issuing certificate, and a folder to carry away.

The root key signs the issuing certificate and is not needed again until that one is replaced, so it goes into a folder
of its own that the operator moves off the machine; the service never reads it (S-67). Everything is made beside its
place and moved there by one rename: an interrupted creation leaves nothing that could be taken for an authority, and
is swept away by the next.
"""

import contextlib
import os
import secrets
import shutil
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.kit.files import AlreadyLocked, lock, private_directory, sync_directory, write_private, write_public
from lancert.protocol.names import Zone
from lancert.service.authority.keys import new_key, new_passphrase, read_passphrase, write_key
from lancert.service.authority.profile import (
    ISSUING_LIFE,
    ROOT_LIFE,
    Extension,
    authority_period,
    issuing_extensions,
    issuing_name,
    root_extensions,
    root_name,
    serial_from,
)

AUTHORITY_FOLDER = "authority"
"""Where the authority lies in the folder of the service."""

ROOT = "root.pem"
ISSUING = "issuing.pem"
ISSUING_KEY = "issuing.key"
ISSUING_PASSPHRASE = "issuing.passphrase"  # noqa: S105 - the name of a file
OFFLINE = "offline"
ROOT_KEY = "root.key"
ROOT_PASSPHRASE = "root.passphrase"  # noqa: S105 - the name of a file

_OFFLINE_README = """\
This folder holds the root key of the certificate authority for {zone}, and the passphrase that opens it.

Move the whole folder to two USB sticks or another medium that is kept locked away, then delete it here.
The certificate service works without it. Whoever has it can make certificates for every name under {zone};
nobody can replace it when it is lost, except by a new authority that every client must be told to trust.

It is needed again to replace the issuing certificate, before {issuing_end}.
The fingerprint (SHA-256) of the root is {fingerprint}.
"""


class AuthorityExists(Exception):
    """There is an authority in this folder already; the text says where."""


def create_authority(folder: Path, zone: Zone, *, now: datetime, passphrase_file: Path | None = None) -> None:
    """Create an authority for a zone in a folder that is not there yet, or is empty.

    The issuing key is encrypted under the passphrase in ``passphrase_file``, else under a new one kept in the folder.
    Raises AuthorityExists, AuthorityUnusable (the passphrase file) or OSError.
    """
    if authority_exists(folder) or (folder.exists() and any(folder.iterdir())):
        raise AuthorityExists(f"The folder {folder} is not empty; an authority is never written over.")
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with lock(folder.parent, f".{folder.name}.lock"):
            _sweep(folder)
            _create(folder, zone, now, passphrase_file)
    except AlreadyLocked as error:
        raise AuthorityExists(f"Another process is creating an authority in {folder} at this moment.") from error


def authority_exists(folder: Path) -> bool:
    """Say whether there is an authority in this folder, usable or not."""
    return (folder / ROOT).exists() or (folder / ISSUING_KEY).exists()


def _create(folder: Path, zone: Zone, now: datetime, passphrase_file: Path | None) -> None:
    beside = private_directory(folder.with_name(f"{_beside(folder)}{secrets.token_hex(4)}"))
    try:
        _make(beside, zone, now, passphrase_file)
        _move(beside, folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _make(folder: Path, zone: Zone, now: datetime, passphrase_file: Path | None) -> None:
    offline = private_directory(folder / OFFLINE)
    root_passphrase, root_key = new_passphrase(), new_key()
    root = _root(zone, root_key, now)
    write_private(offline / ROOT_PASSPHRASE, root_passphrase.reveal().encode() + b"\n")
    write_key(offline / ROOT_KEY, root_key, root_passphrase)
    issuing_key = new_key()
    issuing = _issuing(zone, issuing_key, root, root_key, now)
    if passphrase_file is None:
        issuing_passphrase = new_passphrase()
        write_private(folder / ISSUING_PASSPHRASE, issuing_passphrase.reveal().encode() + b"\n")
    else:
        issuing_passphrase = read_passphrase(passphrase_file)
    write_key(folder / ISSUING_KEY, issuing_key, issuing_passphrase)
    write_public(folder / ISSUING, issuing.public_bytes(serialization.Encoding.PEM))
    readme = _OFFLINE_README.format(
        zone=zone,
        issuing_end=f"{issuing.not_valid_after_utc:%Y-%m-%d}",
        fingerprint=root.fingerprint(hashes.SHA256()).hex(),
    )
    write_private(offline / "README.txt", readme.encode())
    for place in (offline, folder):
        write_public(place / ROOT, root.public_bytes(serialization.Encoding.PEM))


def _root(zone: Zone, key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    name = root_name(zone, secrets.token_hex(4))
    not_before, not_after = authority_period(now, ROOT_LIFE)
    builder = _builder(name, name, key.public_key(), not_before, not_after)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return _sign(builder, root_extensions(zone, identifier), key)


def _issuing(
    zone: Zone,
    key: ec.EllipticCurvePrivateKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    not_before, not_after = authority_period(now, ISSUING_LIFE)
    name = issuing_name(zone, secrets.token_hex(4))
    builder = _builder(root.subject, name, key.public_key(), not_before, min(not_after, root.not_valid_after_utc))
    own, above = (x509.SubjectKeyIdentifier.from_public_key(k.public_key()) for k in (key, root_key))
    return _sign(builder, issuing_extensions(zone, own, above), root_key)


def _builder(
    issuer: x509.Name, subject: x509.Name, key: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(serial_from(secrets.token_bytes(17)))
        .not_valid_before(not_before)
        .not_valid_after(not_after)
    )


def _sign(
    builder: x509.CertificateBuilder, extensions: tuple[Extension, ...], key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    for extension in extensions:
        builder = builder.add_extension(extension.value, critical=extension.critical)
    return builder.sign(key, hashes.SHA256())


def _beside(folder: Path) -> str:
    return f".{folder.name}.new-"


def _sweep(folder: Path) -> None:
    for left in folder.parent.glob(f"{_beside(folder)}*"):
        shutil.rmtree(left, ignore_errors=True)


def _move(beside: Path, folder: Path) -> None:
    # An empty folder gives way on POSIX by itself, on Windows it must go first; one filled in the meantime stays.
    if os.name != "posix":
        with contextlib.suppress(FileNotFoundError):
            folder.rmdir()
    try:
        beside.rename(folder)
    except OSError as error:
        if folder.exists() and any(folder.iterdir()):
            raise AuthorityExists(f"Somebody else has created an authority in {folder} at the same moment.") from error
        raise
    sync_directory(folder.parent)
