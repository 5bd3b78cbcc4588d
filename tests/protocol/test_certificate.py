"""What is a chain, and which chain is ours."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from tests.peers.authority import (
    DAY,
    TODAY,
    Signer,
    key_pem,
    make_issuing,
    make_leaf,
    make_root,
    new_key,
    pem,
    public_der,
)

from lancert.protocol.certificate import (
    CERTIFICATES_LIMIT,
    CHAIN_LIMIT,
    CertificateFacts,
    NotAChain,
    NotOurs,
    check_chain,
    facts_of,
    public_bytes,
    read_chain,
)
from lancert.protocol.names import Label, Zone, certificate_names

if TYPE_CHECKING:
    from tests.protocol.conftest import Ours
else:
    Ours = object

# Turned bits make certificates that a later version of the library will refuse by itself; until then it warns.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

ADDRESS = x509.IPAddress(ip_address("192.168.1.5"))
NAMES = certificate_names(Label("k3v7q2m4x5a6b7c2"), Zone("iot.example.com"))


def test_a_chain_is_read_leaf_first(ours: Ours) -> None:
    """Certificates in PEM, and nothing else, are a chain."""
    assert read_chain(pem(*ours.chain)) == ours.chain
    assert read_chain(b"\r\n" + pem(*ours.chain).replace(b"\n", b"\r\n")) == ours.chain


@pytest.mark.parametrize(
    ("name", "spoil"),
    [
        ("empty", lambda chain, key: b""),
        ("text before", lambda chain, key: b"subject=CN\n" + chain),
        ("text after", lambda chain, key: chain + b"trailing"),
        ("text between", lambda chain, key: chain.replace(b"-----\n-----BEGIN", b"-----\nhello\n-----BEGIN")),
        ("private key first", lambda chain, key: key + chain),
        ("private key last", lambda chain, key: chain + key),
        ("private key alone", lambda chain, key: key),
        ("NUL", lambda chain, key: chain + b"\0"),
        ("cut off", lambda chain, key: chain[: len(chain) // 2]),
        ("no end", lambda chain, key: chain.replace(b"-----END CERTIFICATE-----", b"")),
        ("not base64", lambda chain, key: b"-----BEGIN CERTIFICATE-----\n====\n-----END CERTIFICATE-----\n"),
        ("not DER", lambda chain, key: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("another label", lambda chain, key: chain.replace(b" CERTIFICATE", b" X509 CERTIFICATE")),
        ("DER", lambda chain, key: x509.load_pem_x509_certificate(chain).public_bytes(serialization.Encoding.DER)),
        ("UTF-16", lambda chain, key: chain.decode().encode("utf-16")),
        ("BOM", lambda chain, key: b"\xef\xbb\xbf" + chain),
        ("nine certificates", lambda chain, key: pem(*x509.load_pem_x509_certificates(chain)[:1] * 9)),
        ("33 KiB", lambda chain, key: chain + b"\n" * (33 * 1024)),
    ],
)
def test_anything_but_certificates_is_no_chain(ours: Ours, name: str, spoil: Callable[[bytes, bytes], bytes]) -> None:
    """S-08, T-34: text around, a private key, too many or too large: refused whole (RFC 8555, 11.4)."""
    assert name
    with pytest.raises(NotAChain):
        read_chain(spoil(pem(*ours.chain), key_pem(ours.key)))


def test_the_limits_themselves_are_allowed(ours: Ours) -> None:
    """Eight certificates and 32 KiB pass; the ninth and the next byte do not."""
    leaf = pem(ours.chain[0])

    assert len(read_chain(leaf * CERTIFICATES_LIMIT)) == CERTIFICATES_LIMIT
    assert read_chain(leaf + b"\n" * (CHAIN_LIMIT - len(leaf)))
    with pytest.raises(NotAChain, match="larger"):
        read_chain(leaf + b"\n" * (CHAIN_LIMIT - len(leaf) + 1))


def test_facts_are_read_from_the_leaf(ours: Ours) -> None:
    """Names, validity period, serial and fingerprint, as OpenSSL would print them."""
    leaf = ours.chain[0]

    assert facts_of(leaf) == CertificateFacts(
        names=NAMES,
        not_before=TODAY - DAY,
        not_after=TODAY + 44 * DAY,
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        issuer="CN=An issuing authority",
    )
    assert facts_of(leaf).life == 45 * DAY
    assert facts_of(ours.root.certificate).names == ()


def test_both_ends_belong_to_the_validity_period(ours: Ours) -> None:
    """RFC 5280, 4.1.2.5: from notBefore through notAfter, inclusive."""
    facts = facts_of(ours.chain[0])
    second = timedelta(seconds=1)

    assert [
        facts.is_valid_at(moment)
        for moment in (facts.not_before - second, facts.not_before, facts.not_after, facts.not_after + second)
    ] == [False, True, True, False]


def _check(ours: Ours, chain: Sequence[x509.Certificate], **changed: Any) -> CertificateFacts:
    wanted: dict[str, Any] = {
        "names": NAMES,
        "public_key": ours.public_key,
        "roots": [ours.root.certificate],
        "now": TODAY,
        **changed,
    }
    return check_chain(chain, **wanted)


def test_our_chain_is_ours(ours: Ours) -> None:
    """Our key, exactly our names, valid now, from the expected root."""
    assert _check(ours, ours.chain) == facts_of(ours.chain[0])
    assert _check(ours, ours.chain, names=tuple(reversed(NAMES)))
    assert _check(ours, ours.chain, roots=[make_root(name="Another").certificate, ours.root.certificate])


def _leaf(ours: Ours, names: Sequence[str] = NAMES, issuer: Signer | None = None, **more: Any) -> x509.Certificate:
    return make_leaf(issuer or ours.issuing, names, ours.key.public_key(), **more)


def _stranger(ours: Ours) -> tuple[x509.Certificate, ...]:
    issuing = make_issuing(make_root(name="A root"), permitted=["iot.example.com"])
    return (_leaf(ours, issuer=issuing), issuing.certificate)


def _unconstrained_names(ours: Ours) -> tuple[x509.Certificate, ...]:
    issuing = make_issuing(ours.root, permitted=["other.example.com"])
    return (_leaf(ours, issuer=issuing), issuing.certificate)


def _expired_issuer(ours: Ours) -> tuple[x509.Certificate, ...]:
    issuing = make_issuing(ours.root, not_before=TODAY - 400 * DAY, life=300 * DAY)
    return (_leaf(ours, issuer=issuing), issuing.certificate)


def _signed_by_a_leaf(ours: Ours) -> tuple[x509.Certificate, ...]:
    other = new_key()
    middle = make_leaf(ours.issuing, NAMES, other.public_key())
    forged = make_leaf(Signer(certificate=middle, key=other), NAMES, ours.key.public_key())
    return (forged, middle, ours.issuing.certificate)


def _self_signed(ours: Ours) -> tuple[x509.Certificate, ...]:
    own = Signer(certificate=ours.root.certificate, key=ours.key)
    return (_leaf(ours, issuer=own),)


NOT_OURS: list[tuple[str, str, Callable[[Ours], Sequence[x509.Certificate]]]] = [
    ("another key", "another key", lambda o: (make_leaf(o.issuing, NAMES, new_key().public_key()), o.chain[1])),
    ("wrong order", "another key", lambda o: tuple(reversed(o.chain))),
    ("a name more", "other names", lambda o: (_leaf(o, [*NAMES, "b.iot.example.com"]), o.chain[1])),
    ("a name less", "other names", lambda o: (_leaf(o, NAMES[:1]), o.chain[1])),
    ("a name twice", "other names", lambda o: (_leaf(o, [*NAMES, NAMES[0]]), o.chain[1])),
    ("an address", "other names", lambda o: (_leaf(o, more_names=[ADDRESS]), o.chain[1])),
    ("a mailbox", "other names", lambda o: (_leaf(o, more_names=[x509.RFC822Name("a@example.com")]), o.chain[1])),
    ("another box", "other names", lambda o: (_leaf(o, ["*.a.iot.example.com", "a.iot.example.com"]), o.chain[1])),
    ("expired", "not valid now", lambda o: (_leaf(o, not_before=TODAY - 40 * DAY, life=30 * DAY), o.chain[1])),
    ("of tomorrow", "not valid now", lambda o: (_leaf(o, not_before=TODAY + DAY), o.chain[1])),
    ("another root of the same name", "expected root", _stranger),
    ("name constraint violated", "expected root", _unconstrained_names),
    ("missing intermediate", "expected root", lambda o: o.chain[:1]),
    ("expired intermediate", "expected root", _expired_issuer),
    ("signed by a leaf", "expected root", _signed_by_a_leaf),
    ("self-signed", "expected root", _self_signed),
]


@pytest.mark.parametrize(("says", "make"), [row[1:] for row in NOT_OURS], ids=[row[0] for row in NOT_OURS])
def test_a_chain_that_is_not_ours_is_refused(
    ours: Ours, says: str, make: Callable[[Ours], Sequence[x509.Certificate]]
) -> None:
    """S-08, F-31, F-39d: each way in which a sound chain is yet not the one that was asked for."""
    with pytest.raises(NotOurs, match=says):
        _check(ours, make(ours))


def test_no_known_root_means_no_certificate(ours: Ours) -> None:
    """Without an expected root nothing is believed."""
    with pytest.raises(NotOurs, match="no root"):
        _check(ours, ours.chain, roots=[])


def test_a_damaged_certificate_is_not_a_chain_or_not_ours(ours: Ours) -> None:
    """F-31: whatever bit is turned, the chain is refused in one of the two ways, or what was signed is unchanged."""
    chance = random.Random(31)
    der = ours.chain[0].public_bytes(serialization.Encoding.DER)
    refused = 0
    for _ in range(2000):
        spoilt = bytearray(der)
        for _ in range(chance.choice((1, 1, 1, 2, 8))):
            spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
        try:
            chain = read_chain(_armour(bytes(spoilt)))
            _check(ours, (*chain, *ours.chain[1:]))
        except (NotAChain, NotOurs):
            refused += 1
        else:
            # The padding of the signature's bit string is not signed; two turned bits may also be the same one.
            assert chain[0].tbs_certificate_bytes == ours.chain[0].tbs_certificate_bytes

    assert refused > 1900


def _armour(der: bytes) -> bytes:
    from base64 import encodebytes

    return b"-----BEGIN CERTIFICATE-----\n" + encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize("serial", ["00", "80", "ff"])
def test_a_serial_that_is_not_positive_is_refused(ours: Ours, serial: str) -> None:
    """RFC 5280, 4.1.2.2: zero or negative, it could not be named in a report or a revocation list."""
    leaf = ours.chain[0]
    length = (leaf.serial_number.bit_length() + 8) // 8
    encoded = b"\x02" + bytes([length]) + leaf.serial_number.to_bytes(length, "big")
    der = leaf.public_bytes(serialization.Encoding.DER)
    spoilt = b"\x02" + bytes([length]) + bytes.fromhex(serial).ljust(length, b"\x81" if serial != "00" else b"\0")
    assert der.count(encoded) == 1

    with pytest.raises(NotAChain):
        read_chain(_armour(der.replace(encoded, spoilt)))


def test_the_public_key_has_one_form(ours: Ours) -> None:
    """Keys are compared as SubjectPublicKeyInfo."""
    assert public_bytes(ours.chain[0].public_key()) == ours.public_key == public_der(ours.key)
