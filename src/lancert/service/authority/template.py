"""The bytes of a leaf that are signed (TBSCertificate, RFC 5280, 4.1): all that never changes is written once.

The library's own builder costs more than signing itself; filling a template leaves room for reading every field back,
by other code, before the key signs it (see ``compare``).
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache

from cryptography import x509

from lancert.service.authority import der
from lancert.service.authority.profile import Extension, LeafPlan, key_mark

_VERSION_3 = bytes.fromhex("a003020102")
_ECDSA_WITH_SHA256 = der.sequence(der.identifier("1.2.840.10045.4.3.2"))
_NO_SUBJECT = der.sequence()
_NAMES_START = der.identifier("2.5.29.17") + der.boolean_true()
_KEY_MARK_START = der.identifier("2.5.29.14")
_DNS_NAME = 0x82
_EXTENSIONS = 0xA3


class LeafTemplate:
    """Writes leaves of one issuer, signed with ECDSA and SHA-256 (RFC 5758, 3.2); used from any thread."""

    __slots__ = ("_after_serial", "_fixed_extensions")

    def __init__(self, issuer: x509.Name, fixed: Sequence[Extension]) -> None:
        self._after_serial = _ECDSA_WITH_SHA256 + issuer.public_bytes()
        self._fixed_extensions = b"".join(_extension(extension) for extension in fixed)

    def to_be_signed(self, plan: LeafPlan) -> bytes:
        """Write what the plan says as a TBSCertificate."""
        names = der.sequence(*[der.wrap(_DNS_NAME, name.encode("ascii")) for name in plan.names])
        extensions = der.sequence(
            der.sequence(_NAMES_START, der.octets(names)),
            der.sequence(_KEY_MARK_START, der.octets(der.octets(key_mark(plan.public_key)))),
            self._fixed_extensions,
        )
        return der.sequence(
            _VERSION_3,
            der.integer(plan.serial),
            self._after_serial,
            _validity(plan.not_before, plan.not_after),
            _NO_SUBJECT,
            plan.public_key,
            der.wrap(_EXTENSIONS, extensions),
        )


def signed(to_be_signed: bytes, signature: bytes) -> bytes:
    """Put a TBSCertificate and its signature together as a certificate in DER."""
    return der.sequence(to_be_signed, _ECDSA_WITH_SHA256, der.bits(signature))


@lru_cache(maxsize=16)
def _validity(not_before: datetime, not_after: datetime) -> bytes:
    """Write a period once for all that are signed in the same second."""
    return der.sequence(der.moment(not_before), der.moment(not_after))


def _extension(extension: Extension) -> bytes:
    return der.sequence(
        der.identifier(extension.oid.dotted_string),
        der.boolean_true() if extension.critical else b"",
        der.octets(extension.value.public_bytes()),
    )
