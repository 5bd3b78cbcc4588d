"""Which proxy the way to the server leads through, and how it is asked for a tunnel (HTTP CONNECT, RFC 9110, 9.3.6).

The setting ``proxy`` of the box comes first, then the environment, read as most programs read it: ``https_proxy``,
``all_proxy``, small letters before capitals, and ``no_proxy`` with host names, domains, addresses, networks and ports.
Name and password of a proxy are sent to the proxy, and to nobody else.
"""

import asyncio
import contextlib
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final
from urllib.parse import unquote, urlsplit

from lancert.box import wire
from lancert.box.hops import Hop, Unreachable
from lancert.kit.secret import Secret
from lancert.kit.settings import proxies_of_system, proxy_environment

NO_PROXY: Final = "none"
"""What the setting says when no proxy is to be used, whatever the environment says."""

_PORT: Final = 80


class NotAProxy(ValueError):
    """A text is not the address of an HTTP proxy. The text may hold a password, so the message does not repeat it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """A proxy. ``name`` is how it is shown, ``authorization`` the header it is sent when a password was given."""

    host: str
    port: int
    authorization: Secret | None = None

    @property
    def name(self) -> str:
        """Give host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxies:
    """What is known about proxies. ``setting`` is that of the box, which may be ``none``; it may hold a password."""

    setting: Secret | None = None

    def proxy_for(self, host: str, port: int) -> Proxy | None:
        """Give the proxy to reach a host through, if any. Raises Unreachable when what is set names none."""
        if host == "localhost" or host.endswith(".localhost"):
            return None
        environment = proxy_environment()
        if _is_exempt(host, port, environment.get("no_proxy", "")):
            return None
        written = self.setting.reveal() if self.setting else _from_environment(host, environment)
        if not written or written == NO_PROXY:
            return None
        try:
            return parse_proxy(written)
        except NotAProxy as error:
            raise Unreachable("proxy-setting", Hop.LOOKUP, str(error)) from error


def parse_proxy(text: str) -> Proxy:
    """Read the address of a proxy: ``http://name:password@host:port``, of which the host alone is needed.

    Raises NotAProxy.
    """
    written = text.strip() if "://" in text else f"http://{text.strip()}"
    try:
        parts = urlsplit(written)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotAProxy("it cannot be read") from None
    if parts.scheme.lower() != "http":
        raise NotAProxy("it is no HTTP proxy: its address begins with http://")
    if not host or port == 0 or not written.isprintable() or " " in written:
        raise NotAProxy("it names no host")
    authorization = None
    if parts.username:
        name_and_password = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        authorization = Secret(f"Basic {b64encode(name_and_password.encode()).decode()}")
    return Proxy(host=host, port=port or _PORT, authorization=authorization)


def _from_environment(host: str, environment: Mapping[str, str]) -> str:
    for name in ("https_proxy", "all_proxy"):
        if name in environment:
            return environment[name]
    return proxies_of_system(host)


def _is_exempt(host: str, port: int, exempt: str) -> bool:
    return any(_matches(host, port, one) for one in exempt.replace(",", " ").lower().split())


def _matches(host: str, port: int, one: str) -> bool:
    if one == "*":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(host) in ip_network(one.strip("[]"), strict=False)
    name, _, meant = one.rpartition(":") if one.count(":") == 1 else (one, "", "")
    if meant and meant != str(port):
        return False
    name = name.removeprefix("*").removeprefix(".").strip("[]")
    return bool(name) and (host == name or host.endswith("." + name))


async def open_tunnel(
    proxy: Proxy, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Ask a proxy for a way to the host. Raises Unreachable, which says what the proxy answered."""
    target = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    headers = {"host": target}
    if proxy.authorization is not None:
        headers["proxy-authorization"] = proxy.authorization.reveal()
    facts = {"proxy": proxy.name}
    try:
        status = await wire.connect_through(target, headers, reader, writer)
    except wire.BrokenOff as error:
        raise Unreachable("not-a-proxy", Hop.PROXY, str(error), facts) from error
    except OSError as error:
        raise Unreachable("proxy-broken-off", Hop.PROXY, str(error), facts) from error
    if not 200 <= status < 300:
        raise Unreachable(_cause(status), Hop.PROXY, f"the proxy answered {status}", {**facts, "status": str(status)})


def _cause(status: int) -> str:
    if status == 407:
        return "proxy-sign-in"
    return "proxy-cannot-reach" if status in (500, 502, 503, 504) else "proxy"
