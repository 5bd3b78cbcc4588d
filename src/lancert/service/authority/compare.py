"""Whether a certificate is the one that was planned: every field, read by other code than the code that wrote it.

It is asked before the key signs, so that a wrong certificate never comes into being; what comes back from the key is
compared with what was given to it (S-74; F-70 is the positive control). What is, byte by byte, what the
``cryptography`` library writes for the plan (``stencil``), needs no further look. Otherwise the library reads the
fields, with a placeholder for the signature; what it would take long to decode (the issuer, the public key) or reads
with indulgence (the algorithm inside, the bits that pad a key usage) is compared as bytes.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.service.authority.profile import Extension, LeafPlan, own_leaf_extensions
from lancert.service.authority.stencil import Stencils
from lancert.service.authority.template import signed

_FIELDS = (
    "version",
    "serial",
    "signature algorithm",
    "issuer",
    "not before",
    "not after",
    "subject",
    "public key",
    "extensions",
    "ending",
)
_ECDSA_WITH_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_PLACEHOLDER = bytes.fromhex("3006020101020101")
_NOBODY = x509.Name([])
_ALGORITHM, _ISSUER, _PUBLIC_KEY, _EXTENSIONS, _ALL = 2, 3, 6, 7, 8
_UNREADABLE = (
    ValueError,
    IndexError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


class SignedSomethingElse(Exception):
    """A certificate differs from its plan; the text names the fields."""


class WouldSignSomethingElse(SignedSomethingElse):
    """A certificate differs from its plan, and was not signed."""


class Comparison:
    """What all leaves of one issuer have in common; says how a leaf differs from its plan, in any thread."""

    __slots__ = ("_ending", "_fixed", "_issuer", "_stencils")

    def __init__(self, issuer: x509.Name, fixed: Sequence[Extension]) -> None:
        self._issuer = issuer.public_bytes()
        self._fixed = tuple(fixed)
        self._ending = _written_by_the_library(fixed)
        self._stencils = Stencils(issuer, fixed)

    def differences(self, to_be_signed: bytes, plan: LeafPlan) -> tuple[str, ...]:
        """Name each field of a TBSCertificate that is not as planned."""
        if to_be_signed == self._stencils.write(plan):
            return ()
        try:
            found = _read(to_be_signed, len(self._ending))
        except _UNREADABLE:
            return ("everything: it is not a certificate",)
        wanted = (
            x509.Version.v3,
            plan.serial,
            _ECDSA_WITH_SHA256,
            self._issuer,
            plan.not_before,
            plan.not_after,
            _NOBODY,
            plan.public_key,
            [*own_leaf_extensions(plan), *self._fixed],
            self._ending,
        )
        if found == wanted:
            return ()
        return tuple(name for name, one, other in zip(_FIELDS, found, wanted, strict=True) if one != other)


def _read(to_be_signed: bytes, ending: int) -> tuple[object, ...]:
    certificate = x509.load_der_x509_certificate(signed(to_be_signed, _PLACEHOLDER))
    parts = _parts(to_be_signed)
    if len(parts) != _ALL:
        raise ValueError("there are other fields than those of a leaf")
    return (
        certificate.version,
        certificate.serial_number,
        parts[_ALGORITHM],
        parts[_ISSUER],
        certificate.not_valid_before_utc,
        certificate.not_valid_after_utc,
        certificate.subject,
        parts[_PUBLIC_KEY],
        list(certificate.extensions),
        to_be_signed[-ending:],
    )


def _written_by_the_library(extensions: Sequence[Extension]) -> bytes:
    day = datetime(2026, 1, 1, tzinfo=UTC)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateBuilder(_NOBODY, _NOBODY, key.public_key(), 1, day, day, list(extensions))
    tagged = _parts(builder.sign(key, hashes.SHA256()).tbs_certificate_bytes)[_EXTENSIONS]
    listed = tagged[_content(tagged, 0)[0] :]
    return listed[_content(listed, 0)[0] :]


def _parts(to_be_signed: bytes) -> list[bytes]:
    """Cut a TBSCertificate into its fields; the library has accepted it, so lengths are sound."""
    at, parts = _content(to_be_signed, 0)[0], []
    while at < len(to_be_signed):
        start, length = _content(to_be_signed, at)
        parts.append(to_be_signed[at : start + length])
        at = start + length
    return parts


def _content(written: bytes, at: int) -> tuple[int, int]:
    """Give the start and the length of the content of the value that begins here."""
    first = written[at + 1]
    if first < 0x80:
        return at + 2, first
    size = first & 0x7F
    return at + 2 + size, int.from_bytes(written[at + 2 : at + 2 + size], "big")
