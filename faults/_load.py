"""Strict clients that shake hands with a box without pause, and clients that keep one connection for all the time.

Each handshake verifies the chain up to the root, and the name where one is sent, and gets one answer; it is
done with TLS 1.2 and 1.3, with and without SNI, and every second one offers the session of the one before. What does
not go through is a failure, whatever the reason; a certificate that nobody installed is one too.
"""

import contextlib
import itertools
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

_PATIENCE = 10.0  # seconds
_BETWEEN_REQUESTS = 0.5  # seconds on a connection that is kept; the box closes an idle one after 5
_CLIENTS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One way to shake hands."""

    version: ssl.TLSVersion
    with_name: bool

    @property
    def text(self) -> str:
        """Name it."""
        return f"TLS 1.{self.version - ssl.TLSVersion.TLSv1} {'with' if self.with_name else 'without'} SNI"


KINDS = tuple(
    Kind(version=version, with_name=with_name)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    for with_name in (True, False)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Who is asked: an HTTPS port of loopback, its name, and the root that is trusted."""

    port: int
    name: str
    root: Path

    def context(self, kind: Kind) -> ssl.SSLContext:
        """Give a client that trusts nothing but the root."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = context.maximum_version = kind.version
        context.check_hostname = kind.with_name
        context.load_verify_locations(self.root)
        return context

    @contextlib.contextmanager
    def connection(
        self, kind: Kind, context: ssl.SSLContext, session: ssl.SSLSession | None = None
    ) -> Iterator[ssl.SSLSocket]:
        """Connect and shake hands."""
        name = self.name if kind.with_name else None
        with (
            socket.create_connection(("127.0.0.1", self.port), timeout=_PATIENCE) as tcp,
            context.wrap_socket(tcp, server_hostname=name, session=session) as connection,
        ):
            yield connection

    def shown(self) -> str:
        """Give the fingerprint of the certificate that a new connection is shown."""
        with self.connection(KINDS[-2], self.context(KINDS[-2])) as connection:
            return fingerprint(connection)

    def ask(self, connection: ssl.SSLSocket, *, close: bool) -> None:
        """Send a request and take its answer. Raises OSError."""
        last = "Connection: close\r\n" if close else ""
        connection.sendall(f"HEAD /favicon.svg HTTP/1.1\r\nHost: {self.name}:{self.port}\r\n{last}\r\n".encode())
        answer = b""
        while b"\r\n\r\n" not in answer:
            part = connection.recv(4096)
            if not part:
                raise ConnectionError("closed instead of an answer")
            answer += part
        if not answer.startswith(b"HTTP/1.1 200"):
            raise ConnectionError(f"answered {answer[:40]!r}")


def fingerprint(connection: ssl.SSLSocket) -> str:
    """Give the SHA-256 fingerprint of the certificate a connection was shown."""
    return sha256(connection.getpeercert(binary_form=True) or b"").hexdigest()


@dataclass(slots=True)
class Shaken:
    """What came of the handshakes."""

    done: int = 0
    resumed: int = 0
    slowest: float = 0.0
    failures: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)


class Load:
    """Shakes hands from several threads until so many are done; ``known`` are the certificates that were installed."""

    def __init__(self, target: Target, handshakes: int, known: set[str]) -> None:
        self.shaken = Shaken()
        self._target = target
        self._known = known
        self._numbers: Iterator[int] = iter(range(handshakes))
        self._lock = threading.Condition()
        self._threads = [threading.Thread(target=self._work, name="handshakes") for _ in range(_CLIENTS)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        if failed is not None:
            with self._lock:
                self._numbers = iter(range(0))
        for thread in self._threads:
            thread.join()

    def wait_for(self, handshakes: int) -> None:
        """Wait until so many are done."""
        with self._lock:
            self._lock.wait_for(lambda: self.shaken.done >= handshakes or not self._is_working(), timeout=_PATIENCE)

    def _is_working(self) -> bool:
        return any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        contexts = {kind: self._target.context(kind) for kind in KINDS}
        sessions: dict[Kind, ssl.SSLSession | None] = {}
        while True:
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            kind = KINDS[number % len(KINDS)]
            session = sessions.pop(kind, None)
            began = time.monotonic()
            failure, seen, resumed = "", "", False
            try:
                with self._target.connection(kind, contexts[kind], session) as connection:
                    self._target.ask(connection, close=True)
                    seen, resumed = fingerprint(connection), bool(connection.session_reused)
                    sessions[kind] = None if session else connection.session
                if seen not in self._known:
                    failure = f"{kind.text}: an unknown certificate"
            except OSError as error:
                failure = f"{kind.text}: {type(error).__name__}, {getattr(error, 'reason', None) or error}"
            self._note(failure, seen, resumed=resumed, seconds=time.monotonic() - began)

    def _note(self, failure: str, seen: str, *, resumed: bool, seconds: float) -> None:
        with self._lock:
            self.shaken.done += 1
            self.shaken.resumed += resumed
            self.shaken.slowest = max(self.shaken.slowest, seconds)
            if failure:
                self.shaken.failures[failure] += 1
            else:
                self.shaken.seen[seen] += 1
            self._lock.notify_all()


class Kept:
    """Connections that are opened once and asked again and again: two of each kind."""

    def __init__(self, target: Target) -> None:
        self.dropped: list[str] = []
        self.answers = 0
        self.opened = 0
        self._target = target
        self._enough = threading.Event()
        self._open = threading.Barrier(2 * len(KINDS) + 1)
        self._threads = [threading.Thread(target=self._keep, args=(kind,), name="kept") for kind in KINDS * 2]

    def __enter__(self) -> "Kept":
        for thread in self._threads:
            thread.start()
        self._open.wait(_PATIENCE)
        return self

    def __exit__(self, *_: object) -> None:
        self._enough.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, kind: Kind) -> None:
        count = itertools.count(1)
        try:
            with self._target.connection(kind, self._target.context(kind)) as connection:
                shown = fingerprint(connection)
                self._target.ask(connection, close=False)
                self.opened += 1
                self._open.wait(_PATIENCE)
                while not self._enough.wait(_BETWEEN_REQUESTS):
                    self._target.ask(connection, close=False)
                    self.answers = max(self.answers, next(count))
                self._target.ask(connection, close=True)
                if fingerprint(connection) != shown:
                    self.dropped.append(f"{kind.text}: another certificate on the same connection")
        except (OSError, threading.BrokenBarrierError) as error:
            self.dropped.append(f"{kind.text}: {type(error).__name__}, {error}")
