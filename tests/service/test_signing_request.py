"""Certificate signing requests: what is taken, and everything that is refused with a reason (S-44 to S-47)."""

import base64
from collections.abc import Callable
from ipaddress import ip_address
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st
from tests.service.harness import csr_pem

from lancert.protocol.certificate import public_bytes
from lancert.service.signing_request import (
    PrivateKeyPosted,
    RequestRefused,
    hash_of_key,
    names_differ,
    read_signing_request,
)

Builder = x509.CertificateSigningRequestBuilder
NAMES = ("*.k3v7q2m4x5a6b7c2.lancert.localhost", "k3v7q2m4x5a6b7c2.lancert.localhost")


@pytest.fixture(scope="module")
def key() -> ec.EllipticCurvePrivateKey:
    """An honest key."""
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture(scope="module")
def rsa_key() -> rsa.RSAPrivateKey:
    """An honest RSA key."""
    return rsa.generate_private_key(65537, 2048)


def builder() -> Builder:
    """A request for nothing."""
    return Builder().subject_name(x509.Name([]))


def pem_of(request: Any) -> str:
    """Write a request as PEM."""
    text: str = request.public_bytes(serialization.Encoding.PEM).decode()
    return text


def pem_of_der(der: bytes) -> str:
    """Write bytes as the PEM block of a request."""
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE REQUEST-----\n{text}-----END CERTIFICATE REQUEST-----\n"


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1()])
@pytest.mark.parametrize("algorithm", [hashes.SHA256(), hashes.SHA384(), hashes.SHA512()])
def test_a_key_on_an_allowed_curve_is_taken(curve: ec.EllipticCurve, algorithm: Any) -> None:
    """P-256 and P-384, with any hash of the SHA-2 family."""
    key = ec.generate_private_key(curve)

    request = read_signing_request(pem_of(builder().sign(key, algorithm)))

    assert request.public_key == public_bytes(key.public_key())
    assert request.key_hash == hash_of_key(request.public_key)
    assert (request.names, request.common_name) == (frozenset(), None)


@pytest.mark.parametrize("bits", [2048, 3072])
def test_an_rsa_key_of_an_allowed_size_is_taken(bits: int) -> None:
    """RSA is there for clients that cannot do better."""
    key = rsa.generate_private_key(65537, bits)

    assert read_signing_request(csr_pem(key)).public_key == public_bytes(key.public_key())


def test_names_and_common_name_may_be_repeated(key: ec.EllipticCurvePrivateKey) -> None:
    """A request that repeats the names of the box is as good as one that is silent (S-46)."""
    request = read_signing_request(csr_pem(key, NAMES, NAMES[1]))

    assert request.names == frozenset(NAMES)
    assert names_differ(request, NAMES) is None


@pytest.mark.parametrize(
    ("names", "common_name"),
    [
        ((*NAMES, "shop.example.com"), None),
        (("*.aaaaaaaaaaaaaaaa.lancert.localhost",), None),
        ((NAMES[0],), None),
        (("*.lancert.localhost",), None),
        ((), "shop.example.com"),
        (NAMES, "lancert.localhost"),
    ],
)
def test_other_names_are_refused(key: ec.EllipticCurvePrivateKey, names: tuple[str, ...], common_name: str) -> None:
    """An extra name, the wildcard of another box, half of the names, a foreign common name (F-65)."""
    request = read_signing_request(csr_pem(key, names, common_name))

    assert names_differ(request, NAMES) is not None


def extended(value: x509.ExtensionType, critical: bool = False) -> Callable[[Builder], Builder]:
    """Ask for an extension."""
    return lambda asked: asked.add_extension(value, critical)


@pytest.mark.parametrize(
    "ask",
    [
        extended(x509.BasicConstraints(ca=True, path_length=None), True),
        extended(x509.BasicConstraints(ca=False, path_length=None)),
        extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])),
        extended(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])),
        extended(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), True),
        extended(x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.168.1.5"))])),
        extended(x509.SubjectAlternativeName([x509.RFC822Name("owner@example.com")])),
        extended(x509.SubjectAlternativeName([x509.UniformResourceIdentifier("https://example.com")])),
        extended(x509.SubjectAlternativeName([x509.DNSName(NAMES[0]), x509.DNSName(NAMES[0])])),
        lambda asked: asked.subject_name(x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Shop")])),
        lambda asked: asked.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in NAMES])),
    ],
    ids=["ca", "not-ca", "client", "any-usage", "unknown", "ip", "mail", "uri", "twice", "organisation", "two-names"],
)
def test_anything_but_names_is_refused(key: ec.EllipticCurvePrivateKey, ask: Callable[[Any], Any]) -> None:
    """What a certificate says is the service's business; a request that wants a say is refused (F-65)."""
    fresh = Builder() if "subject_name" in ask.__code__.co_names else builder()

    with pytest.raises(RequestRefused):
        read_signing_request(pem_of(ask(fresh).sign(key, hashes.SHA256())))


