"""The box's way to its server: one HTTPS request at a time, every failure with the hop and the cause it belongs to.

Each hop is a step of its own: look-up, TCP, a proxy where one is set, TLS, HTTP. So "unknown name", "refused" and "no
answer" are told apart without guessing, and the agent stays small (docs/decisions/0005). A proxy does the look-up.
TLS is always verified, against the configured roots or those of the operating system, and the host name; there is no
way to switch that off (S-09).
"""

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.utils import CryptographyDeprecationWarning

from lancert.box import wire
from lancert.box.conversation import Answered
from lancert.box.dialing import dial
from lancert.box.facts import Server
from lancert.box.hops import Hop as Hop
from lancert.box.hops import Taken
from lancert.box.hops import Unreachable as Unreachable
from lancert.box.lookup import look_up as look_up
from lancert.box.portal import is_a_sign_in_page
from lancert.box.proxies import Proxies, Proxy, open_tunnel
from lancert.kit.clock import Clock
from lancert.kit.lean import plain_host

_NOT_YET_VALID = 9
_EXPIRED = 10
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME
_HTTP_PORT = 80
_SHORT = 2.0  # seconds for a question about the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long a request may take, in seconds: the TCP connection, the TLS handshake, everything together."""

    connect: float = 8.0
    handshake: float = 6.0
    whole: float = 15.0


