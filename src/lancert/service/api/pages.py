"""What anybody may read: what this is, whether it works, the public root, the list of revoked certificates.

The same pages are on the plain HTTP port, where verifiers look for a revocation list (RFC 5280, 8); the box protocol
is not.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from lancert import __version__

PEM: Final = "application/x-pem-file"
CRL: Final = "application/pkix-crl"

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>lancert certificate service</title>
<h1>lancert certificate service</h1>
<p>This server gives IoT systems on private networks their HTTPS certificates.
It is spoken to by IoT systems, not by people.</p>
<ul>
<li><a href="/openapi.json">What programs can ask it</a></li>
<li><a href="/root.pem">The root certificate</a>, to be trusted by those who use these IoT systems.</li>
</ul>
</html>
"""
_SAFE: Final = {
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


def make_pages(*, root_pem: str, crl: Callable[[], bytes], crl_path: str, openapi: Mapping[str, Any]) -> Starlette:
    """Put the pages together; ``crl`` gives the list in DER."""

    async def index(request: Request) -> Response:
        return HTMLResponse(_PAGE, headers=_SAFE)

    async def health(request: Request) -> Response:
        return JSONResponse({"status": "ok", "version": __version__}, headers={"cache-control": "no-store"})

    async def root(request: Request) -> Response:
        disposition = 'attachment; filename="lancert-root.pem"'
        return Response(root_pem, media_type=PEM, headers={**_SAFE, "content-disposition": disposition})

    async def revoked(request: Request) -> Response:
        return Response(crl(), media_type=CRL, headers={**_SAFE, "cache-control": "max-age=3600"})

    async def description(request: Request) -> Response:
        return JSONResponse(openapi, headers=_SAFE)

    return Starlette(
        routes=[
            Route("/", index, methods=["GET"]),
            Route("/healthz", health, methods=["GET"]),
            Route("/root.pem", root, methods=["GET"]),
            Route(crl_path, revoked, methods=["GET"]),
            Route("/openapi.json", description, methods=["GET"]),
        ]
    )
