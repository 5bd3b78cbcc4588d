"""Reading the body of a request: bounded in size and in time, whatever the client says and does."""

import asyncio
from collections.abc import Iterable
from typing import Any

import pytest

from lancert.protocol.messages import BODY_LIMIT
from lancert.service.api.asgi import ClientGone, Receive, read_body
from lancert.service.api.problems import ApiProblem

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


def client(pieces: Iterable[bytes], *, then: str = "end") -> Receive:
    """A client that sends these pieces, and then ends, waits for ever, or leaves."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if then == "end" and messages:
        messages[-1]["more_body"] = False
    waiting = iter(messages)

    async def receive() -> dict[str, Any]:
        message = next(waiting, None)
        if message is not None:
            return message
        if then == "wait":
            await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    return receive


async def test_a_body_in_pieces_is_put_together() -> None:
    """However the network cuts it."""
    assert await read_body(client([b"{", b'"a"', b":1}"]), None) == b'{"a":1}'
    assert await read_body(client([b"x" * BODY_LIMIT]), str(BODY_LIMIT)) == b"x" * BODY_LIMIT


@pytest.mark.parametrize(
    ("pieces", "declared"),
    [
        ([b"x" * (BODY_LIMIT + 1)], None),
        ([b"x" * 1000] * 1000, None),
        ([b"x" * (BODY_LIMIT + 1)], "2"),
        ([b"x"], str(BODY_LIMIT + 1)),
        ([b"x"], "9" * 30),
    ],
)
async def test_a_body_over_the_limit_is_not_read_to_its_end(pieces: list[bytes], declared: str | None) -> None:
    """What is declared may be a lie; what comes is counted (S-53)."""
    with pytest.raises(ApiProblem) as refused:
        await read_body(client(pieces), declared)

    assert refused.value.kind.status == 413
    assert (b"connection", b"close") in refused.value.headers


async def test_a_client_that_sends_nothing_more_is_let_go() -> None:
    """A connection that is opened and forgotten costs nothing for ever."""
    with pytest.raises(ApiProblem) as refused:
        await read_body(client([b"{"], then="wait"), None, seconds=0.01)

    assert refused.value.kind.status == 408


async def test_a_client_that_leaves_gets_no_answer() -> None:
    """Half a request is no request."""
    with pytest.raises(ClientGone):
        await read_body(client([b"{"], then="leave"), None)
