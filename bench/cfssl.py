"""The peer: cfssl of Debian (golang-cfssl), signing leaves on P-256 and storing nothing.

It is what one can get without lancert: an HTTP service that signs what it is asked. It neither knows who asks nor
remembers anything, and it is asked over plain HTTP. Measured by the same client, on as many kept connections, in a
folder that goes away.
"""

import json
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PROGRAM = "cfssl"
_START_SECONDS = 10.0
_CONFIG = {"signing": {"default": {"expiry": "1080h", "usages": ["digital signature", "server auth"]}}}


def is_installed() -> bool:
    return shutil.which(PROGRAM) is not None


@contextmanager
def cfssl() -> Iterator[tuple[int, int]]:
    """Run cfssl with a fresh authority on a free port of loopback; gives port and process id."""
    with tempfile.TemporaryDirectory(prefix="lancert-bench-") as name:
        folder = Path(name)
        _make_authority(folder)
        (folder / "config.json").write_text(json.dumps(_CONFIG), encoding="ascii")
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            port: int = chosen.getsockname()[1]
        files = ["-ca=ca.pem", "-ca-key=ca-key.pem", "-config=config.json"]
        command = [PROGRAM, "serve", "-address=127.0.0.1", f"-port={port}", *files, "-loglevel=5"]
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            _wait_for(port)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(_START_SECONDS)


def request_for(number: int) -> bytes:
    """Write a request for a certificate as the bytes of HTTP, with the names a box would get."""
    label = f"box{number:013}"
    names = [x509.DNSName(f"{star}{label}.lancert.localhost") for star in ("*.", "")]
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    csr = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    body = json.dumps({"certificate_request": csr.public_bytes(serialization.Encoding.PEM).decode()}).encode()
    head = "POST /api/v1/cfssl/sign HTTP/1.1\r\nhost: peer\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body


def _make_authority(folder: Path) -> None:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "peer")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=90))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "ca.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL
    (folder / "ca-key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))


def _wait_for(port: int) -> None:
    until = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
        else:
            return
