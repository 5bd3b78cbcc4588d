"""Requests signed by a box: HTTP message signatures (RFC 9421) over method, authority, path and digest.

One algorithm (Ed25519), one fixed list of components, one spelling of the parameters: what differs is refused, so
there is nothing to negotiate and nothing to downgrade. The ``keyid`` is the identity key itself, so a signature
is checked before anything is looked up or written (S-50). There is no ``created`` time, because the clocks of boxes
are wrong; what makes a request new is the ``(boot, count)`` counter in its body (``messages.Counter``).
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

Identity = NewType("Identity", str)
"""A box's public identity key: 32 bytes of Ed25519 (RFC 8032) as base64url without padding, 43 characters."""

TAG = "lancert-box-1"
"""The application tag (RFC 9421, 2.3): a signature made for another purpose cannot be used here."""

_COVERED = '("@method" "@authority" "@path" "content-digest")'
_IDENTITY = re.compile(r"[A-Za-z0-9_-]{43}")
_INPUT = re.compile(rf'sig1={re.escape(_COVERED)};keyid="([A-Za-z0-9_-]{{43}})";alg="ed25519";tag="{TAG}"')
_SIGNATURE = re.compile(r"sig1=:([A-Za-z0-9+/]{86}==):")


class NotSigned(ValueError):
    """A request is not signed, or not in the one way this protocol knows; the text says what is wrong."""


def identity_of(key: Ed25519PrivateKey | Ed25519PublicKey) -> Identity:
    """Give the identity that belongs to a key."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return Identity(urlsafe_b64encode(public.public_bytes_raw()).decode().rstrip("="))


def is_identity(text: str) -> bool:
    """Say whether a text is the one spelling of an identity."""
    if not _IDENTITY.fullmatch(text):
        return False
    # The last character carries four bits only; another spelling of the same bytes is not the same identity.
    return urlsafe_b64encode(urlsafe_b64decode(text + "=")).decode().rstrip("=") == text


def content_digest(body: bytes) -> str:
    """Give the Content-Digest header of a body (RFC 9530, section 2)."""
    return f"sha-256=:{b64encode(hashlib.sha256(body).digest()).decode()}:"


def sign(*, key: Ed25519PrivateKey, method: str, authority: str, path: str, body: bytes) -> dict[str, str]:
    """Give the three headers that sign a request.

    ``authority`` is the value of the Host header, ``path`` is without query: signed requests have none.
    """
    digest = content_digest(body)
    parameters = f'{_COVERED};keyid="{identity_of(key)}";alg="ed25519";tag="{TAG}"'
    signature = key.sign(_base(method, authority, path, digest, parameters))
    return {
        "content-digest": digest,
        "signature-input": f"sig1={parameters}",
        "signature": f"sig1=:{b64encode(signature).decode()}:",
    }


Check = Callable[[bytes, bytes, bytes], bool]
"""Says whether public key (32 bytes), signature (64 bytes) and message belong together (RFC 8032, 5.1.7)."""


def check_ed25519(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Check a signature with the ``cryptography`` library."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(
    *,
    headers: Mapping[str, str],
    method: str,
    authority: str,
    path: str,
    body: bytes,
    check: Check = check_ed25519,
) -> Identity:
    """Give the identity that signed a request; ``headers`` have lower-case names. Raises NotSigned."""
    signature_input = _INPUT.fullmatch(headers.get("signature-input", ""))
    signature = _SIGNATURE.fullmatch(headers.get("signature", ""))
    if signature_input is None or signature is None:
        raise NotSigned("the headers Signature-Input and Signature are missing or not written as version 1 asks")
    digest = content_digest(body)
    if not hmac.compare_digest(headers.get("content-digest", "").encode(), digest.encode()):
        raise NotSigned("the header Content-Digest does not match the body")
    identity = signature_input.group(1)
    if not is_identity(identity):
        raise NotSigned("the keyid is not an identity")
    message = _base(method, authority, path, digest, signature_input.group(0).removeprefix("sig1="))
    if not check(urlsafe_b64decode(identity + "="), b64decode(signature.group(1)), message):
        raise NotSigned("the signature does not belong to this request")
    return Identity(identity)


def _base(method: str, authority: str, path: str, digest: str, parameters: str) -> bytes:
    """Build the signature base (RFC 9421, 2.5)."""
    return (
        f'"@method": {method}\n'
        f'"@authority": {authority.lower()}\n'
        f'"@path": {path}\n'
        f'"content-digest": {digest}\n'
        f'"@signature-params": {parameters}'
    ).encode()
