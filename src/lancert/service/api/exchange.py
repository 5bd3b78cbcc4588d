"""A request to the box protocol and the answer to it, whichever path of HTTP they came on."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException

from lancert.kit.logs import Log
from lancert.service.api.problems import (
    INTERNAL,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAVAILABLE,
    ApiProblem,
    retry_after,
)
from lancert.service.issuance import NotSignable
from lancert.service.store.engine import StoreUnavailable

Headers = Sequence[tuple[bytes, bytes]]

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"
CLOSE: Final = (b"connection", b"close")
_NEVER_STORED: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
)
_UNAVAILABLE_SECONDS = 30
_log = Log("service.api")


class Asking(NamedTuple):
    """A request, complete; ``headers`` have lower-case names, ``source`` is the network address it came from."""

    method: str
    path: str
    query: bytes
    headers: Mapping[str, str]
    body: bytes
    source: str


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()

    def all_headers(self) -> Headers:
        """Give every header but the date."""
        return (
            (b"content-type", self.content_type),
            (b"content-length", str(len(self.body)).encode()),
            *_NEVER_STORED,
            *self.headers,
        )


Handler = Callable[[Asking], Awaitable[Answer]]


async def answer_of(handler: Handler, asking: Asking) -> Answer:
    """Have a request handled; whatever goes wrong is an answer too."""
    try:
        return await handler(asking)
    except Exception as error:
        return problem_answer(problem_of(error))


def problem_answer(problem: ApiProblem) -> Answer:
    """Give a problem document as an answer."""
    return Answer(problem.kind.status, problem.body(), PROBLEM, problem.headers)


def problem_of(error: Exception) -> ApiProblem:
    """Give what the caller is told of an error; what the caller is not told goes to the log."""
    match error:
        case ApiProblem():
            return error
        case HTTPException(status_code=405):
            allowed = (error.headers or {}).get("Allow", "")
            detail = f"This address takes {allowed}."
            return ApiProblem(METHOD_NOT_ALLOWED, detail, headers=((b"allow", allowed.encode()),))
        case HTTPException(status_code=404):
            return ApiProblem(NOT_FOUND, "The addresses of this service are listed in /openapi.json.")
        case StoreUnavailable():
            _log.error("the database is not available", cause=str(error))
            return _unavailable()
        case NotSignable():
            return _unavailable()
        case _:
            reference = _log.exception("a request failed")
            return ApiProblem(INTERNAL, f"The log of the service has the details under {reference}.")


def _unavailable() -> ApiProblem:
    return ApiProblem(
        UNAVAILABLE,
        f"Nothing was lost; ask again in {_UNAVAILABLE_SECONDS} seconds.",
        headers=(retry_after(_UNAVAILABLE_SECONDS),),
    )
