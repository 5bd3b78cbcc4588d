"""A relay that carries bytes to a server and cuts the connection after as many of the answer's as it is told."""

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_PATIENCE = 30.0


class Relay:
    """Leads to a port of loopback; ``cut_after`` is how many bytes of the server's get through, None for all.

    It counts over all connections since it was set, and ``passed`` says how many have come through since then.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._cut_after: int | None = None
        self.passed = 0
        self._door = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._door.getsockname()[1]
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def cut_after(self, count: int | None) -> None:
        """Let this many more bytes of the server's through."""
        with self._lock:
            self._cut_after, self.passed = count, 0

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._door.shutdown(socket.SHUT_RDWR)
        self._door.close()
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
                client, _from = self._door.accept()
                server = socket.create_connection(("127.0.0.1", self._target), timeout=_PATIENCE)
                client.settimeout(_PATIENCE)
                self._start(self._carry, client, server, False)
                self._start(self._carry, server, client, True)

    def _carry(self, source: socket.socket, sink: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while content := source.recv(16_384):
                let_through = self._let_through(len(content)) if is_answer else len(content)
                sink.sendall(content[:let_through])
                if let_through < len(content):
                    break
        for one in (source, sink):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        if is_answer:
            source.close()
            sink.close()

    def _let_through(self, length: int) -> int:
        with self._lock:
            allowed = length if self._cut_after is None else min(length, max(0, self._cut_after - self.passed))
            self.passed += allowed
            return allowed
