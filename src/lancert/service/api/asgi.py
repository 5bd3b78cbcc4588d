"""The little of HTTP the hot path needs, on plain ASGI: read a bounded body, send an answer.

Frameworks cost more here than all the rules together: this is the path every box of a fleet takes at once.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Final

from lancert.protocol.messages import BODY_LIMIT
from lancert.service.api.problems import MALFORMED, TOO_LARGE, TOO_SLOW, ApiProblem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
_BODY_SECONDS: Final = 20
_CLOSE: Final = (b"connection", b"close")
_NEVER_STORED: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)


class ClientGone(Exception):
    """The client left before its request was complete."""


async def read_body(receive: Receive, declared: str | None, *, seconds: float = _BODY_SECONDS) -> bytes:
    """Read a body of at most BODY_LIMIT bytes, whatever was declared, within a time. Raises ApiProblem, ClientGone."""
    if declared is not None and (not declared.isascii() or not declared.isdigit()):
        raise ApiProblem(MALFORMED, "The header Content-Length is not a number.")
    if declared is not None and int(declared[:10]) > BODY_LIMIT:
        raise too_large()
    try:
        async with asyncio.timeout(seconds):
            message = await receive()
            body: bytes = message.get("body", b"")
            while message.get("more_body", False):
                if len(body) > BODY_LIMIT:
                    raise too_large()
                message = await receive()
                body += message.get("body", b"")
    except TimeoutError:
        detail = f"The rest of the request did not come within {seconds:g} seconds."
        raise ApiProblem(TOO_SLOW, detail, headers=(_CLOSE,)) from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    if len(body) > BODY_LIMIT:
        raise too_large()
    return body


def too_large() -> ApiProblem:
    """Give the answer to a body over the limit; the rest of it is not read, so the connection ends."""
    return ApiProblem(TOO_LARGE, f"A request has at most {BODY_LIMIT} bytes.", headers=(_CLOSE,))


async def send_answer(
    send: Send, status: int, body: bytes, *, content_type: bytes = JSON, headers: Headers = ()
) -> None:
    """Send a whole answer."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [
                (b"content-type", content_type),
                (b"content-length", str(len(body)).encode()),
                *_NEVER_STORED,
                *headers,
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


async def send_problem(send: Send, problem: ApiProblem) -> None:
    """Send a problem document."""
    await send_answer(send, problem.kind.status, problem.body(), content_type=PROBLEM, headers=problem.headers)
