"""Which requests are refused for their version, framing or size, before the homepage sees them."""

import pytest

from lancert.box.connection import objection

_CHUNKED, _LENGTH, _HOST = (b"transfer-encoding", b"chunked"), (b"content-length", b"3"), (b"host", b"x")


@pytest.mark.parametrize(
    ("method", "target", "headers", "version", "status"),
    [
        ("GET", b"/", [_HOST], "1.1", None),
        ("GET", b"/", [], "1.0", None),
        ("POST", b"/", [_HOST, _LENGTH], "1.1", None),
        ("POST", b"/", [_HOST, _CHUNKED], "1.1", None),
        ("POST", b"/", [_HOST, _CHUNKED, _LENGTH], "1.1", 400),
        ("POST", b"/", [_HOST, _CHUNKED], "1.0", 400),
        ("GET", b"/", [_HOST, _CHUNKED], "1.1", 400),
        ("HEAD", b"/", [_HOST, _CHUNKED], "1.1", 400),
        ("GET", b"/", [_HOST], "2.0", 400),
        ("GET", b"/", [_HOST], "0.9", 400),
        ("GET", b"/" + b"a" * 4_095, [_HOST], "1.1", None),
        ("GET", b"/" + b"a" * 4_096, [_HOST], "1.1", 414),
        ("GET", b"/", [_HOST] * 64, "1.1", None),
        ("GET", b"/", [_HOST] * 65, "1.1", 431),
        ("GET", b"/", [(b"x", b"y" * 16_400)], "1.1", 431),
    ],
)
def test_a_request_that_two_programs_could_read_in_two_ways_is_refused(
    method: str, target: bytes, headers: list[tuple[bytes, bytes]], version: str, status: int | None
) -> None:
    """F-33, T-28: two lengths, chunks where none belong, other versions, and what no page needs."""
    assert objection(method, target, headers, version) == status
