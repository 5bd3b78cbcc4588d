"""The general path of HTTP: a request of the box protocol read from ASGI messages, its answer sent as such."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from lancert.protocol.messages import BODY_LIMIT
from lancert.service.api.exchange import CLOSE, Answer, Asking, Handler, answer_of, problem_answer
from lancert.service.api.problems import MALFORMED, TOO_LARGE, TOO_SLOW, ApiProblem

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BODY_SECONDS: Final = 20
"""How long a request may take to arrive."""


class ClientGone(Exception):
    """The client left before its request was complete."""


async def serve(handler: Handler, scope: Scope, receive: Receive, send: Send) -> None:
    """Have one request handled, or refused before that because of its size or its pace."""
    headers = read_headers(scope)
    try:
        body = await read_body(receive, headers.get("content-length"))
    except ClientGone:
        return
    except ApiProblem as problem:
        await send_answer(send, problem_answer(problem))
        return
    source = scope["client"][0] if scope.get("client") else ""
    asking = Asking(scope["method"], scope["path"], scope["query_string"], headers, body, source)
    await send_answer(send, await answer_of(handler, asking))


def read_headers(scope: Scope) -> Mapping[str, str]:
    """Give the headers by name; one that is there twice is one list (RFC 9110, 5.3)."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
    headers: dict[str, str] = {}
    for key, text in pairs:
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


async def read_body(receive: Receive, declared: str | None, *, seconds: float = BODY_SECONDS) -> bytes:
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
        raise too_slow(seconds) from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    if len(body) > BODY_LIMIT:
        raise too_large()
    return body


def too_large() -> ApiProblem:
    """Give the answer to a body over the limit; the rest of it is not read, so the connection ends."""
    return ApiProblem(TOO_LARGE, f"A request has at most {BODY_LIMIT} bytes.", headers=(CLOSE,))


def too_slow(seconds: float = BODY_SECONDS) -> ApiProblem:
    """Give the answer to a request that does not come to its end."""
    detail = f"The rest of the request did not come within {seconds:g} seconds."
    return ApiProblem(TOO_SLOW, detail, headers=(CLOSE,))


async def send_answer(send: Send, answer: Answer) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.all_headers()})
    await send({"type": "http.response.body", "body": answer.body})