@pytest.mark.parametrize(
    "make",
    [
        lambda: ec.generate_private_key(ec.SECP256K1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        lambda: rsa.generate_private_key(3, 2048),
        lambda: rsa.generate_private_key(65537, 2056),
        lambda: rsa.generate_private_key(65537, 1024),
        lambda: dsa.generate_private_key(2048),
    ],
    ids=["secp256k1", "p521", "e=3", "2056 bits", "1024 bits", "dsa"],
)
def test_a_key_outside_the_allowlist_is_refused(make: Callable[[], Any]) -> None:
    """Curves, sizes, exponents and kinds that are not named are not taken (S-45, F-66)."""
    with pytest.raises(RequestRefused):
        read_signing_request(csr_pem(make()))


def test_an_identity_key_is_refused() -> None:
    """The key a box signs its requests with cannot be the key of a certificate: it is of another kind (S-47)."""
    key = ed25519.Ed25519PrivateKey.generate()

    with pytest.raises(RequestRefused):
        read_signing_request(pem_of(builder().sign(key, None)))


def test_a_key_with_close_primes_is_refused() -> None:
    """The arithmetic of weak keys is asked, and the answer says what is wrong."""
    p = 2**1024 - 105  # primes next to each other, found by searching downwards from 2^1024
    q = 2**1024 - 1397
    d = pow(65537, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p=p,
        q=q,
        d=d,
        dmp1=d % (p - 1),
        dmq1=d % (q - 1),
        iqmp=pow(q, -1, p),
        public_numbers=rsa.RSAPublicNumbers(65537, p * q),
    )
    weak = numbers.private_key(unsafe_skip_rsa_key_validation=True)

    with pytest.raises(RequestRefused, match="primes"):
        read_signing_request(csr_pem(weak))


def test_a_signature_of_another_key_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    """Proof of possession is looked at: one flipped bit is no proof."""
    der = bytearray(builder().sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1

    with pytest.raises(RequestRefused):
        read_signing_request(pem_of_der(bytes(der)))


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040301")),  # ECDSA with SHA-224
        (bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010105")),  # RSA with SHA-1
        (bytes.fromhex("2a864886f70d01010b"), bytes.fromhex("2a864886f70d010104")),  # RSA with MD5
    ],
    ids=["sha224", "sha1", "md5"],
)
def test_an_old_hash_is_refused(
    key: ec.EllipticCurvePrivateKey, rsa_key: rsa.RSAPrivateKey, good: bytes, bad: bytes
) -> None:
    """What signs a request is on a list; SHA-1 and MD5 are not (F-65)."""
    signer = key if len(good) == 8 else rsa_key
    der = builder().sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    assert good in der

    with pytest.raises(RequestRefused, match="SHA-256"):
        read_signing_request(pem_of_der(der.replace(good, bad)))


def test_a_point_that_is_not_on_the_curve_is_refused(key: ec.EllipticCurvePrivateKey) -> None:
    """A key that is none does not get as far as a signature."""
    der = builder().sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)
    point = key.public_key().public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
    moved = point[:-1] + bytes([point[-1] ^ 1])

    with pytest.raises(RequestRefused):
        read_signing_request(pem_of_der(der.replace(point, moved)))


@pytest.mark.parametrize(
    "change",
    [
        lambda pem: "",
        lambda pem: "hello",
        lambda pem: pem + pem,
        lambda pem: pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"),
        lambda pem: pem.replace("CERTIFICATE REQUEST", "CERTIFICATE"),
        lambda pem: "note: mine\n" + pem,
        lambda pem: pem.replace("-----END", "\x00-----END"),
        lambda pem: pem[:200] + pem[240:],
        lambda pem: pem[:-60],
        lambda pem: pem + " " * 5000,
        lambda pem: pem_of_der(b"\x30\x80" + b"\x00" * 60),
        lambda pem: pem_of_der(b"0" * 2000),
        lambda pem: "-----BEGIN CERTIFICATE REQUEST-----\nÄÖÜ=\n-----END CERTIFICATE REQUEST-----",
    ],
)
def test_what_is_not_exactly_one_request_is_refused(
    key: ec.EllipticCurvePrivateKey, change: Callable[[str], str]
) -> None:
    """Nothing, two of them, text around it, other labels, cut, padded, indefinite lengths (F-68)."""
    with pytest.raises(RequestRefused):
        read_signing_request(change(csr_pem(key)))


@pytest.mark.parametrize("format", [serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("beside", ["", "request"])
def test_a_private_key_is_refused_and_known_afterwards(
    key: ec.EllipticCurvePrivateKey, format: serialization.PrivateFormat, beside: str
) -> None:
    """A key posted by mistake, alone or beside a request, gives the hash by which it is blocked (F-68)."""
    posted = key.private_bytes(serialization.Encoding.PEM, format, serialization.NoEncryption()).decode()

    with pytest.raises(PrivateKeyPosted) as refused:
        read_signing_request(posted + (csr_pem(key) if beside else ""))

    assert refused.value.keys == {hash_of_key(public_bytes(key.public_key()))}
    assert posted.splitlines()[1] not in str(refused.value)


def test_an_encrypted_or_broken_private_key_is_refused_too(key: ec.EllipticCurvePrivateKey) -> None:
    """Nobody can tell which key it is, and it is refused all the same."""
    encryption = serialization.BestAvailableEncryption(b"secret")
    posted = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()

    for text in (posted, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "BEGIN PRIVATE KEY-----"):
        with pytest.raises(PrivateKeyPosted) as refused:
            read_signing_request(text)
        assert refused.value.keys == frozenset()


@given(position=st.integers(0, 10_000), value=st.integers(0, 255), cut=st.integers(0, 40))
def test_a_damaged_request_is_refused_or_means_the_same(position: int, value: int, cut: int) -> None:
    """Whatever is changed in the bytes of a request: it is refused, never an error of ours (F-67)."""
    der = bytearray(_DER)
    der[position % len(der)] = value
    del der[len(der) - cut :]
    try:
        request = read_signing_request(pem_of_der(bytes(der)))
    except RequestRefused:
        return

    assert bytes(der) == _DER
    assert request.key_hash


_DER = (
    builder()
    .sign(ec.derive_private_key(0x1234567, ec.SECP256R1()), hashes.SHA256())
    .public_bytes(serialization.Encoding.DER)
)
