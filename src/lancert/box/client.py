"""The box's way to its server: one HTTPS request at a time, every failure with the hop and the cause it belongs to.

The name is looked up here and the connection made to the address found, so that "unknown name", "refused" and "no
answer" are told apart; ``*.localhost`` is loopback without asking anybody (RFC 6761, 6.3). When a proxy is set in the
environment (``HTTPS_PROXY``) it does the look-up. TLS is always verified, against the configured roots or those of
the operating system, and the host name; there is no way to switch that off (S-09).
"""

import asyncio
import socket
import ssl
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.request import getproxies, proxy_bypass

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box.conversation import Answered
from lancert.box.facts import Server
from lancert.kit.clock import Clock
from lancert.protocol.messages import ANSWER_LIMIT

if TYPE_CHECKING:
    import httpx2

_WHOLE_TRY = 15.0
_CONNECT = 5.0
_READ = 10.0
_NOT_YET_VALID = 9
_EXPIRED = 10


class Hop(StrEnum):
    """How far a request came."""

    LOOKUP = "lookup"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"


class Unreachable(Exception):
    """The server could not be reached: ``cause`` as in ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION, the text for the log."""

    def __init__(self, cause: str, hop: Hop, detail: str) -> None:
        super().__init__(detail)
        self.cause = cause
        self.hop = hop


class Client:
    """Talks to one server."""

    def __init__(self, server: Server, roots: Sequence[x509.Certificate], clock: Clock) -> None:
        self._server = server
        self._roots = roots
        self._clock = clock

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Send one JSON message. Raises Unreachable."""
        return await self._request("POST", path, body, {"content-type": "application/json", **headers})

    async def get(self, path: str) -> Answered:
        """Fetch a small document. Raises Unreachable."""
        return await self._request("GET", path, b"", {})

    async def _request(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        hop = _Progress()
        try:
            async with asyncio.timeout(_WHOLE_TRY):
                return await self._to_any_address(method, path, body, headers, hop)
        except TimeoutError as error:
            raise Unreachable("timeout", hop.reached, f"no answer within {_WHOLE_TRY:.0f} s") from error

    async def _to_any_address(
        self, method: str, path: str, body: bytes, headers: dict[str, str], hop: "_Progress"
    ) -> Answered:
        if _uses_proxy(self._server.host):
            return await self._over(self._server.authority, method, path, body, headers, hop)
        addresses = await look_up(self._server.host)
        failed: Unreachable | None = None
        for address in addresses:
            host = f"[{address}]" if ":" in address else address
            try:
                return await self._over(f"{host}:{self._server.port}", method, path, body, headers, hop)
            except Unreachable as error:
                if error.hop is not Hop.CONNECT:
                    raise
                failed = error
        assert failed is not None
        raise failed

    async def _over(
        self, connect_to: str, method: str, path: str, body: bytes, headers: dict[str, str], hop: "_Progress"
    ) -> Answered:
        import httpx2  # 65 ms that the first handshake need not wait for

        timeout = httpx2.Timeout(_READ, connect=_CONNECT)
        try:
            hop.reached = Hop.CONNECT
            async with (
                httpx2.AsyncClient(verify=self._tls_context(), timeout=timeout, follow_redirects=False) as client,
                client.stream(
                    method,
                    f"https://{connect_to}{path}",
                    content=body or None,
                    headers={"host": self._server.authority, "accept-encoding": "identity", **headers},
                    extensions={"sni_hostname": self._server.host, "trace": hop.trace},
                ) as response,
            ):
                hop.reached = Hop.HTTP
                return await self._read(response)
        except (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, ssl.SSLError, OSError) as error:
            raise self._understood(error, hop.reached) from error

    async def _read(self, response: "httpx2.Response") -> Answered:
        body = b""
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise Unreachable("unexpected", Hop.HTTP, "the answer is compressed, which was not asked for")
        async for part in response.aiter_raw():
            body += part
            if len(body) > ANSWER_LIMIT:
                raise Unreachable("unexpected", Hop.HTTP, f"the answer is larger than {ANSWER_LIMIT} bytes")
        return Answered(
            status=response.status_code,
            media_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            body=body,
            retry_after=response.headers.get("retry-after"),
            server_time=_date(response.headers.get("date")),
        )

    def _tls_context(self) -> ssl.SSLContext:
        if not self._roots:
            import truststore  # only where the roots of the operating system count

            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(
            cadata="".join(root.public_bytes(serialization.Encoding.PEM).decode() for root in self._roots)
        )
        return context

    def _understood(self, error: Exception, hop: Hop) -> Unreachable:
        """Find the cause among an exception and those behind it."""
        import httpx2

        chain = list(_behind(error))
        for one in chain:
            if isinstance(one, ssl.SSLCertVerificationError):
                return Unreachable(self._distrust(one), Hop.TLS, str(one))
        for one in chain:
            if isinstance(one, ConnectionRefusedError):
                return Unreachable("refused", Hop.CONNECT, str(one))
            if isinstance(one, httpx2.TimeoutException | TimeoutError):
                return Unreachable("timeout", hop, f"no answer in time: {one!r}")
            if isinstance(one, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError | httpx2.RemoteProtocolError):
                return Unreachable("broken-off", hop, str(one))
            if isinstance(one, ssl.SSLError):
                return Unreachable("untrusted", Hop.TLS, str(one))
        for one in chain:
            if isinstance(one, OSError) and not isinstance(one, ssl.SSLError) and one.errno is not None:
                return Unreachable("no-route", Hop.CONNECT, str(one))
        if isinstance(error, httpx2.ReadError | httpx2.WriteError):
            return Unreachable("broken-off", hop, repr(error))
        return Unreachable("no-route" if hop is Hop.CONNECT else "broken-off", hop, repr(error))

    def _distrust(self, error: ssl.SSLCertVerificationError) -> str:
        """Tell a wrong clock from a wrong server.

        "Not yet valid" means that the clock is behind. "Expired" means a wrong clock only if the root, made for
        many years, seems to have expired or not to exist yet.
        """
        now = self._clock.now()
        root_is_valid = all(root.not_valid_before_utc <= now <= root.not_valid_after_utc for root in self._roots)
        if error.verify_code == _NOT_YET_VALID or (error.verify_code == _EXPIRED and not root_is_valid):
            return "clock"
        return "untrusted"


class _Progress:
    """Remembers how far a request came, told by the HTTP library's trace events."""

    def __init__(self) -> None:
        self.reached = Hop.LOOKUP

    async def trace(self, event: str, _info: object) -> None:
        if event == "connection.connect_tcp.complete":
            self.reached = Hop.TLS
        elif event == "connection.start_tls.complete":
            self.reached = Hop.HTTP


