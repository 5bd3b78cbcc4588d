"""F-33: what is not HTTP, or is HTTP in two ways at once, is refused and the connection closed; nothing ends or hangs.

A table of requests with another one hidden in them, oversized ones and foreign protocols: each gets one answer of the
4xx kind at most, and the connection ends. Then random ones, over HTTP, inside TLS, and raw at the TLS port: no answer
of the 5xx kind, no error in the log, and the same process serves afterwards. The control is a server of Python's own.

    python -m faults.garbage --requests 1000000
"""

import argparse
import json
import socket
import ssl
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from faults._garbage import Garbage
from faults._process import by_http, end, free_port, resident, started
from faults._servers import Agent
from faults._table import Row, print_table

REQUESTS = 100_000
_CLIENTS = 4
_PATIENCE = 10.0  # seconds
_LENIENT = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()
http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What came back: the statuses in order, and whether the connection ended by itself."""

    statuses: tuple[int, ...]
    ended: bool

    @property
    def is_refused(self) -> bool:
        """Say whether it was refused as it should be: nothing but 4xx, once at most, and the end."""
        return self.ended and len(self.statuses) <= 1 and all(400 <= status < 500 for status in self.statuses)


def tell(port: int, request: bytes, *, context: ssl.SSLContext | None = None, waits: bool = True) -> Told:
    """Send bytes; give what came back. Who does not wait says at once that no more will come."""
    answer, ended = b"", False
    with suppress(ConnectionError, ssl.SSLError), socket.create_connection(("127.0.0.1", port), _PATIENCE) as tcp:
        stream = context.wrap_socket(tcp) if context else tcp
        with stream:
            try:
                with suppress(ConnectionError, ssl.SSLError):
                    stream.sendall(request)
                if not waits and context is None:
                    stream.shutdown(socket.SHUT_WR)
                while part := stream.recv(65_536):
                    answer += part
                ended = True
            except TimeoutError:
                pass
            except OSError:
                ended = True  # a connection that is reset has ended
    return Told(statuses=tuple(_statuses(answer)), ended=ended)


def _statuses(answer: bytes) -> Iterator[int]:
    """Give the status of each answer; each starts a line of its own, since no body of ours has one like it."""
    for line in answer.split(b"\r\n"):
        _, mark, rest = line.rpartition(b"HTTP/1.1 ")
        if mark and rest[:3].isdigit():
            yield int(rest[:3])


def refused(port: int, cases: Mapping[str, bytes]) -> dict[str, Told]:
    """Tell a server every case of a table; give those it did not refuse."""
    told = {case: tell(port, request) for case, request in cases.items()}
    return {case: one for case, one in told.items() if not one.is_refused}


@dataclass(slots=True)
class Stormed:
    """What came of the random requests."""

    statuses: Counter[str] = field(default_factory=Counter)
    done: int = 0
    hung: int = 0

    @property
    def broken(self) -> int:
        """Count answers of the 5xx kind and connections that did not end."""
        return self.hung + sum(count for status, count in self.statuses.items() if status.startswith("5"))


def storm(http: int, https: int, requests: int, seed: int = 1) -> Stormed:
    """Send random requests from several threads: most over HTTP, some inside TLS, some raw at the TLS port."""
    stormed, lock = Stormed(), threading.Lock()
    over_http, over_https = Garbage(f"127.0.0.1:{http}"), Garbage(f"127.0.0.1:{https}")

    def work(number: int) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        one, count = seed * _CLIENTS + number, requests // _CLIENTS
        both = zip(over_http.random_requests(one, count), over_https.random_requests(one, count), strict=True)
        for index, (plain, secure) in enumerate(both):
            match index % 20:
                case 0:
                    told = tell(https, secure + b"\r\n\r\nGET / HTTP/9\r\n\r\n", context=context)
                case 1 | 2:
                    told = tell(https, plain, waits=False)
                case _:
                    told = tell(http, plain, waits=False)
            with lock:
                stormed.done += 1
                stormed.hung += not told.ended
                stormed.statuses.update([str(status) for status in told.statuses] or ["no answer"])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return stormed


def rows(requests: int = REQUESTS) -> list[Row]:
    """Give the table."""
    with tempfile.TemporaryDirectory() as made:
        agent = Agent(Path(made))
        try:
            found = [
                _told(name, refused(agent.http, cases), cases)
                for name, cases in Garbage(f"127.0.0.1:{agent.http}").tables.items()
            ]
            before, began, pid = resident(agent.pid), time.monotonic(), agent.pid
            stormed = storm(agent.http, agent.target.port, requests)
            seconds = time.monotonic() - began
            serves = by_http(agent.http, "/") == 200 and bool(agent.target.shown())
            errors = errors_in(agent.folder.log_file)
            grown = resident(pid) - before
        finally:
            agent.stop()
    counted = ", ".join(f"{status}: {count}" for status, count in stormed.statuses.most_common(9))
    return [
        *found,
        Row(
            case="random requests: no 5xx, and each connection ends",
            states=stormed.done,
            broken=stormed.broken,
            at_least=requests // _CLIENTS * _CLIENTS,
            found=f"{counted}; {stormed.done / seconds:.0f} a second",
        ),
        Row(
            case="the same process serves afterwards, no error in its log",
            states=1,
            broken=int(not serves or bool(errors)),
            found=f"memory grew by {grown:.1f} MiB; {len(errors)} errors {errors[:1] or ''}",
        ),
        _control(),
    ]


def errors_in(log: Path) -> list[str]:
    """Give the events of a box's log that are errors."""
    events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    return [event["event"] for event in events if event["level"] in ("error", "critical")]


def _told(case: str, not_refused: Mapping[str, Told], cases: Mapping[str, bytes], *, is_control: bool = False) -> Row:
    found = "; ".join(f"{name}: {told.statuses}" for name, told in list(not_refused.items())[:3])
    return Row(case=case, states=len(cases), broken=len(not_refused), is_control=is_control, found=found)


def _control() -> Row:
    port = free_port()
    process = started([sys.executable, "-c", _LENIENT, str(port)], lambda: by_http(port, "/") == 200)
    try:
        smuggled = Garbage(f"127.0.0.1:{port}").smuggled()
        one = {name: smuggled[name] for name in ("both lengths, the number ends first", "chunked twice")}
        return _told("control: a server that reads one of two lengths", refused(port, one), one, is_control=True)
    finally:
        end(process)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table for another number."""
    parser = argparse.ArgumentParser(description="requests that are none")
    parser.add_argument("--requests", type=int, default=REQUESTS)
    found = rows(parser.parse_args(arguments).requests)
    print_table(found)
    return int(not all(row.is_kept for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
