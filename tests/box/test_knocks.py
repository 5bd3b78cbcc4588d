"""What the HTTPS door saw of a visitor, by real handshakes, so that the homepage can tell what a browser hides."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.box.conftest import Authority
from tests.box.given import ENROLMENT, LABEL, NAMES
from tests.peers.authority import make_server, pem, server_file

from lancert.box import tls
from lancert.box.knocks import Knock, Knocks
from lancert.box.listener import Listener, open_sockets, ports_of
from lancert.protocol.names import stable_name

NAME = stable_name(LABEL, ENROLMENT.zone)
HERE = "127.0.0.1"
Visit = Callable[[int, ssl.SSLContext], Awaitable[None]]


async def _homepage(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _come_in(port: int, trusting: ssl.SSLContext) -> None:
    _reader, writer = await asyncio.open_connection(HERE, port, ssl=trusting, server_hostname=NAME)
    writer.close()


def _is_refused(port: int, context: ssl.SSLContext, name: str) -> bool:
    with socket.create_connection((HERE, port), timeout=10) as plain:
        try:
            context.wrap_socket(plain, server_hostname=name).close()
        except ssl.SSLCertVerificationError:
            return True
    return False


async def _turn_the_certificate_down(port: int, _trusting: ssl.SSLContext) -> None:
    assert await asyncio.to_thread(_is_refused, port, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), NAME)


async def _expect_another_name(port: int, trusting: ssl.SSLContext) -> None:
    assert await asyncio.to_thread(_is_refused, port, trusting, "elsewhere.example")


async def _go_away(port: int, _trusting: ssl.SSLContext) -> None:
    _reader, writer = await asyncio.open_connection(HERE, port)
    writer.close()


async def _say_half_a_word(port: int, _trusting: ssl.SSLContext) -> None:
    _reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(b"\x16\x03\x01\x02")
    writer.close()


async def _speak_something_else(port: int, _trusting: ssl.SSLContext) -> None:
    reader, writer = await asyncio.open_connection(HERE, port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    await reader.read()
    writer.close()


async def _stay_away(_port: int, _trusting: ssl.SSLContext) -> None:
    """Do nothing."""


async def _last_knock(knocks: Knocks, awaited: Knock) -> Knock:
    """Give what was noted in the end; the door hears of it after the visitor."""
    for _ in range(1000):
        if knocks.last_of(HERE)[0] is awaited:
            break
        await asyncio.sleep(0.005)
    return knocks.last_of(HERE)[0]


@pytest.mark.parametrize(
    ("visit", "knock"),
    [
        (_come_in, Knock.NONE),
        (_stay_away, Knock.NONE),
        (_turn_the_certificate_down, Knock.REFUSED),
        (_expect_another_name, Knock.REFUSED),
        (_go_away, Knock.CUT),
        (_say_half_a_word, Knock.CUT),
        (_speak_something_else, Knock.CUT),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_the_door_tells_a_refused_certificate_from_a_cut_connection(
    authority: Authority, tmp_path: Path, visit: Visit, knock: Knock, version: ssl.TLSVersion
) -> None:
    """The visitor's program says why it left (RFC 8446, 6.2); who never finished was cut off on the way."""
    server = make_server(authority.issuing, NAMES)
    context = tls.server_context(server_file(tmp_path / "box.pem", server, authority.issuing.certificate))
    context.maximum_version = version
    trusting = ssl.create_default_context(cadata=pem(authority.root.certificate).decode())

    async def story() -> Knock:
        knocks = Knocks()
        listener = Listener(_homepage, context, knocks=knocks)
        http, https = open_sockets([HERE], 0), open_sockets([HERE], 0)
        await listener.start(http, https)
        try:
            await visit(ports_of(http, https).https, trusting)
            return await _last_knock(knocks, knock)
        finally:
            await listener.stop()

    assert asyncio.run(story()) is knock


def test_a_success_wipes_out_what_was_before() -> None:
    """Who got in has nothing to be explained."""
    knocks = Knocks()
    knocks.failed(HERE, OSError())
    knocks.came(HERE)
    knocks.got_in(HERE)

    assert knocks.last_of(HERE) == (Knock.NONE, 0.0)


def test_it_is_told_how_long_ago_and_forgotten_after_half_a_minute() -> None:
    """An old failure explains nothing about a try of now."""
    now = [100.0]
    knocks = Knocks(lambda: now[0])
    knocks.failed(HERE, OSError())
    now[0] += 29.0
    assert knocks.last_of(HERE) == (Knock.CUT, 29.0)
    now[0] += 2.0
    assert knocks.last_of(HERE) == (Knock.NONE, 0.0)


def test_a_crowd_takes_no_more_than_its_room() -> None:
    """Each visitor is told about the own address alone, and a flood of addresses takes no memory (T-28)."""
    knocks = Knocks()
    for number in range(1000):
        knocks.failed(f"10.0.{number // 256}.{number % 256}", OSError())

    seen = [knocks.last_of(f"10.0.{number // 256}.{number % 256}")[0] for number in range(1000)]
    remembered = [number for number, knock in enumerate(seen) if knock is not Knock.NONE]
    assert remembered == list(range(936, 1000))
    assert knocks.last_of(HERE)[0] is Knock.NONE
