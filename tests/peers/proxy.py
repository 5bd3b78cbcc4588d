"""A forwarding proxy made small: it opens tunnels (RFC 9110, 9.3.6) and remembers whither.

``wants`` is the name and the password it takes (Basic, RFC 7617), if it asks for any.
"""

import base64
import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_PATIENCE = 30.0


class ConnectProxy:
    """A proxy on a free port of loopback; every tunnel leads to one host, whatever name was asked for."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0, *, leads_to: str = "127.0.0.1") -> None:
        self.asked_for: list[str] = []
        self.wants: tuple[str, str] | None = None
        self._leads_to = leads_to
        self._door = socket.create_server((address, port))
        self.url = f"http://{address}:{self._door.getsockname()[1]}"
        self._open: list[socket.socket] = [self._door]
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for one in list(self._open):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(timeout=_PATIENCE)
            assert not thread.is_alive()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _from = self._door.accept()
                connection.settimeout(_PATIENCE)
                self._open.append(connection)
                self._start(self._tunnel, connection)

    def _tunnel(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            target = head.split()[1].decode()
            if not self._is_allowed(head):
                client.sendall(b"HTTP/1.1 407 Who are you\r\nproxy-authenticate: Basic realm=x\r\n\r\n")
                return
            self.asked_for.append(target)
            with socket.create_connection(
                (self._leads_to, int(target.rpartition(":")[2])), timeout=_PATIENCE
            ) as server:
                self._open.append(server)
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._start(_copy, server, client)
                _copy(client, server)

    def _is_allowed(self, head: bytes) -> bool:
        if self.wants is None:
            return True
        given = [line.partition(b": ") for line in head.split(b"\r\n")]
        expected = b"Basic " + base64.b64encode(":".join(self.wants).encode())
        return [value for name, _, value in given if name.lower() == b"proxy-authorization"] == [expected]


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while content := source.recv(65536):
            sink.sendall(content)
        sink.shutdown(socket.SHUT_WR)
