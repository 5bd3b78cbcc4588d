"""The two paths of HTTP give one answer: the strict one for what boxes send, uvicorn's for everything else (F-33)."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from lancert.protocol.messages import BODY_LIMIT
from lancert.service.api.app import Api
from lancert.service.api.exchange import Answer, Asking
from lancert.service.api.problems import MALFORMED, ApiProblem
from lancert.service.api.strict import NotOrdinary, StrictDoor, read_request
from lancert.service.serving import listen, port_of, serving

PATH = "/api/v1/certificates"
SECONDS = 20.0


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


async def told(asking: Asking) -> Answer:
    """Answer with what was understood of the request."""
    if asking.body == b"bad":
        raise ApiProblem(MALFORMED, "It is bad.")
    if asking.body == b"broken":
        raise ZeroDivisionError
    understood = [asking.method, asking.path, asking.query.decode(), sorted(asking.headers.items()), asking.source]
    return Answer(200, json.dumps([*understood, asking.body.decode("latin-1")]).encode())


def api() -> Api:
    """An API with one address, and no pages."""
    return Api({PATH: told}, Starlette())


@contextlib.asynccontextmanager
async def strict() -> AsyncIterator[int]:
    """The door of the service, with both paths; gives its port."""
    with listen("127.0.0.1", 0, "https_port") as listening:
        async with serving(api(), listening, None):
            yield port_of(listening)


@contextlib.asynccontextmanager
async def general() -> AsyncIterator[int]:
    """The same application behind uvicorn alone; gives its port."""
    with listen("127.0.0.1", 0, "https_port") as listening:
        config = uvicorn.Config(api(), loop="none", http="httptools", ws="none", lifespan="off", log_config=None)
        config.server_header = False
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[method-assign,assignment]
        task = asyncio.create_task(server.serve(sockets=[listening]))
        yield port_of(listening)
        server.should_exit = True
        await task


class Connection:
    """A client that says exactly these bytes."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, *pieces: bytes) -> None:
        """Send each piece as a packet of its own."""
        self.writer.transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            self.writer.write(piece)

    async def answer(self) -> tuple[str, dict[str, str], bytes]:
        """Read one answer: status line, headers without the date, body; an interim one is not it (RFC 9110, 15.2)."""
        async with asyncio.timeout(SECONDS):
            head = await self.reader.readuntil(b"\r\n\r\n")
            while head.startswith(b"HTTP/1.1 100 "):
                head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode().strip().split("\r\n")
            headers = {name.lower(): value for name, _, value in [line.partition(": ") for line in lines]}
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        assert headers.pop("date")
        return first, headers, body

    async def is_ended(self) -> bool:
        """Say that the server closed the connection and said nothing more; fails by time when it does not."""
        async with asyncio.timeout(SECONDS):
            return await self.reader.read() == b""


@contextlib.asynccontextmanager
async def connected(port: int) -> AsyncIterator[Connection]:
    """Connect, and leave at the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


def request(
    body: bytes = b"{}", *, headers: Sequence[tuple[str, str]] = (), first: str = f"POST {PATH} HTTP/1.1"
) -> bytes:
    """A request as a box writes it, with more headers."""
    lines = [("host", "a.example"), ("content-length", str(len(body))), *headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"{first}\r\n{head}\r\n".encode("latin-1") + body


@pytest.fixture(scope="module")
def doors() -> Iterator[tuple[asyncio.Runner, int, int]]:
    """A loop in which both doors are open, and their ports."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        try:
            ports = [runner.run(stack.enter_async_context(door())) for door in (strict, general)]
            yield runner, ports[0], ports[1]
        finally:
            runner.run(stack.aclose())


async def answered(port: int, raw: bytes) -> tuple[str, dict[str, str], bytes]:
    """Give the answer of a door to one request."""
    async with connected(port) as connection:
        connection.say(raw)
        return await connection.answer()


