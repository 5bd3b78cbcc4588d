"""An HTTPS server with a control panel: told what to answer, when to hang, to cut or to drip, on a real socket.

    with HttpsPeer(server_file) as peer:
        peer.answer = lambda request: Reply(status=503, body=b"busy", headers={"retry-after": "7"})
        ...
        assert peer.requests[0].path == "/api/v1/certificates"

One thread accepts, one thread serves each connection, and leaving the block ends all of them.
"""

import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http.client import parse_headers
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

_PATIENCE = 30.0  # seconds after which a forgotten connection ends by itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What came in; header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer. ``body`` may be many parts, endless ones too; ``pause`` is seconds between two parts."""

    status: int = 200
    body: bytes | Iterable[bytes] = b"{}"
    media_type: str | None = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Raw:
    """Bytes that need not be HTTP."""

    content: bytes


@dataclass(frozen=True, slots=True)
class Hang:
    """Say nothing until the other side gives up."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Cut the connection with a TCP reset."""


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection properly, without an answer."""


Behaviour = Reply | Raw | Hang | Reset | Close


class HttpsPeer:
    """Serves until its block ends, on a free port of loopback unless told.

    ``answer`` decides about each request, ``before_tls`` about each connection before its handshake, ``first`` about
    the first ones instead; all may be changed at any time.

    Without a certificate it speaks plain HTTP, as a proxy or a sign-in page does.
    """

    def __init__(self, certificate: Path | None, addresses: Sequence[str] = ("127.0.0.1",), port: int = 0) -> None:
        self.answer: Callable[[Request], Behaviour] = lambda request: Reply()
        self.before_tls: Behaviour | None = None
        self.first: list[Behaviour] = []
        self.requests: list[Request] = []
        self.connections = 0
        self._context = None if certificate is None else _context(certificate)
        self._doors = [
            socket.create_server((one, port), family=socket.AF_INET6 if ":" in one else socket.AF_INET)
            for one in addresses
        ]
        self.port: int = self._doors[0].getsockname()[1]
        self._is_over = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []

    def always(self, behaviour: Behaviour) -> None:
        """Answer every request in the same way from now on."""
        self.answer = lambda request: behaviour

    def show(self, certificate: Path) -> None:
        """Serve another certificate from the next connection on."""
        self._context = _context(certificate)

    def __enter__(self) -> Self:
        for door in self._doors:
            self._start(self._accept, door)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        for door in self._doors:
            with contextlib.suppress(OSError):
                door.shutdown(socket.SHUT_RDWR)
            door.close()
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(timeout=_PATIENCE)
            assert not thread.is_alive()

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, door: socket.socket) -> None:
        while not self._is_over.is_set():
            try:
                connection, _from = door.accept()
            except OSError:
                return
            self.connections += 1
            self._open.add(connection)
            self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        connection.settimeout(_PATIENCE)
        with connection, contextlib.suppress(OSError, ValueError):
            before_tls = self.first.pop(0) if self.first else self.before_tls
            if before_tls is not None:
                if isinstance(before_tls, Reset | Close):
                    # The connection has to stand for the other side before it ends, or it never was one.
                    connection.recv(1, socket.MSG_PEEK)
                self._do(connection, connection, before_tls)
                return
            if self._context is None:
                self._exchange(connection, connection)
                return
            with self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False) as tls:
                self._open.add(tls)
                tls.do_handshake()
                self._exchange(connection, tls)

    def _exchange(self, connection: socket.socket, stream: socket.socket) -> None:
        with stream.makefile("rb") as reader:
            request = _read(reader)
            if request is None:
                return
            self.requests.append(request)
            self._do(connection, stream, self.answer(request))

    def _do(self, connection: socket.socket, stream: socket.socket, behaviour: Behaviour) -> None:
        match behaviour:
            case Hang():
                self._is_over.wait(_PATIENCE)
            case Reset():
                # Whoever is wrapped in TLS has the file descriptor; closing with linger 0 sends the reset.
                stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Raw(content=content):
                stream.sendall(content)
            case Reply():
                self._reply(stream, behaviour)
            case Close():
                pass
        if isinstance(stream, ssl.SSLSocket) and isinstance(behaviour, Reply | Raw | Close):
            stream.settimeout(2.0)
            with contextlib.suppress(OSError):
                stream.unwrap()

    def _reply(self, stream: socket.socket, reply: Reply) -> None:
        headers = {"connection": "close", **reply.headers}
        if reply.media_type is not None:
            headers.setdefault("content-type", reply.media_type)
        parts = [reply.body] if isinstance(reply.body, bytes) else reply.body
        if isinstance(reply.body, bytes):
            headers.setdefault("content-length", str(len(reply.body)))
        lines = [f"HTTP/1.1 {reply.status} Told", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        stream.sendall("\r\n".join(lines).encode())
        for part in parts:
            stream.sendall(part)
            if self._is_over.wait(reply.pause) if reply.pause else self._is_over.is_set():
                return


def _read(reader: BinaryIO) -> Request | None:
    words = reader.readline().decode("latin-1").split()
    if len(words) != 3:
        return None
    headers = {name.lower(): value for name, value in parse_headers(reader).items()}
    body = reader.read(int(headers.get("content-length", "0")))
    return Request(method=words[0], path=words[1], headers=headers, body=body)


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
