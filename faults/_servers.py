"""Servers whose certificate is renewed under load: the real agent, two that do it wrongly, and nginx.

The two that are wrong are the controls. One keeps key and chain in two files and loads both into the context in use
whenever one of them has changed, as file watchers do; the other is the agent itself, started anew for each certificate.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from tests.peers.authority import TODAY, Key, key_pem, make_issuing, make_leaf, make_root, new_key, pem

from faults._disk import tool
from faults._load import Target
from faults._process import end, free_port, started
from lancert.box.facts import Enrolment, Server
from lancert.box.folder import Folder
from lancert.box.store import CertificateStore
from lancert.protocol.names import DEMO_ZONE, Label, certificate_names, stable_name

LABEL = Label("k3v7q2m4x5a6b7c2")
NAME = stable_name(LABEL, DEMO_ZONE)
_FAR = TODAY + timedelta(days=30)

_IN_PLACE = """
import asyncio, contextlib, os, ssl, sys
chain, key, port = sys.argv[1:]
def stamps():
    return [os.stat(path).st_mtime_ns for path in (chain, key)]
async def answer(reader, writer):
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\\r\\n\\r\\n"):
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
            await writer.drain()
            if b"close" in head:
                break
        writer.close()
async def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    known = stamps()
    await asyncio.start_server(answer, "127.0.0.1", int(port), ssl=context)
    while True:
        await asyncio.sleep(0.01)
        if stamps() != known:
            known = stamps()
            with contextlib.suppress(OSError):
                context.load_cert_chain(chain, key)
asyncio.run(main())
"""

_NGINX = """
daemon off;
pid {place}/nginx.pid;
error_log {place}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {place}/body; proxy_temp_path {place}/proxy; fastcgi_temp_path {place}/fastcgi;
    uwsgi_temp_path {place}/uwsgi; scgi_temp_path {place}/scgi;
    keepalive_requests 1000000;
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {place}/chain.pem;
        ssl_certificate_key {place}/key.pem;
        ssl_protocols TLSv1.2 TLSv1.3;
        location / {{ return 200; }}
    }}
}}
"""


class Renewed(Protocol):
    """A server under load; ``renew`` gives the fingerprint of the certificate that is to be served from now on."""

    target: Target
    first: str

    @property
    def pid(self) -> int:
        """Give the process that serves."""
        ...

    def renew(self, known: set[str]) -> str:
        """Install another certificate, which is known before it can be shown."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


class Pairs:
    """Makes pairs of a key and its chain for one box, all below one root."""

    def __init__(self, place: Path) -> None:
        root = make_root()
        self._issuing = make_issuing(root)
        self.authority = root.certificate
        self.root = place / "root.pem"
        self.root.write_bytes(pem(root.certificate))

    def chain_for(self, key: Key) -> tuple[x509.Certificate, ...]:
        """Sign a certificate."""
        leaf = make_leaf(self._issuing, certificate_names(LABEL, DEMO_ZONE), key.public_key())
        return leaf, self._issuing.certificate


def mark(chain: tuple[x509.Certificate, ...]) -> str:
    """Give the fingerprint of a chain's first certificate."""
    return sha256(chain[0].public_bytes(Encoding.DER)).hexdigest()


class Agent:
    """lancert's own: a generation is installed through the store, and the running agent is told to look."""

    def __init__(self, place: Path) -> None:
        self._pairs = Pairs(place)
        self.folder = Folder(place / "box")
        # Nobody answers there, and the renewal is far: what is renewed is renewed by this proof.
        self.folder.connect(Server(url="https://127.0.0.1:9"), [self._pairs.authority])
        self.folder.enrolled(Enrolment(box="box-1", label=LABEL, zone=DEMO_ZONE))
        self._store = CertificateStore(self.folder.certificates)
        self.first = self._install(set())
        port, self.http = free_port(), free_port()
        self.target = Target(port=port, name=NAME, root=self._pairs.root)
        command = [sys.executable, "-m", "lancert", "box", "run", "--folder", str(self.folder.path), "--name", "till"]
        ports = [
            "--http-port",
            str(self.http),
            "--https-port",
            str(port),
            "--listen",
            "127.0.0.1",
            "--address",
            "127.0.0.1",
        ]
        self._command = [*command, *ports]
        self._process = _started(self._command, self.target)

    @property
    def pid(self) -> int:
        """Give the process that serves."""
        return self._process.pid

    def renew(self, known: set[str]) -> str:
        """Install a generation and tell the agent."""
        installed = self._install(known)
        os.kill(self._process.pid, signal.SIGHUP)
        return installed

    def stop(self) -> None:
        """End it."""
        end(self._process)

    def _install(self, known: set[str]) -> str:
        key = self._store.pending_key()
        chain = self._pairs.chain_for(key)
        known.add(mark(chain))
        self._store.install(key, chain, renewal_start=_FAR, renewal_end=_FAR)
        return mark(chain)


class RestartedAgent(Agent):
    """A control: the agent is started anew for each certificate."""

    def renew(self, known: set[str]) -> str:
        """Install a generation and start the agent anew."""
        installed = self._install(known)
        end(self._process)
        self._process = _started(self._command, self.target)
        return installed


class _TwoFiles:
    """A server of key and chain in two files."""

    _between = 0.0  # seconds from one file to the other

    def __init__(self, place: Path) -> None:
        self._pairs = Pairs(place)
        self._chain, self._key = place / "chain.pem", place / "key.pem"
        self.first = self._write(set())
        self.target = Target(port=free_port(), name=NAME, root=self._pairs.root)
        self._process = _started(self._command(place), self.target)

    @property
    def pid(self) -> int:
        """Give the process that serves."""
        return self._process.pid

    def renew(self, known: set[str]) -> str:
        """Write both files."""
        return self._write(known)

    def stop(self) -> None:
        """End it."""
        end(self._process)

    def _command(self, place: Path) -> list[str]:
        raise NotImplementedError

    def _write(self, known: set[str]) -> str:
        key = new_key()
        chain = self._pairs.chain_for(key)
        known.add(mark(chain))
        for path, content in ((self._chain, pem(*chain)), (self._key, key_pem(key))):
            beside = path.with_suffix(".new")
            beside.write_bytes(content)
            beside.replace(path)
            time.sleep(self._between)
        return mark(chain)


class InPlace(_TwoFiles):
    """A control: whatever changed is loaded into the context in use; the card it is written to is slow."""

    _between = 0.03

    def _command(self, place: Path) -> list[str]:
        return [sys.executable, "-c", _IN_PLACE, str(self._chain), str(self._key), str(self.target.port)]


class Nginx(_TwoFiles):
    """nginx of Debian, told to reload when both files are there; for comparison."""

    def renew(self, known: set[str]) -> str:
        """Write both files and have nginx start new workers."""
        written = self._write(known)
        os.kill(self._process.pid, signal.SIGHUP)
        return written

    def _command(self, place: Path) -> list[str]:
        configuration = place / "nginx.conf"
        configuration.write_text(_NGINX.format(place=place, port=self.target.port), encoding="utf-8")
        return [tool("nginx"), "-e", str(place / "error.log"), "-p", str(place), "-c", str(configuration)]


def _started(command: list[str], target: Target) -> "subprocess.Popen[bytes]":
    return started(command, lambda: bool(target.shown()))


Starter = Callable[[Path], Renewed]