NAMES = st.sampled_from(["accept", "Accept", "x-a", "X-B", "te", "expect", "signature", "Content-Type", "cookie"])
VALUES = st.one_of(
    st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=20),
    st.sampled_from(["a b", "a  b", "a\tb", "a ", " a", "", "100-continue", "\u00e9"]),
)
FIRSTS = st.sampled_from(
    [f"POST {PATH} HTTP/1.1"] * 6
    + [
        f"POST {PATH}?a=1 HTTP/1.1",
        f"GET {PATH} HTTP/1.1",
        f"POST {PATH} HTTP/1.0",
        f"POST http://a.example{PATH} HTTP/1.1",
        "POST /api/v1/%63ertificates HTTP/1.1",
        "POST /elsewhere HTTP/1.1",
        f"PUT {PATH} HTTP/1.1",
    ]
)
BODIES = st.one_of(st.binary(max_size=40), st.sampled_from([b"bad", b"x" * BODY_LIMIT, b"x" * (BODY_LIMIT + 1)]))


@settings(max_examples=200, deadline=None)
@given(headers=st.lists(st.tuples(NAMES, VALUES), max_size=4), first=FIRSTS, body=BODIES)
def test_any_request_is_understood_the_same_on_both_paths(
    doors: tuple[asyncio.Runner, int, int], headers: list[tuple[str, str]], first: str, body: bytes
) -> None:
    """Whatever a client sends, it cannot tell which path it took (S-53)."""
    runner, *ports = doors
    raw = request(body, headers=headers, first=first)

    ours, uvicorns = (runner.run(answered(port, raw)) for port in ports)

    assert ours == uvicorns


def test_what_a_box_sends_takes_the_strict_path() -> None:
    """Otherwise the comparison above would compare uvicorn with itself."""
    found = read_request(request(b"{}", headers=[("Accept", "a b")]) + b"POST", {PATH: told}, "10.0.0.1")

    assert found is not None
    assert found.asking == Asking(
        "POST", PATH, b"", {"host": "a.example", "content-length": "2", "accept": "a b"}, b"{}", "10.0.0.1"
    )
    assert found.length == len(request(b"{}", headers=[("Accept", "a b")]))
    assert not found.is_last


@pytest.mark.parametrize(
    "raw",
    [
        request(first=f"GET {PATH} HTTP/1.1"),
        request(first="POST /elsewhere HTTP/1.1"),
        request(first=f"POST {PATH} HTTP/1.0"),
        request(headers=[("host", "b.example")]),
        request(headers=[("Content-Length", "3")]),
        request(headers=[("transfer-encoding", "chunked")]),
        request(headers=[("expect", "100-continue")]),
        request(headers=[("connection", "upgrade")]),
        request(headers=[("x-a", "a\nb")]),
        request(headers=[("x a", "b")]),
        request(headers=[("x-a", "b ")]),
        request(headers=[("x-a", "a" * 3000 + "\0")]),
        request(headers=[("x-a", "a" + " " * 3000)]),
        request(headers=[("x-a", "\u00e9")]),
        request(b"x" * (BODY_LIMIT + 1)),
        f"POST {PATH} HTTP/1.1\r\ncontent-length: 0\r\n\r\n".encode(),
        f"POST {PATH} HTTP/1.1\r\nhost: a\r\n\r\n".encode(),
        f"POST {PATH} HTTP/1.1\r\nhost: a\r\ncontent-length: +1\r\n\r\nx".encode(),
        b"POST /" + b"a" * 5000,
        b"\x16\x03\x01",
        b"",
    ],
)
def test_what_is_not_ordinary_is_left_to_the_general_path(raw: bytes) -> None:
    """What frames a request in another way, or is written in another way, is not guessed at (F-33)."""
    if raw:
        with pytest.raises(NotOrdinary):
            read_request(raw, {PATH: told}, "")
    else:
        assert read_request(raw, {PATH: told}, "") is None


@pytest.mark.anyio
async def test_a_request_may_come_in_pieces() -> None:
    """However the network cuts it, it is one request, on one connection after the other or the same."""
    raw = request(b'{"a": 1}')
    async with strict() as port, connected(port) as connection:
        connection.say(raw)
        whole = await connection.answer()
        for cut in range(1, len(raw), 7):
            connection.say(raw[:cut], raw[cut:])
            assert await connection.answer() == whole
        for byte in raw:
            connection.say(bytes([byte]))
        assert await connection.answer() == whole


