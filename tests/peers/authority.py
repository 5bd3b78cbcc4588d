"""A certificate authority made small: a root, an issuing certificate with name constraints, and leaves right and wrong.

It shares no code with the service's authority, so that what one gets wrong the other does not repeat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey

TODAY = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """A certificate with its key: of a root, of an issuing authority or of a server."""

    certificate: x509.Certificate
    key: Key

    @property
    def fingerprint(self) -> str:
        """Give the SHA-256 fingerprint in lower-case hexadecimal."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def new_key() -> Key:
    """Make a key."""
    return ec.generate_private_key(ec.SECP256R1())


def make_root(*, name: str = "A root", not_before: datetime = TODAY - DAY, life: timedelta = 3650 * DAY) -> Signer:
    """Make a root: self-signed, critical basic constraints, its key signs certificates."""
    key = new_key()
    subject = _name(name)
    builder = (
        _builder(subject, key.public_key(), not_before, not_before + life)
        .issuer_name(subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
    )
    return Signer(certificate=builder.sign(key, hashes.SHA256()), key=key)


def make_issuing(
    root: Signer,
    *,
    permitted: Sequence[str] = (),
    name: str = "An issuing authority",
    not_before: datetime = TODAY - DAY,
    life: timedelta = 1000 * DAY,
) -> Signer:
    """Make an issuing certificate; ``permitted`` are the DNS names it may sign below (RFC 5280, 4.2.1.10)."""
    key = new_key()
    builder = (
        _builder(_name(name), key.public_key(), not_before, not_before + life)
        .issuer_name(root.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(_authority_of(root), critical=False)
    )
    if permitted:
        subtrees = [x509.DNSName(one) for one in permitted]
        builder = builder.add_extension(x509.NameConstraints(subtrees, None), critical=True)
    return Signer(certificate=builder.sign(root.key, hashes.SHA256()), key=key)


def make_leaf(
    issuer: Signer,
    names: Sequence[str],
    public_key: ec.EllipticCurvePublicKey,
    *,
    more_names: Sequence[x509.GeneralName] = (),
    not_before: datetime = TODAY - DAY,
    life: timedelta = 45 * DAY,
) -> x509.Certificate:
    """Sign a certificate of a server."""
    builder = (
        _builder(x509.Name([]), public_key, not_before, not_before + life)
        .issuer_name(issuer.certificate.subject)
        .add_extension(x509.SubjectAlternativeName([*map(x509.DNSName, names), *more_names]), critical=True)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(_authority_of(issuer), critical=False)
    )
    return builder.sign(issuer.key, hashes.SHA256())


def make_server(issuer: Signer, names: Sequence[str], *, not_before: datetime = TODAY - DAY) -> Signer:
    """Make a server's certificate with its key."""
    key = new_key()
    return Signer(certificate=make_leaf(issuer, names, key.public_key(), not_before=not_before), key=key)


def pem(*certificates: x509.Certificate) -> bytes:
    """Write certificates as PEM."""
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one in certificates)


def key_pem(key: Key) -> bytes:
    """Write a private key as PEM."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def public_der(key: Key) -> bytes:
    """Write a public key as SubjectPublicKeyInfo."""
    return key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def server_file(path: Path, server: Signer, *chain: x509.Certificate) -> Path:
    """Write the file a server serves from: its key, its certificate and the rest of the chain."""
    path.write_bytes(key_pem(server.key) + pem(server.certificate, *chain))
    return path


def _builder(
    subject: x509.Name, public_key: ec.EllipticCurvePublicKey, not_before: datetime, not_after: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
    )


def _authority_of(signer: Signer) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key())


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])
