"""Reading a certificate signing request (RFC 2986): a public key, proof that its owner has the private one, no more.

The names of a certificate come from the service's own record; those in the request may only repeat them. A request
is one PEM block and nothing else, at most 4 KiB (S-44); the cheap checks come first, so that a monstrous key is
refused before anything is computed with it. Whoever posts a private key by mistake is refused and the key is handed
back as a hash, to be blocked: it left its machine (F-68).
"""

import binascii
import hashlib
import re
from base64 import b64decode
from collections.abc import Mapping
from typing import Final, NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from lancert.protocol.certificate import public_bytes
from lancert.service.model import KeyHash
from lancert.service.weak_keys import has_close_primes, has_roca_fingerprint, has_small_factor

REQUEST_LIMIT: Final = 4096

Algorithm = TypeVar("Algorithm")

_RSA_BITS = (2048, 3072, 4096)
_RSA_EXPONENT = 65537
_SHA_2 = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())
_ECDSA = dict(
    zip(
        (
            SignatureAlgorithmOID.ECDSA_WITH_SHA256,
            SignatureAlgorithmOID.ECDSA_WITH_SHA384,
            SignatureAlgorithmOID.ECDSA_WITH_SHA512,
        ),
        map(ec.ECDSA, _SHA_2),
        strict=True,
    )
)
_RSA = dict(
    zip(
        (
            SignatureAlgorithmOID.RSA_WITH_SHA256,
            SignatureAlgorithmOID.RSA_WITH_SHA384,
            SignatureAlgorithmOID.RSA_WITH_SHA512,
        ),
        _SHA_2,
        strict=True,
    )
)
# What boxes send: version 1, an empty subject, a key on P-256 with its point written out, no attributes.
_PLAIN_START = bytes.fromhex("306202010030003059301306072a8648ce3d020106082a8648ce3d03010703420004")
_PLAIN_END = bytes.fromhex("a000")
_PLAIN_KEY = slice(7, 98)
_PLAIN_LENGTH = 100
_BLOCK = re.compile(
    r"\s*-----BEGIN CERTIFICATE REQUEST-----\s([A-Za-z0-9+/=\s]+)-----END CERTIFICATE REQUEST-----\s*", re.ASCII
)
_PRIVATE = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----", re.S)
_PRIVATE_MARK = "PRIVATE KEY-----"
_UNREADABLE = (
    binascii.Error,
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class RequestRefused(ValueError):
    """A signing request is not acceptable; the text says why and is safe to send back."""


class PrivateKeyPosted(RequestRefused):
    """A private key stood where a signing request belongs; ``keys`` are the hashes of those that could be read."""

    def __init__(self, keys: frozenset[KeyHash]) -> None:
        super().__init__(
            "a private key was sent instead of a certificate signing request; it is not secret any more: "
            "make a new key and send a request for that one"
        )
        self.keys = keys


class SigningRequest(NamedTuple):
    """What counts of a request: the key, and the names it repeats. ``public_key`` is a SubjectPublicKeyInfo."""

    public_key: bytes
    key_hash: KeyHash
    names: frozenset[str] = frozenset()
    common_name: str | None = None


def read_signing_request(pem: str) -> SigningRequest:
    """Read and check a request. Raises RequestRefused, and nothing else."""
    if _PRIVATE_MARK in pem:
        raise PrivateKeyPosted(_hashes_of_private_keys(pem))
    if len(pem) > REQUEST_LIMIT:
        raise RequestRefused(f"the request is larger than {REQUEST_LIMIT} bytes")
    block = _BLOCK.fullmatch(pem)
    if block is None:
        raise RequestRefused("the request must be exactly one PEM block of a CERTIFICATE REQUEST")
    try:
        request = x509.load_der_x509_csr(b64decode("".join(block[1].split()), validate=True))
        return _check(request)
    except RequestRefused:
        raise
    except _UNREADABLE as error:
        raise RequestRefused("the request cannot be read") from error


def names_differ(request: SigningRequest, names: tuple[str, ...]) -> str | None:
    """Say what a request asks for beyond the names of the box, or None when it repeats them or is silent (S-46)."""
    if request.names and request.names != frozenset(names):
        return f"the request asks for other names than those of this IoT system, which are {' and '.join(names)}"
    if request.common_name is not None and request.common_name not in names:
        return "the common name of the request is not a name of this IoT system: leave the subject empty"
    return None


def hash_of_key(public_key: bytes) -> KeyHash:
    """Give the hash by which a SubjectPublicKeyInfo is known."""
    return KeyHash(hashlib.sha256(public_key).hexdigest())


def _check(request: x509.CertificateSigningRequest) -> SigningRequest:
    written = request.tbs_certrequest_bytes
    if len(written) == _PLAIN_LENGTH and written.startswith(_PLAIN_START) and written.endswith(_PLAIN_END):
        _check_proof(request.public_key(), request)
        # The key stands there in the one spelling that the library would give it.
        public_key = written[_PLAIN_KEY]
        return SigningRequest(public_key=public_key, key_hash=hash_of_key(public_key))
    names, common_name = _names(request), _common_name(request)
    key = request.public_key()
    match key:
        case ec.EllipticCurvePublicKey():
            _check_curve(key)
        case rsa.RSAPublicKey():
            _check_rsa(key)
    _check_proof(key, request)
    public_key = public_bytes(key)
    return SigningRequest(public_key=public_key, key_hash=hash_of_key(public_key), names=names, common_name=common_name)


def _check_proof(key: object, request: x509.CertificateSigningRequest) -> None:
    # The library's own ``is_signature_valid`` reads the key a second time, which costs a fifth of the verification.
    try:
        match key:
            case ec.EllipticCurvePublicKey():
                key.verify(request.signature, request.tbs_certrequest_bytes, _algorithm(_ECDSA, request))
            case rsa.RSAPublicKey():
                sha = _algorithm(_RSA, request)
                key.verify(request.signature, request.tbs_certrequest_bytes, PKCS1v15(), sha)
            case _:
                raise RequestRefused("the key must be on the curve P-256 or P-384, or RSA")
    except InvalidSignature as error:
        raise RequestRefused("the signature of the request does not belong to its key") from error


def _algorithm(
    allowed: Mapping[x509.ObjectIdentifier, Algorithm], request: x509.CertificateSigningRequest
) -> Algorithm:
    algorithm = allowed.get(request.signature_algorithm_oid)
    if algorithm is None:
        raise RequestRefused("the request must be signed by its own key with SHA-256, SHA-384 or SHA-512")
    return algorithm


def _check_curve(key: ec.EllipticCurvePublicKey) -> None:
    if not isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        raise RequestRefused("the curve of the key must be P-256 or P-384")


def _check_rsa(key: rsa.RSAPublicKey) -> None:
    if key.key_size not in _RSA_BITS:
        raise RequestRefused("an RSA key must have 2048, 3072 or 4096 bits")
    numbers = key.public_numbers()
    if numbers.e != _RSA_EXPONENT:
        raise RequestRefused(f"the exponent of an RSA key must be {_RSA_EXPONENT}")
    for is_weak, name in (
        (has_small_factor, "it has a small factor"),
        (has_roca_fingerprint, "it comes from a library with the flaw ROCA (CVE-2017-15361)"),
        (has_close_primes, "its two primes are too close to each other"),
    ):
        if is_weak(numbers.n):
            raise RequestRefused(f"the RSA key can be broken: {name}; make a new key")


def _names(request: x509.CertificateSigningRequest) -> frozenset[str]:
    names: frozenset[str] = frozenset()
    for extension in request.extensions:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            raise RequestRefused("the request asks for an extension other than names; ask for none")
        if not all(isinstance(name, x509.DNSName) for name in extension.value):
            raise RequestRefused("the request asks for names that are not DNS names")
        names = frozenset(extension.value.get_values_for_type(x509.DNSName))
        if len(names) != len(list(extension.value)):
            raise RequestRefused("the request asks for a name twice")
    return names


def _common_name(request: x509.CertificateSigningRequest) -> str | None:
    attributes = list(request.subject)
    if not attributes:
        return None
    if len(attributes) > 1 or attributes[0].oid != NameOID.COMMON_NAME:
        raise RequestRefused("the subject of the request may hold one common name and nothing else; leave it empty")
    value = attributes[0].value
    if not isinstance(value, str):
        raise RequestRefused("the common name of the request is not a text")
    return value


def _hashes_of_private_keys(text: str) -> frozenset[KeyHash]:
    found = set()
    for block in _PRIVATE.finditer(text):
        try:
            key = serialization.load_pem_private_key(block[0].encode(), password=None)
            found.add(hash_of_key(public_bytes(key.public_key())))  # type: ignore[arg-type]
        except (ValueError, TypeError, UnsupportedAlgorithm):
            continue  # encrypted or damaged: nobody can tell which key it is
    return frozenset(found)
