"""The address of a server, as people type it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lancert.box.client import Unreachable, look_up
from lancert.box.facts import NotAServer, parse_server


@pytest.mark.parametrize(
    ("text", "url", "host", "port", "authority"),
    [
        ("https://a.example", "https://a.example", "a.example", 443, "a.example"),
        ("a.example", "https://a.example", "a.example", 443, "a.example"),
        (" https://A.Example/ ", "https://a.example", "a.example", 443, "a.example"),
        ("https://a.example:443/", "https://a.example", "a.example", 443, "a.example"),
        ("https://a.example:8443", "https://a.example:8443", "a.example", 8443, "a.example:8443"),
        ("a.example:8443", "https://a.example:8443", "a.example", 8443, "a.example:8443"),
        ("192.168.1.2:8443", "https://192.168.1.2:8443", "192.168.1.2", 8443, "192.168.1.2:8443"),
        ("https://[FD12::1]:8443", "https://[fd12::1]:8443", "fd12::1", 8443, "[fd12::1]:8443"),
        ("https://[fd12::1]", "https://[fd12::1]", "fd12::1", 443, "[fd12::1]"),
    ],
)
def test_a_server_is_read_as_people_type_it(text: str, url: str, host: str, port: int, authority: str) -> None:
    """With or without scheme, final slash and port; the usual port is not written."""
    server = parse_server(text)

    assert (server.url, server.host, server.port, server.authority) == (url, host, port, authority)
    assert parse_server(server.url) == server


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "https://",
        "https:///",
        "ftp://a.example",
        "https://a.example/path",
        "https://a.example?x=1",
        "https://a.example#x",
        "https://user@a.example",
        "https://user:pw@a.example",
        "https://:pw@a.example",
        "a b",
        "https://a.example:port",
        "https://a.example:99999",
        "https://a.example:0",
        "https://a.example:-1",
        "ä.example",
        "https://[fe80::1%25eth0]",
        "https://[fd12::1",
        "https://<b>",
        "https://a\x00b",
        "https://a\x7fb",
        "https://a;b",
        "https://" + "a" * 254,
        "javascript:alert(1)",
        "https://a_b.example",
        "https://a,b",
        "https://a!b",
        "https://*",
    ],
)
def test_what_is_no_server_is_refused_with_how_one_is_written(text: str) -> None:
    """S-19: the person who typed it reads the right form; no path, no password, no strange sign."""
    with pytest.raises(NotAServer, match="https://host"):
        parse_server(text)


def test_plain_http_is_answered_with_the_reason() -> None:
    """S-09: there is no way to talk to a server without TLS."""
    with pytest.raises(NotAServer, match="HTTPS only"):
        parse_server("http://a.example")


@given(st.text(max_size=40) | st.text("https:/a.b-1[]@%:\0", max_size=30))
def test_every_server_that_is_read_can_be_looked_up_or_is_unknown(text: str) -> None:
    """What is accepted reads as itself, and breaks nothing on the way out."""
    try:
        server = parse_server(text)
    except NotAServer:
        return
    assert parse_server(server.url) == server
    assert 1 <= server.port <= 65535
    assert server.host
    if server.host.endswith("localhost") or not server.host.isascii():
        asyncio.run(look_up(server.host))


@pytest.mark.parametrize("host", ["a..example", "." + "a", "a" * 64 + ".example"])
def test_a_name_that_cannot_exist_is_unknown(host: str) -> None:
    """M15: labels that are empty or too long are a typing mistake, not an unexpected failure."""
    with pytest.raises(Unreachable) as failed:
        asyncio.run(look_up(host))

    assert failed.value.cause == "name-unknown"
