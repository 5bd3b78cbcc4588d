"""The homepage behind the real web server: what a hostile or slow client on the network can send."""

import asyncio
import socket
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_address
from threading import Thread

import pytest
import uvicorn

from lancert.box.facts import BoxFacts, Ports
from lancert.box.homepage import exchange
from lancert.box.homepage.app import homepage_app
from lancert.box.homepage.paper import PaperAgent
from lancert.box.listener import open_sockets


@pytest.fixture
def port(agent: PaperAgent) -> Iterator[int]:
    """The homepage served on a free port of loopback."""
    sockets = open_sockets(["127.0.0.1"], 0)
    number = sockets[0].getsockname()[1]
    agent.paper = replace(agent.paper, ports=Ports(http=number, https=1), addresses=(ip_address("127.0.0.1"),))
    server = uvicorn.Server(
        uvicorn.Config(
            homepage_app(agent),
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            server_header=False,
            proxy_headers=False,
        )
    )
    thread = Thread(target=lambda: asyncio.run(server.serve(sockets)), daemon=True)
    thread.start()
    yield number
    server.should_exit = True
    thread.join(10)
    assert not thread.is_alive()


def say(port: int, request: str | bytes) -> bytes:
    """Send bytes and read until the other side closes."""
    raw = request if isinstance(request, bytes) else request.replace("\n", "\r\n").encode()
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(raw)
        parts = []
        try:
            while part := connection.recv(65_536):
                parts.append(part)
        except ConnectionResetError:
            pass
    return b"".join(parts)


def test_the_page_is_served(port: int) -> None:
    """The whole way: a socket, the web server, the page."""
    answer = say(port, f"GET / HTTP/1.1\nHost: 127.0.0.1:{port}\nConnection: close\n\n")

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\nserver:" not in answer.lower()
    assert b"HTTPS does not work" in answer


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("GET / HTTP/1.1\nHost: evil.example\n\n", b"421"),
        ("GET / HTTP/1.1\nHost: evil.example\nUpgrade: websocket\nConnection: Upgrade\n\n", b"421"),
        ("GET http://127.0.0.1:PORT/ HTTP/1.1\nHost: evil.example\n\n", b"421"),
        ("GET / HTTP/1.1\nHost: 127.0.0.1:PORT\nHost: evil.example\n\n", b"400"),
        ("GET / HTTP/1.1\n\n", b"400"),
        ("GET / HTTP/1.0\n\n", b"400"),
        ("OPTIONS * HTTP/1.1\nHost: evil.example\n\n", b"421"),
    ],
)
def test_a_wrong_host_is_turned_away(port: int, agent: PaperAgent, request_text: str, status: bytes) -> None:
    """Nothing is told and nothing is scheduled, in every form a request can have (F-61)."""
    answer = say(port, request_text.replace("PORT", str(port)))

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"Shop counter" not in answer
    assert agent.opened == 0


def test_a_chunked_body_is_measured_as_it_comes(port: int, agent: PaperAgent) -> None:
    """Without an announced length the limit holds all the same (T-28)."""
    before = agent.paper
    head = (
        f"POST /cogs/log-level HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nOrigin: http://127.0.0.1:{port}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n\r\n"
    ).encode()
    chunk = b"400\r\n" + b"a" * 1024 + b"\r\n"

    assert say(port, head + chunk * 9).startswith(b"HTTP/1.1 413 ")
    assert agent.paper == before


def test_a_body_that_never_comes_is_given_up(states: dict[str, BoxFacts], agent: PaperAgent) -> None:
    """A client that holds its body back holds nothing else up (T-28)."""

    async def wait_for_a_body() -> None:
        never = asyncio.Event()

        async def receive() -> dict[str, object]:
            await never.wait()
            return {}

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "scheme": "http"}
        await exchange.read_body(exchange.read_request(scope, receive), seconds=0.01)

    with pytest.raises(exchange.NotAcceptable) as turned_away:
        asyncio.run(wait_for_a_body())
    assert turned_away.value.status == 408


def test_a_visitor_who_hangs_up_leaves_no_trace(agent: PaperAgent, homepage: exchange.AsgiApp) -> None:
    """Half a form changes nothing and is no failure."""
    said = []

    async def receive() -> dict[str, object]:
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        said.append(message)

    before = agent.paper
    headers = [
        (b"host", b"192.168.1.5:8069"),
        (b"origin", b"http://192.168.1.5:8069"),
        (b"content-type", b"application/x-www-form-urlencoded"),
    ]
    scope = {"type": "http", "method": "POST", "path": "/cogs/log", "headers": headers, "scheme": "http"}
    asyncio.run(homepage(scope, receive, send))  # type: ignore[arg-type]

    assert (said, agent.paper) == ([], before)
