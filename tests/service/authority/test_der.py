"""The writer of DER, read back by others."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from lancert.protocol.certificate import public_bytes
from lancert.protocol.names import DEMO_ZONE
from lancert.service.authority import der
from lancert.service.authority.profile import LeafPlan, fixed_leaf_extensions, own_leaf_extensions
from lancert.service.authority.template import LeafTemplate, signed

KEY = ec.generate_private_key(ec.SECP256R1()).public_key()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (der.integer(0), "020100"),
        (der.integer(127), "02017f"),
        (der.integer(128), "02020080"),
        (der.integer(256), "02020100"),
        (der.identifier("2.5.29.17"), "0603551d11"),
        (der.identifier("1.2.840.10045.4.3.2"), "06082a8648ce3d040302"),
        (der.identifier("1.3.6.1.4.1.11591.4.11"), "06092b06010401da47040b"),
        (der.octets(b"x" * 127)[:2], "047f"),
        (der.octets(b"x" * 128)[:3], "048180"),
        (der.octets(b"x" * 256)[:4], "04820100"),
        (der.bits(b"\x80"), "03020080"),
        (der.moment(datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)), b"\x17\x0d491231235959Z".hex()),
        (der.moment(datetime(2050, 1, 1, tzinfo=UTC)), b"\x18\x0f20500101000000Z".hex()),
    ],
)
def test_values_are_written_in_the_one_way_der_allows(written: bytes, expected: str) -> None:
    """Lengths, signs and times have exactly one spelling (X.690, RFC 5280 4.1.2.5)."""
    assert written.hex() == expected


NAME = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?\.lancert\.localhost", fullmatch=True)
MOMENT = st.integers(-631_152_000, 7_258_118_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.lists(NAME, min_size=1, max_size=16), st.integers(1, 2**151 - 1), MOMENT, MOMENT)
def test_the_template_writes_what_the_library_writes(
    names: list[str], serial: int, start: datetime, end: datetime
) -> None:
    """For any plan, the template and the builder of the library give the same bytes to be signed."""
    start, end = sorted((start, end))
    issuer = x509.Name.from_rfc4514_string(f"CN={DEMO_ZONE} issuing,O=lancert")
    own = x509.SubjectKeyIdentifier.from_public_key(KEY)
    fixed = fixed_leaf_extensions(own, crl_url="http://service.lancert.localhost/crl")
    plan = LeafPlan(serial=serial, names=tuple(names), public_key=public_bytes(KEY), not_before=start, not_after=end)
    builder = x509.CertificateBuilder(
        issuer, x509.Name([]), KEY, serial, start, end, [*own_leaf_extensions(plan), *fixed]
    )
    library = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())

    ours = LeafTemplate(issuer, fixed).to_be_signed(plan)

    assert ours == library.tbs_certificate_bytes
    assert signed(ours, library.signature) == library.public_bytes(serialization.Encoding.DER)
