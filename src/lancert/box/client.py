"""The box's way to its server: one HTTPS request at a time, every failure with the hop and the cause it belongs to.

Each hop is a step of its own here: look-up, TCP, TLS, HTTP. So "unknown name", "refused" and "no answer" are told
apart without guessing, and the agent stays small. ``*.localhost`` is loopback without asking anybody (RFC 6761,
6.3). When a proxy is set in the environment (``HTTPS_PROXY``) it does the look-up. TLS is always verified, against
the configured roots or those of the operating system, and the host name; there is no way to switch that off (S-09).
"""

import asyncio
import secrets
import socket
import ssl
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from lancert.box import wire
from lancert.box.conversation import Answered
from lancert.box.facts import Server
from lancert.kit.clock import Clock
from lancert.kit.settings import proxy_may_be_set

_NOT_YET_VALID = 9
_EXPIRED = 10


class Hop(StrEnum):
    """How far a request came."""

    LOOKUP = "lookup"
    CONNECT = "connect"
    TLS = "tls"
    HTTP = "http"


class Unreachable(Exception):
    """The server could not be reached: ``cause`` as in ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION, the text for the log.

    ``reference`` is what a page may show and the log holds beside the text.
    """

    def __init__(self, cause: str, hop: Hop, detail: str) -> None:
        # Some errors of the system come without a word.
        super().__init__(detail or f"{cause} at {hop}")
        self.cause = cause
        self.hop = hop
        self.reference = secrets.token_hex(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a request may take, in seconds: one TCP connection, one TLS handshake, everything together."""

    connect: float = 5.0
    handshake: float = 8.0
    whole: float = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy that connections go through, by HTTP CONNECT (RFC 9110, 9.3.6)."""

    host: str
    port: int
    authorization: str | None


class Client:
    """Talks to one server, trusted by these roots, or by those of the operating system when there are none."""

    def __init__(
        self, server: Server, roots: Sequence[x509.Certificate], clock: Clock, limits: Limits | None = None
    ) -> None:
        self._server = server
        self._roots = roots
        self._clock = clock
        self._limits = limits or Limits()

    async def post(self, path: str, body: bytes, headers: dict[str, str]) -> Answered:
        """Send one JSON message. Raises Unreachable."""
        return await self._request("POST", path, body, {"content-type": "application/json", **headers})

    async def get(self, path: str) -> Answered:
        """Fetch a small document. Raises Unreachable."""
        return await self._request("GET", path, b"", {})

    async def get_unverified(self, path: str) -> Answered:
        """Fetch something whose content proves itself, such as a root of known fingerprint. Raises Unreachable.

        Nothing secret goes out this way, and nothing else may be believed that comes in.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return await self._request("GET", path, b"", {}, context)

    async def _request(
        self, method: str, path: str, body: bytes, headers: dict[str, str], context: ssl.SSLContext | None = None
    ) -> Answered:
        hop = Hop.LOOKUP
        writer: asyncio.StreamWriter | None = None
        try:
            async with asyncio.timeout(self._limits.whole):
                proxy = proxy_for(self._server.host)
                addresses = [proxy.host] if proxy else await look_up(self._server.host)
                hop = Hop.CONNECT
                port = proxy.port if proxy else self._server.port
                reader, writer = await self._connected(addresses, port)
                if proxy is not None:
                    await self._through(proxy, reader, writer)
                hop = Hop.TLS
                await self._secured(writer, context or self._tls_context())
                hop = Hop.HTTP
                request = wire.Request(
                    method=method,
                    target=path,
                    headers={"host": self._server.authority, "connection": "close", **headers},
                    body=body,
                )
                return await self._exchanged(request, reader, writer)
        except TimeoutError as error:
            raise Unreachable("timeout", hop, f"no answer within {self._limits.whole:.0f} s") from error
        finally:
            if writer is not None:
                # What is left is not waited for: the answer is complete, or the connection is given up.
                writer.transport.abort()

    async def _connected(
        self, addresses: Sequence[str], port: int
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        failed: Unreachable | None = None
        for address in addresses:
            try:
                async with asyncio.timeout(self._limits.connect):
                    return await asyncio.open_connection(address, port)
            except TimeoutError as error:
                failed = Unreachable("timeout", Hop.CONNECT, f"{address} did not answer")
                failed.__cause__ = error
            except ConnectionRefusedError as error:
                failed = failed or Unreachable("refused", Hop.CONNECT, str(error))
            except ConnectionError as error:
                # Taken and cut at once: somebody is there, so it is no question of the way.
                failed = failed or Unreachable("broken-off", Hop.CONNECT, str(error))
            except OSError as error:
                failed = failed or Unreachable("no-route", Hop.CONNECT, str(error))
        assert failed is not None
        raise failed

    async def _through(self, proxy: Proxy, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = f"{self._server.host}:{self._server.port}"
        headers = {"host": target}
        if proxy.authorization is not None:
            headers["proxy-authorization"] = proxy.authorization
        try:
            status = await wire.connect_through(target, headers, reader, writer)
        except (wire.BrokenOff, OSError) as error:
            raise Unreachable("proxy", Hop.CONNECT, f"the proxy broke off: {error}") from error
        if status != 200:
            raise Unreachable("proxy", Hop.CONNECT, f"the proxy answered {status}")

    async def _secured(self, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        try:
            await writer.start_tls(
                context, server_hostname=self._server.host, ssl_handshake_timeout=self._limits.handshake
            )
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(self._distrust(error), Hop.TLS, str(error)) from error
        except ssl.SSLEOFError as error:
            raise Unreachable("broken-off", Hop.TLS, str(error)) from error
        except ssl.SSLError as error:
            raise Unreachable("untrusted", Hop.TLS, str(error)) from error
        except ConnectionError as error:
            # asyncio reports a handshake that takes too long as an aborted connection.
            cause = "timeout" if "taking longer" in str(error) else "broken-off"
            raise Unreachable(cause, Hop.TLS, str(error)) from error

    async def _exchanged(
        self, request: wire.Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> Answered:
        try:
            return await wire.exchange(request, reader, writer)
        except wire.Unacceptable as error:
            raise Unreachable("unexpected", Hop.HTTP, str(error)) from error
        except (wire.BrokenOff, OSError) as error:
            raise Unreachable("broken-off", Hop.HTTP, str(error)) from error

    def _tls_context(self) -> ssl.SSLContext:
        if not self._roots:
            if self._server.root_fingerprint is not None:
                # The pin holds also when the file of the root is damaged: nobody else's root takes its place.
                raise Unreachable("untrusted", Hop.TLS, "the root of this server cannot be read on this box")
            import truststore  # only where the roots of the operating system count

            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_verify_locations(
            cadata="".join(root.public_bytes(serialization.Encoding.PEM).decode() for root in self._roots)
        )
        return context

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


def proxy_for(host: str) -> Proxy | None:
    """Give the proxy the environment names for HTTPS to this host, if any. Raises Unreachable when it names none."""
    if not proxy_may_be_set():
        return None
    from urllib.request import getproxies, proxy_bypass  # 3 MB that hardly any box needs

    proxies = getproxies()
    written = proxies.get("https") or proxies.get("all")
    if not written or host == "localhost" or host.endswith(".localhost") or proxy_bypass(host):
        return None
    try:
        parts = urlsplit(written if "://" in written else f"http://{written}")
        proxy_host, port = parts.hostname, parts.port or 8080
    except ValueError as error:
        raise Unreachable("proxy", Hop.LOOKUP, f"the proxy setting cannot be read: {error}") from error
    if not proxy_host or parts.scheme.startswith("socks"):
        raise Unreachable("proxy", Hop.LOOKUP, "the proxy setting names no HTTP proxy")
    authorization = None
    if parts.username:
        name_and_password = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = f"Basic {b64encode(name_and_password.encode()).decode()}"
    return Proxy(host=proxy_host, port=port, authorization=authorization)


def system_roots() -> list[x509.Certificate]:
    """Give the roots of the operating system, for a server whose certificates are publicly trusted."""
    return [x509.load_der_x509_certificate(der) for der in ssl.create_default_context().get_ca_certs(binary_form=True)]
