"""Checking Ed25519 signatures with libsodium, by PyNaCl: the one place where it is used.

It takes half the time of OpenSSL's, and this check is the dearest step of every request of a box (docs/figures.md). It
is also the stricter of the two: keys and signatures of small order are refused.
"""

from nacl.bindings import crypto_sign_open
from nacl.exceptions import BadSignatureError


def check_with_libsodium(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Say whether public key (32 bytes), signature (64 bytes) and message belong together (RFC 8032, 5.1.7)."""
    try:
        crypto_sign_open(signature + message, public_key)
    except (BadSignatureError, ValueError):
        return False
    return True
