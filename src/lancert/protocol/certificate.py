"""Certificate facts: what both sides read out of a chain, and when a chain may be installed.

Reading is strict: PEM blocks of certificates and nothing else, few and small (RFC 8555, 11.4). Whether a chain
leads to an expected root is asked of the verifier of the ``cryptography`` library, name constraints included.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509 import verification

CHAIN_LIMIT = 32_768
"""The largest chain, in bytes of PEM."""

CERTIFICATES_LIMIT = 8
"""The most certificates in a chain."""

_CHAIN = re.compile(rb"(?:\s*-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----)+\s*")

UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"""What reading a strange key or certificate may raise; the library reads lazily, so each access may."""


class NotAChain(ValueError):
    """A text is not a chain of certificates; the text says why."""


class NotOurs(ValueError):
    """A chain is sound and yet not the one that was asked for; the text says what differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFacts:
    """What a certificate says, read once. ``serial`` and ``fingerprint`` (SHA-256) are lower-case hexadecimal."""

    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    serial: str
    fingerprint: str
    issuer: str

    @property
    def life(self) -> timedelta:
        """Give the length of the validity period."""
        return self.not_after - self.not_before

    def is_valid_at(self, now: datetime) -> bool:
        """Say whether the validity period holds this moment; both ends belong to it (RFC 5280, 4.1.2.5)."""
        return self.not_before <= now <= self.not_after


def read_chain(pem: bytes) -> tuple[x509.Certificate, ...]:
    """Read a chain, leaf first. Raises NotAChain for anything that is not certificates alone."""
    if len(pem) > CHAIN_LIMIT:
        raise NotAChain(f"the chain is larger than {CHAIN_LIMIT} bytes")
    if not _CHAIN.fullmatch(pem):
        raise NotAChain("there is something else than certificates in the chain")
    try:
        chain = tuple(x509.load_pem_x509_certificates(pem))
    except UNREADABLE as error:
        raise NotAChain("a certificate of the chain cannot be read") from error
    if any(one.serial_number <= 0 for one in chain):
        raise NotAChain("the serial number of a certificate is not positive (RFC 5280, 4.1.2.2)")
    if len(chain) > CERTIFICATES_LIMIT:
        raise NotAChain(f"the chain has more than {CERTIFICATES_LIMIT} certificates")
    return chain


def facts_of(certificate: x509.Certificate) -> CertificateFacts:
    """Read the facts out of a certificate. Raises NotAChain when a part of it cannot be read."""
    try:
        return CertificateFacts(
            names=_names(certificate),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            serial=format(certificate.serial_number, "x"),
            fingerprint=certificate.fingerprint(hashes.SHA256()).hex(),
            issuer=certificate.issuer.rfc4514_string(),
        )
    except UNREADABLE as error:
        raise NotAChain("a part of the certificate cannot be read") from error


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Read all subject alternative names, addresses and the like too, so that none goes unseen."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(str(name.value) for name in names)


def public_bytes(key: CertificatePublicKeyTypes) -> bytes:
    """Give a public key as SubjectPublicKeyInfo (RFC 5280, 4.1.2.7), the form in which keys are compared."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def check_chain(
    chain: Sequence[x509.Certificate],
    *,
    names: Sequence[str],
    public_key: bytes,
    roots: Sequence[x509.Certificate],
    now: datetime,
) -> CertificateFacts:
    """Give the facts of a chain that is ours: our key, exactly our names, sane dates, from an expected root (S-08).

    ``public_key`` is a SubjectPublicKeyInfo. Raises NotOurs, or NotAChain when a part cannot be read.
    """
    leaf = chain[0]
    facts = facts_of(leaf)
    if _public_bytes_of(leaf) != public_key:
        raise NotOurs("the certificate is for another key")
    if sorted(facts.names) != sorted(names):
        raise NotOurs("the certificate is for other names")
    if not facts.is_valid_at(now):
        raise NotOurs("the certificate is not valid now")
    if not roots:
        raise NotOurs("no root is known that the certificate could lead to")
    # The names are a wildcard and the name above it; a wildcard cannot be asked for, a name it covers can.
    for name in names:
        asked = name.replace("*", "x", 1) if name.startswith("*.") else name
        verifier = (
            verification.PolicyBuilder()
            .store(verification.Store(list(roots)))
            .time(now)
            .build_server_verifier(x509.DNSName(asked))
        )
        try:
            verifier.verify(leaf, list(chain[1:]))
        except (verification.VerificationError, *UNREADABLE) as error:
            raise NotOurs("the certificate does not lead to the expected root") from error
    return facts


def _public_bytes_of(certificate: x509.Certificate) -> bytes:
    try:
        return public_bytes(certificate.public_key())
    except UNREADABLE as error:
        raise NotAChain("the key of the certificate cannot be read") from error
