"""The list of revoked certificates: who is on it, why, and until when it may be believed."""

from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from lancert.service.authority import EmbeddedAuthority, RevocationReason, Revoked


def test_the_list_names_the_revoked_and_no_others(authority: EmbeddedAuthority, now: datetime) -> None:
    """Serial, time and reason are on the list, signed by the issuing key (S-77)."""
    when = now - timedelta(hours=2)
    revoked = [
        Revoked(serial=5, when=when, reason=RevocationReason.KEY_COMPROMISE),
        Revoked(serial=6, when=when),
    ]

    crl = x509.load_der_x509_crl(authority.crl(revoked, number=7, now=now))

    key = authority.issuing.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert crl.is_signature_valid(key)
    assert crl.issuer == authority.issuing.subject
    first, second = crl.get_revoked_certificate_by_serial_number(5), crl.get_revoked_certificate_by_serial_number(6)
    assert first is not None
    assert second is not None
    assert first.revocation_date_utc == when
    assert first.extensions.get_extension_for_class(x509.CRLReason).value.reason is x509.ReasonFlags.key_compromise
    assert len(second.extensions) == 0
    assert crl.get_revoked_certificate_by_serial_number(7) is None


def test_the_list_carries_its_number_and_is_believed_for_a_week_at_most(
    authority: EmbeddedAuthority, now: datetime
) -> None:
    """A newer list has a higher number; an old one ends by itself within seven days (S-77)."""
    crl = x509.load_der_x509_crl(authority.crl([], number=8, now=now))

    assert crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number == 8
    assert crl.last_update_utc == now
    assert crl.next_update_utc is not None
    assert timedelta(days=6) < crl.next_update_utc - now < timedelta(days=7)


@pytest.mark.parametrize("reason", RevocationReason)
def test_every_reason_can_be_written(authority: EmbeddedAuthority, now: datetime, reason: RevocationReason) -> None:
    """Each reason is the one of the standard (RFC 5280, 5.3.1)."""
    crl = x509.load_der_x509_crl(authority.crl([Revoked(serial=5, when=now, reason=reason)], number=1, now=now))
    entry = crl.get_revoked_certificate_by_serial_number(5)

    assert entry is not None
    written = [extension.value for extension in entry.extensions]
    expected = [] if reason is RevocationReason.UNSPECIFIED else [x509.CRLReason(x509.ReasonFlags(reason.value))]
    assert written == expected


def test_a_long_list_is_signed(authority: EmbeddedAuthority, now: datetime) -> None:
    """Twenty thousand revoked certificates are on one list."""
    crl = x509.load_der_x509_crl(
        authority.crl([Revoked(serial=number, when=now) for number in range(1, 20_001)], number=1, now=now)
    )

    assert len(crl) == 20_000