class Client:
    """Talks to one server, trusted by these roots, or by those of the operating system when there are none.

    ``taken`` are the hops of the last request, as far as it came, ``proxy`` the proxy it went through, if any.
    """

    def __init__(
        self,
        server: Server,
        roots: Sequence[x509.Certificate],
        clock: Clock,
        limits: Limits | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self._server = server
        self._roots = roots
        self._clock = clock
        self._limits = limits or Limits()
        self._proxies = proxies or Proxies()
        self.taken: list[Taken] = []
        self.proxy: str | None = None
        self._hop, self._began = Hop.LOOKUP, 0.0

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

    async def get_at_any_time(self, path: str) -> Answered:
        """Fetch something from a server that proves itself in all but the dates of its certificate. Raises Unreachable.

        It tells how wrong the clock of this machine is; nothing else may be believed that comes in.
        """
        context = self._tls_context()
        context.verify_flags |= ssl.VerifyFlags(_NO_CHECK_TIME)
        return await self._request("GET", path, b"", {}, context)

    async def _request(
        self, method: str, path: str, body: bytes, headers: dict[str, str], context: ssl.SSLContext | None = None
    ) -> Answered:
        request = wire.Request(
            method=method,
            target=path,
            headers={"host": self._server.authority, "connection": "close", **headers},
            body=body,
        )
        self.taken = []
        self._starts(Hop.LOOKUP)
        try:
            async with asyncio.timeout(self._limits.whole), contextlib.AsyncExitStack() as ends:
                proxy = self._proxies.proxy_for(self._server.host, self._server.port)
                self.proxy = proxy.name if proxy else None
                try:
                    reader, writer = await self._handshake(proxy, context, ends)
                except Unreachable as error:
                    if (error.cause, error.hop) != ("timeout", Hop.TLS):
                        raise
                    # Nothing was said yet: over a bad wire a fresh connection comes through sooner (F-27).
                    reader, writer = await self._handshake(proxy, context, ends)
                self._came(writer.get_extra_info("ssl_object").version() or "")
                self._starts(Hop.HTTP)
                answered = await self._exchanged(request, reader, writer)
                self._came(str(answered.status))
                return answered
        except TimeoutError as error:
            detail = f"no answer within {self._limits.whole:.0f} s"
            # The system asks its name servers for longer than anybody here waits.
            cause = "name-server-down" if self._hop is Hop.LOOKUP else "timeout"
            raise Unreachable(cause, self._hop, detail) from error

    async def _handshake(
        self, proxy: Proxy | None, context: ssl.SSLContext | None, ends: contextlib.AsyncExitStack
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Take every hop up to TLS."""
        self.taken = []
        self._starts(Hop.LOOKUP)
        reader, writer = await (self._connected(ends) if proxy is None else self._through(proxy, ends))
        self._starts(Hop.TLS)
        await self._secured(writer, context or self._tls_context())
        return reader, writer

    def _starts(self, hop: Hop) -> None:
        self._hop, self._began = hop, asyncio.get_running_loop().time()

    def _came(self, where: str) -> None:
        seconds = asyncio.get_running_loop().time() - self._began
        self.taken.append(Taken(hop=self._hop, where=where, seconds=seconds))

    async def _connected(self, ends: contextlib.AsyncExitStack) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        addresses = await look_up(self._server.host)
        self._came(", ".join(addresses))
        self._starts(Hop.CONNECT)
        try:
            return await self._dialled(addresses, self._server.port, ends)
        except Unreachable as error:
            if error.cause == "timeout" and await self._answers_otherwise(addresses):
                error.cause, error.facts = "port-blocked", {"port": str(self._server.port)}
            raise

    async def _answers_otherwise(self, addresses: Sequence[str]) -> bool:
        """Say whether the host takes plain HTTP while it does not answer on the port of the service."""
        if self._server.port == _HTTP_PORT:
            return False
        with contextlib.suppress(Unreachable):
            (await dial(addresses[:1], _HTTP_PORT, min(_SHORT, self._limits.connect))).close()
            return True
        return False

    async def _through(
        self, proxy: Proxy, ends: contextlib.AsyncExitStack
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            addresses = await look_up(proxy.host)
            self._came(", ".join(addresses))
            self._starts(Hop.CONNECT)
            reader, writer = await self._dialled(addresses, proxy.port, ends)
        except Unreachable as error:
            cause, facts = "proxy-unreachable", {"proxy": proxy.name}
            raise Unreachable(cause, error.hop, f"proxy, {error.cause}: {error}", facts) from error
        self._starts(Hop.PROXY)
        await open_tunnel(proxy, self._server.host, self._server.port, reader, writer)
        self._came(proxy.name)
        return reader, writer

    async def _dialled(
        self, addresses: Sequence[str], port: int, ends: contextlib.AsyncExitStack
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        door = await dial(addresses, port, self._limits.connect)
        self._came(str(door.getpeername()[0]))
        reader, writer = await asyncio.open_connection(sock=door)
        # What is left is not waited for: the answer is complete, or the connection is given up.
        ends.callback(writer.transport.abort)
        return reader, writer

    async def _secured(self, writer: asyncio.StreamWriter, context: ssl.SSLContext) -> None:
        try:
            await writer.start_tls(
                context, server_hostname=plain_host(self._server.host), ssl_handshake_timeout=self._limits.handshake
            )
        except ssl.SSLCertVerificationError as error:
            raise Unreachable(await self._distrust(error), Hop.TLS, str(error)) from error
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

    async def _distrust(self, error: ssl.SSLCertVerificationError) -> str:
        """Tell a wrong clock and a sign-in page of the network from a wrong server.

        "Not yet valid" means that the clock is behind. "Expired" means a wrong clock only if the root, made for
        many years, seems to have expired or not to exist yet.
        """
        now = self._clock.now()
        root_is_valid = all(root.not_valid_before_utc <= now <= root.not_valid_after_utc for root in self._roots)
        if error.verify_code == _NOT_YET_VALID or (error.verify_code == _EXPIRED and not root_is_valid):
            return "clock"
        addresses = [taken.where for taken in self.taken if taken.hop is Hop.CONNECT]
        if self.proxy is None and await is_a_sign_in_page(self._server.host, addresses):
            return "captive-portal"
        return "untrusted"


def system_roots() -> list[x509.Certificate]:
    """Give the roots of the operating system, for a server whose certificates are publicly trusted."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    with warnings.catch_warnings():
        # Some systems have roots older than the rule that a serial number is positive; the journal is not about them.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        return [x509.load_der_x509_certificate(der) for der in found]
