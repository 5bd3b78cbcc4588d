"""The keys of the authority at rest: PKCS#8 encrypted under a passphrase (RFC 5958, RFC 8018), for their owner alone.

A passphrase is read from a private file, never from the environment or a command line, which other programs can see
(S-69). A key that is open, in the clear or cheaply protected is refused rather than used (S-70). The library writes
PBKDF2 with 2048 rounds, which a machine guesses quickly, so the envelope is written here: scrypt (RFC 7914) with the
parameters OWASP recommends at the memory limit of ``openssl``, which therefore can read it too.
"""

import binascii
import hashlib
import os
import secrets
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from lancert.kit.files import read_limited, write_private
from lancert.kit.secret import Secret
from lancert.service.authority import der

_SCRYPT = {"n": 2**14, "r": 8, "p": 5}
_SCRYPT_MEMORY = 64 * 1024 * 1024
_FILE_LIMIT = 16_384
_PASSPHRASE_LEAST = 16
_PBES2 = der.identifier("1.2.840.113549.1.5.13")
_SCRYPT_ID = der.identifier("1.3.6.1.4.1.11591.4.11")
_AES_256_CBC = der.identifier("2.16.840.1.101.3.4.1.42")
_PEM_START = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
_PEM_END = b"-----END ENCRYPTED PRIVATE KEY-----\n"


class AuthorityUnusable(Exception):
    """The authority cannot be used as it is; the text says why and what to do."""


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def new_passphrase() -> Secret:
    """Draw a passphrase of 256 random bits."""
    return Secret(secrets.token_urlsafe(32))


def write_key(path: Path, key: ec.EllipticCurvePrivateKey, passphrase: Secret) -> None:
    """Write a key, encrypted, for its owner alone. Raises OSError."""
    clear = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, _pem(_encrypt(clear, passphrase)))


def read_key(path: Path, passphrase: Secret) -> ec.EllipticCurvePrivateKey:
    """Read an encrypted key. Raises AuthorityUnusable."""
    content = _read_own(path, stranger_rights=0o077)
    envelope = _envelope(content)
    if envelope is None:
        raise AuthorityUnusable(
            f"{path.name} is not an encrypted key, so it is not used: take it from the backup, "
            "or encrypt it with openssl pkcs8 -topk8 -scrypt."
        )
    if _SCRYPT_ID not in envelope:
        raise AuthorityUnusable(
            f"{path.name} is protected too cheaply: encrypt it anew with openssl pkcs8 -topk8 -scrypt."
        )
    try:
        key = serialization.load_der_private_key(envelope, passphrase.reveal().encode())
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityUnusable(
            f"{path.name} cannot be opened: the passphrase is not the right one, or the file is damaged."
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise AuthorityUnusable(f"{path.name} is not a key on the curve P-256.")
    return key


def read_passphrase(path: Path) -> Secret:
    """Read a passphrase, without the white space around it. Raises AuthorityUnusable."""
    # A credential of systemd belongs to root and reaches the service by an access list, which shows as rights of the
    # group; nobody else, and no writing.
    content = _read_own(path, stranger_rights=0o037)
    try:
        passphrase = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise AuthorityUnusable(f"{path.name} holds no passphrase: it is not text.") from None
    if len(passphrase) < _PASSPHRASE_LEAST:
        raise AuthorityUnusable(f"{path.name} holds a passphrase of less than {_PASSPHRASE_LEAST} characters.")
    return Secret(passphrase)


def _read_own(path: Path, *, stranger_rights: int) -> bytes:
    try:
        if os.name == "posix" and (rights := stat.S_IMODE(path.stat().st_mode)) & stranger_rights:
            raise AuthorityUnusable(
                f"Other accounts of this machine may open {path.name} (mode {rights:04o}), so it is not used. Find out "
                f"who had access; if nobody did, type: chmod 600 {path}"
            )
        return read_limited(path, _FILE_LIMIT)
    except FileNotFoundError:
        raise AuthorityUnusable(f"{path.name} is missing: look for it at {path}, or take it from the backup.") from None
    except OSError as error:
        raise AuthorityUnusable(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _encrypt(clear: bytes, passphrase: Secret) -> bytes:
    salt, start = secrets.token_bytes(16), secrets.token_bytes(16)
    key = hashlib.scrypt(passphrase.reveal().encode(), salt=salt, dklen=32, maxmem=_SCRYPT_MEMORY, **_SCRYPT)
    padder = padding.PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES256(key), modes.CBC(start)).encryptor()
    hidden = encryptor.update(padder.update(clear) + padder.finalize()) + encryptor.finalize()
    costs = (der.integer(_SCRYPT[name]) for name in ("n", "r", "p"))
    method = der.sequence(
        _PBES2,
        der.sequence(
            der.sequence(_SCRYPT_ID, der.sequence(der.octets(salt), *costs)),
            der.sequence(_AES_256_CBC, der.octets(start)),
        ),
    )
    return der.sequence(method, der.octets(hidden))


def _pem(envelope: bytes) -> bytes:
    text = binascii.b2a_base64(envelope, newline=False)
    lines = (text[at : at + 64] + b"\n" for at in range(0, len(text), 64))
    return _PEM_START + b"".join(lines) + _PEM_END


def _envelope(content: bytes) -> bytes | None:
    text = content.strip() + b"\n"
    if not (text.startswith(_PEM_START) and text.endswith(_PEM_END)):
        return None
    try:
        return binascii.a2b_base64(text[len(_PEM_START) : -len(_PEM_END)])
    except binascii.Error:
        return None