async def look_up(host: str) -> list[str]:
    """Give the addresses of a host, version 4 and 6. Raises Unreachable."""
    if host == "localhost" or host.endswith(".localhost"):
        return ["127.0.0.1", "::1"]
    try:
        return [str(ip_address(host))]
    except ValueError:
        pass
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        cause = "name-server-down" if error.errno == socket.EAI_AGAIN else "name-unknown"
        raise Unreachable(cause, Hop.LOOKUP, str(error)) from error
    except UnicodeError as error:
        raise Unreachable("name-unknown", Hop.LOOKUP, str(error)) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def fetch_root(server: Server, fingerprint: str) -> x509.Certificate:
    """Fetch the root of a server by its fingerprint (SHA-256). Raises Unreachable.

    This one connection is not verified, because it fetches what verification needs. Nothing but the certificate
    with exactly this fingerprint is taken from it, and nothing secret is sent over it.
    """
    from cryptography.hazmat.primitives import hashes

    pem = await asyncio.get_running_loop().run_in_executor(None, _fetch_unverified, server, await look_up(server.host))
    try:
        offered = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Unreachable("untrusted", Hop.HTTP, "the server offers no root certificate") from error
    for root in offered:
        if root.fingerprint(hashes.SHA256()).hex() == fingerprint:
            return root
    raise Unreachable("untrusted", Hop.HTTP, "the server's root has another fingerprint")


def _fetch_unverified(server: Server, addresses: list[str]) -> bytes:
    import http.client

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    request = f"GET /root.pem HTTP/1.1\r\nHost: {server.authority}\r\nConnection: close\r\n\r\n".encode()
    failed: Exception | None = None
    for address in addresses:
        try:
            with (
                socket.create_connection((address, server.port), timeout=_CONNECT) as tcp,
                context.wrap_socket(tcp, server_hostname=server.host) as tls,
            ):
                tls.sendall(request)
                response = http.client.HTTPResponse(tls)
                response.begin()
                if response.status != 200:
                    raise Unreachable("untrusted", Hop.HTTP, f"status {response.status} for the root certificate")
                return response.read(ANSWER_LIMIT)
        except ConnectionRefusedError as error:
            failed = Unreachable("refused", Hop.CONNECT, str(error))
        except TimeoutError as error:
            failed = Unreachable("timeout", Hop.CONNECT, str(error))
        except (OSError, http.client.HTTPException) as error:
            failed = Unreachable("broken-off", Hop.TLS, str(error))
    assert failed is not None
    raise failed


def system_roots() -> list[x509.Certificate]:
    """Give the roots of the operating system, for a server whose certificates are publicly trusted."""
    return [x509.load_der_x509_certificate(der) for der in ssl.create_default_context().get_ca_certs(binary_form=True)]


def _uses_proxy(host: str) -> bool:
    proxies = getproxies()
    return bool(proxies.get("https") or proxies.get("all")) and not proxy_bypass(host)


def _date(header: str | None) -> datetime | None:
    try:
        moment = parsedate_to_datetime(header) if header else None
    except (ValueError, TypeError):
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def _behind(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                yield from _behind(one)
        error = error.__cause__ or error.__context__
