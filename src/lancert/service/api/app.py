"""The HTTPS door: the box protocol on plain ASGI, everything else through Starlette, every error a problem document."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lancert.kit.logs import Log
from lancert.protocol.messages import ProblemAnswer
from lancert.service.api.asgi import ClientGone, Receive, Scope, Send, send_problem
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

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]

_UNAVAILABLE_SECONDS = 30
_log = Log("service.api")


class Api:
    """The ASGI application; ``routes`` are handled here, all other paths by ``pages``."""

    def __init__(self, routes: Mapping[str, Handler], pages: Starlette) -> None:
        self._routes = dict(routes)
        self._pages = with_problems(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        handler = self._routes.get(scope["path"])
        if handler is None:
            # Starlette has answered and raises for the server's log, which has its entry already.
            with contextlib.suppress(Exception):
                await self._pages(scope, receive, send)
            return
        try:
            await handler(scope, receive, send)
        except ClientGone:
            return
        except Exception as error:
            await send_problem(send, problem_of(error))


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


def with_problems(pages: Starlette) -> Starlette:
    """Let the errors of these pages be problem documents."""

    async def answer(request: Request, error: Exception) -> Response:
        problem = problem_of(error)
        headers = {name.decode(): value.decode() for name, value in problem.headers}
        return Response(problem.body(), problem.kind.status, headers, ProblemAnswer.MEDIA_TYPE)

    pages.add_exception_handler(HTTPException, answer)
    pages.add_exception_handler(Exception, answer)
    pages.router.redirect_slashes = False
    return pages


def _unavailable() -> ApiProblem:
    return ApiProblem(
        UNAVAILABLE,
        f"Nothing was lost; ask again in {_UNAVAILABLE_SECONDS} seconds.",
        headers=(retry_after(_UNAVAILABLE_SECONDS),),
    )
