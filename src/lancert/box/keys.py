"""The two kinds of key a box has: one identity for life, and a new key for every certificate.

Both are made on the box and stay there (S-01, S-03, S-07); what leaves is a public key with proof of possession.
OpenSSL draws from the kernel, which blocks until it has been seeded (S-02).
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lancert.box.setting_aside import plain_file, set_aside
from lancert.kit.files import FileTooLarge, close_to_others, is_open_to_others, read_limited, write_private
from lancert.kit.logs import Log
from lancert.protocol.certificate import UNREADABLE

_KEY_LIMIT = 10_000

log = Log("box.keys")


def identity_key(path: Path) -> Ed25519PrivateKey:
    """Give the identity of this box, made at the first call. An unreadable one is set aside, never deleted.

    Raises OSError when the folder cannot be used.
    """
    try:
        if is_open_to_others(path):
            close_to_others(path)
            log.warning("the identity was open to other accounts and was closed")
        return read_identity(path)
    except FileNotFoundError:
        return _new_identity(path)
    except (FileTooLarge, IsADirectoryError, *UNREADABLE):
        pass
    set_aside(path)
    log.error("the identity could not be read, it was set aside and a new one made")
    return _new_identity(path)


def read_identity(path: Path) -> Ed25519PrivateKey:
    """Read an identity. Raises OSError, or one of ``UNREADABLE`` when the file holds none."""
    key = serialization.load_pem_private_key(read_limited(plain_file(path), _KEY_LIMIT), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("not an identity key")
    return key


def _new_identity(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    write_private(path, private_pem(key))
    return key


def pending_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Give the key of the certificate that is being asked for: the one that waits, or a new one, synced to disk.

    An interrupted try goes on with the same key, and the service answers with the same certificate (F-03). A key that
    cannot be read, or that others could read, is set aside and not used. Raises OSError.
    """
    try:
        if not is_open_to_others(path):
            return read_pending_key(path)
        log.error("the key that waits was open to other accounts, it was set aside and a new one is made")
        set_aside(path)
    except FileNotFoundError:
        pass
    except (OSError, *UNREADABLE):
        log.error("the key that waits could not be read, it was set aside and a new one is made")
        set_aside(path)
    key = ec.generate_private_key(ec.SECP256R1())
    write_private(path, private_pem(key))
    return key


def read_pending_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read the key that waits. Raises OSError, or one of ``UNREADABLE`` when there is none in the file."""
    key = serialization.load_pem_private_key(read_limited(plain_file(path), _KEY_LIMIT), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise TypeError("not a key on P-256")
    return key


def private_pem(key: Ed25519PrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    """Write a private key for a private file (RFC 5958)."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def signing_request(key: ec.EllipticCurvePrivateKey) -> str:
    """Give the CSR of a key in PEM: empty subject, no names, because the service computes them."""
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(key, hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM).decode()
