"""TLS as the homepage serves it: complete contexts, built and checked before anything uses them.

TLS 1.2 and 1.3, forward secrecy only, no compression, no renegotiation (S-10). The stop-gap is a self-signed
certificate for the time before the first real one: it lets a browser reach the homepage over HTTPS after a warning
and is never trusted by anything.
"""

import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lancert.box.keys import private_pem
from lancert.kit.files import write_private
from lancert.protocol.names import Address

_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"  # TLS 1.2; the suites of TLS 1.3 are all fit


def server_context(certificate: Path) -> ssl.SSLContext:
    """Build a context that serves this file of key and chain. Raises OSError or ssl.SSLError when it cannot."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.load_cert_chain(certificate)
    return context


def write_stop_gap(path: Path, addresses: Sequence[Address], now: datetime) -> None:
    """Write a self-signed certificate with its key for the time before the first real one."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "IoT system without a certificate yet")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(
            x509.SubjectAlternativeName([x509.DNSName("localhost"), *(x509.IPAddress(one) for one in addresses)]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    write_private(path, private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
