"""A name server with a control panel: each question is given to a function, which says what is sent back."""

import socket
import struct
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

Answering = Callable[[bytes], list[bytes]]
"""Gives the packets to send for a question, in order."""


class NameServerPeer:
    """Answers over UDP and TCP on the same port of loopback, each in a thread, until the block is left."""

    def __init__(self, over_udp: Answering, over_tcp: Answering | None = None) -> None:
        self.over_udp, self.over_tcp = over_udp, over_tcp or over_udp
        self.asked: list[bytes] = []
        self._udp, self._tcp = _same_port()
        self.port = int(self._udp.getsockname()[1])
        self._threads = [threading.Thread(target=serve) for serve in (self._serve_udp, self._serve_tcp)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A datagram of nothing, and a connection that says nothing, end the two threads.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", ("127.0.0.1", self.port))
        socket.create_connection(("127.0.0.1", self.port)).close()
        for thread in self._threads:
            thread.join(10)
        self._udp.close()
        self._tcp.close()

    def _serve_udp(self) -> None:
        while True:
            question, source = self._udp.recvfrom(4096)
            if not question:
                return
            self.asked.append(question)
            for packet in self.over_udp(question):
                self._udp.sendto(packet, source)

    def _serve_tcp(self) -> None:
        while True:
            connection, _ = self._tcp.accept()
            with connection:
                connection.settimeout(10)
                length = connection.recv(2, socket.MSG_WAITALL)
                if not length:
                    return
                question = connection.recv(struct.unpack(">H", length)[0], socket.MSG_WAITALL)
                self.asked.append(question)
                for packet in self.over_tcp(question):
                    connection.sendall(struct.pack(">H", len(packet)) + packet)


def _same_port() -> tuple[socket.socket, socket.socket]:
    while True:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.bind(("127.0.0.1", 0))
        try:
            return udp, socket.create_server(("127.0.0.1", udp.getsockname()[1]))
        except OSError:
            udp.close()
