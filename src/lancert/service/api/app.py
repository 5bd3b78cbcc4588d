"""The HTTPS door: the box protocol with its own handlers, everything else through Starlette, errors as documents."""

import contextlib
from collections.abc import Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from lancert.protocol.messages import ProblemAnswer
from lancert.service.api.asgi import Receive, Scope, Send, serve
from lancert.service.api.exchange import Handler, problem_of


class Api:
    """The ASGI application; ``routes`` are handled here, all other paths by ``pages``."""

    def __init__(self, routes: Mapping[str, Handler], pages: Starlette) -> None:
        self.routes = dict(routes)
        self._pages = with_problems(pages)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        handler = self.routes.get(scope["path"])
        if handler is not None:
            await serve(handler, scope, receive, send)
        else:
            # Starlette has answered and raises for the server's log, which has its entry already.
            with contextlib.suppress(Exception):
                await self._pages(scope, receive, send)


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