@pytest.mark.anyio
async def test_requests_sent_together_are_answered_in_their_order() -> None:
    """A client may send the next request before it has the answer to the first (RFC 9112, 9.3.2)."""
    bodies = [f"{number}".encode() for number in range(200)]
    async with strict() as port, connected(port) as connection:
        connection.say(b"".join(request(body) for body in bodies))
        answered = [json.loads((await connection.answer())[2])[-1] for _ in bodies]

    assert answered == [body.decode() for body in bodies]


@pytest.mark.anyio
async def test_a_connection_may_change_to_the_general_path_and_stays_there() -> None:
    """A page after a request, and a request after a page."""
    async with strict() as port, connected(port) as connection:
        connection.say(request(b"1"), request(b"", first="GET /nowhere HTTP/1.1"), request(b"2"))
        statuses = [(await connection.answer())[0] for _ in range(3)]

    assert [status.split()[1] for status in statuses] == ["200", "404", "200"]


@pytest.mark.anyio
@pytest.mark.parametrize(("body", "status"), [(b"bad", 400), (b"broken", 500)])
async def test_an_error_is_a_problem_document_and_the_connection_goes_on(body: bytes, status: int) -> None:
    """What goes wrong with one request is not the end of the next."""
    async with strict() as port, connected(port) as connection:
        connection.say(request(body))
        first, headers, _ = await connection.answer()
        assert (first.split()[1], headers["content-type"]) == (str(status), "application/problem+json")
        connection.say(request(b"fine"))
        assert (await connection.answer())[0].startswith("HTTP/1.1 200")


@pytest.mark.anyio
async def test_a_client_that_ends_after_its_request_gets_its_answer_and_the_end() -> None:
    """Boxes open a connection, ask once, and say so."""
    async with strict() as port, connected(port) as connection:
        connection.say(request(headers=[("connection", "close")]))
        _, headers, _ = await connection.answer()

        assert headers["connection"] == "close"
        assert await connection.is_ended()


class Hasty(StrictDoor):
    """The same door with less patience."""

    patience = 0.05


@contextlib.asynccontextmanager
async def hasty(keep_alive: float) -> AsyncIterator[int]:
    """A door that waits a twentieth of a second for a request, and that long for the next one; gives its port."""
    config = uvicorn.Config(api(), log_config=None, limit_concurrency=100)
    config.timeout_keep_alive = keep_alive  # type: ignore[assignment]
    config.load()
    state = uvicorn.server.ServerState()
    state.default_headers = [(b"date", b"today")]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Hasty(config, state, {}, loop), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.anyio
@pytest.mark.parametrize("sent", [b"POST", request(b"{}")[:-1]])
async def test_a_request_that_does_not_come_to_its_end_is_answered_and_the_connection_ends(sent: bytes) -> None:
    """A slow client costs a connection for a bounded time (S-53)."""
    async with hasty(60) as port, connected(port) as connection:
        connection.say(sent)
        first, headers, body = await connection.answer()

        assert first.startswith("HTTP/1.1 408")
        assert headers["connection"] == "close"
        assert json.loads(body)["type"] == "urn:lancert:problem:too-slow"
        assert await connection.is_ended()


@pytest.mark.anyio
async def test_a_connection_on_which_nothing_is_said_ends() -> None:
    """Neither a client that never asks nor one that asked once holds a connection for ever."""
    async with hasty(0.05) as port, connected(port) as silent, connected(port) as served:
        served.say(request())
        await served.answer()

        assert await silent.is_ended()
        assert await served.is_ended()


@pytest.mark.anyio
async def test_a_client_that_does_not_read_its_answers_is_not_answered_on() -> None:
    """What was answered and not read is bounded, and nothing is lost once it is read (F-32)."""
    body = b"x" * 8000
    count = 2000
    async with strict() as port, connected(port) as connection:
        sending = asyncio.create_task(send_slowly(connection, request(body), count))
        for _ in range(count):
            assert (await connection.answer())[0].startswith("HTTP/1.1 200")
        await sending


async def send_slowly(connection: Connection, raw: bytes, count: int) -> None:
    """Send as fast as the server takes it: it takes no more than it answers."""
    for _ in range(count):
        connection.say(raw)
        await connection.writer.drain()
