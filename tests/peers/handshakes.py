"""Clients that open TLS connections without a pause, each a strict one, and note what went wrong and what they saw.

Every connection is a new handshake, verified against one root, with one request and its answer: whatever a server does
between the two is seen. As many threads as told, and no more connections at once than threads.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

_PATIENCE = 10.0


@dataclass(slots=True)
class Seen:
    """What all clients together saw."""

    failed: list[str] = field(default_factory=list)
    certificates: Counter[str] = field(default_factory=Counter)
    """How often each certificate was shown, by its SHA-256 fingerprint."""

    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def handshakes(self) -> int:
        """Give how many were tried."""
        return self.certificates.total() + len(self.failed)

    def note(self, fingerprint: str | None, failure: str = "") -> None:
        """Note one connection."""
        with self._lock:
            if fingerprint is None:
                self.failed.append(failure)
            else:
                self.certificates[fingerprint] += 1

    def until(self, handshakes: int) -> None:
        """Wait until so many were tried."""
        end = time.monotonic() + 60 + handshakes / 50
        while self.handshakes < handshakes:
            assert time.monotonic() < end, f"{self.handshakes} of {handshakes} handshakes"
            time.sleep(0.01)


@contextlib.contextmanager
def under_load(port: int, name: str, root: Path, threads: int = 3) -> Iterator[Seen]:
    """Keep clients busy with a server on loopback for as long as the block runs."""
    context = ssl.create_default_context(cafile=root)
    seen, over = Seen(), threading.Event()

    def work() -> None:
        while not over.is_set():
            try:
                seen.note(one_request(context, port, name))
            except (OSError, AssertionError) as error:
                seen.note(None, f"{type(error).__name__}: {error}")

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    try:
        yield seen
    finally:
        over.set()
        for worker in workers:
            worker.join(_PATIENCE * 2)


def one_request(context: ssl.SSLContext, port: int, name: str) -> str:
    """Connect, verify, ask and be answered; gives the fingerprint of the certificate that was shown."""
    with (
        socket.create_connection(("127.0.0.1", port), timeout=_PATIENCE) as plain,
        context.wrap_socket(plain, server_hostname=name) as tls,
    ):
        shown = tls.getpeercert(binary_form=True) or b""
        tls.sendall(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode())
        answer = tls.recv(64)
        assert answer.startswith(b"HTTP/1."), f"no answer: {answer!r}"
        while tls.recv(4096):
            pass
        return sha256(shown).hexdigest()
