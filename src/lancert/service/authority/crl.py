"""The list of revoked certificates (RFC 5280, section 5): who is on it, and until when it may be believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

CRL_LIFE = timedelta(days=7)
"""The longest a list is believed (S-77); a new one is written at least daily."""


class RevocationReason(StrEnum):
    """Why a certificate was revoked, as RFC 5280 names it (5.3.1)."""

    UNSPECIFIED = "unspecified"
    KEY_COMPROMISE = "keyCompromise"
    AFFILIATION_CHANGED = "affiliationChanged"
    SUPERSEDED = "superseded"
    CESSATION_OF_OPERATION = "cessationOfOperation"
    PRIVILEGE_WITHDRAWN = "privilegeWithdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """One revoked certificate."""

    serial: int
    when: datetime
    reason: RevocationReason = RevocationReason.UNSPECIFIED


def build_crl(
    revoked: Sequence[Revoked],
    *,
    number: int,
    now: datetime,
    issuing: x509.Certificate,
    key: ec.EllipticCurvePrivateKey,
) -> bytes:
    """Sign the list, in DER. ``number`` is greater than that of every list before it (RFC 5280, 5.2.3)."""
    last_update = now.astimezone(UTC).replace(microsecond=0)
    subject_key = issuing.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    # The builder copies all entries for each that is added; handed over at once, a long list costs a short time.
    builder = x509.CertificateRevocationListBuilder(
        issuer_name=issuing.subject,
        last_update=last_update,
        next_update=min(last_update + CRL_LIFE - timedelta(seconds=1), issuing.not_valid_after_utc),
        revoked_certificates=[_entry(item) for item in revoked],
    )
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject_key), critical=False
    ).add_extension(x509.CRLNumber(number), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def _entry(item: Revoked) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(item.serial).revocation_date(item.when)
    # The reason "unspecified" is said by leaving it out (RFC 5280, 5.3.1).
    if item.reason is not RevocationReason.UNSPECIFIED:
        builder = builder.add_extension(x509.CRLReason(x509.ReasonFlags(item.reason.value)), critical=False)
    return builder.build()
