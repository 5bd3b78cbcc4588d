"""The settings of the service, read once at the start: command line over environment over file over default.

``LANCERT_SERVICE_ZONE`` in the environment and ``zone`` in ``service.toml`` in the folder name the same setting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lancert.kit.logs import LEVELS
from lancert.kit.settings import SettingsError, default_folder, read_settings
from lancert.protocol.messages import ZoneOption
from lancert.protocol.names import (
    DEMO_ZONE,
    Address,
    AddressRanges,
    NotAZone,
    Zone,
    is_localhost_zone,
    parse_address,
    parse_zone,
    ranges_for_zone,
)

SETTINGS_FILE: Final = "service.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSettings:
    """What a running service is told; a port of 0 is any free one, an HTTP or DNS port of None is not opened."""

    folder: Path
    zone: Zone = DEMO_ZONE
    listen: str = ""
    """The address to listen on; empty is loopback for a zone under localhost, every address otherwise."""

    https_port: int = 8443
    http_port: int | None = 8080
    """Plain HTTP, for the revocation list and the root certificate only."""

    dns_listen: str = ""
    dns_port: int | None = 8053
    public_url: str = ""
    """What boxes call the service; empty is ``https://service.<zone>`` with the port."""

    address: Address | None = None
    """What ``service.<zone>`` and ``ns1.<zone>`` answer; empty is loopback for a zone under localhost."""

    name_servers: tuple[str, ...] = ()
    """The absolute names of the zone's name servers; empty is ``ns1.<zone>``."""

    certificate: Path | None = None
    """The chain the service itself shows, instead of one from its own authority; ``key`` belongs to it."""

    key: Path | None = None
    passphrase_file: Path | None = None
    """Where the passphrase of the issuing key is read, instead of from the authority's folder."""

    shared: bool = False
    """The zone answers 100.64.0.0/10 too."""

    link_local: bool = False
    """The zone answers 169.254.0.0/16 and fe80::/10 too."""

    log_level: str = "info"

    @property
    def listen_host(self) -> str:
        """Give the address to listen on for HTTPS and HTTP."""
        return self.listen or ("127.0.0.1" if is_localhost_zone(self.zone) else "0.0.0.0")

    @property
    def listen_dns(self) -> str:
        """Give the address to listen on for DNS."""
        return self.dns_listen or self.listen_host

    @property
    def ranges(self) -> AddressRanges:
        """Give the addresses the zone may answer for boxes."""
        return ranges_for_zone(self.zone, shared=self.shared, link_local=self.link_local)

    @property
    def also_answered(self) -> list[str]:
        """Give what boxes are told of these ranges."""
        chosen = ((ZoneOption.SHARED, self.shared), (ZoneOption.LINK_LOCAL, self.link_local))
        return [option.value for option, is_on in chosen if is_on]

    @property
    def service_name(self) -> str:
        """Give the name of the service in its zone."""
        return f"service.{self.zone}"

    @property
    def zone_servers(self) -> tuple[str, ...]:
        """Give the absolute names of the name servers."""
        return self.name_servers or (f"ns1.{self.zone}",)


def service_settings(given: Mapping[str, object]) -> ServiceSettings:
    """Read the settings; ``given`` holds what the command line names. Raises SettingsError."""
    named = {name: value for name, value in given.items() if value is not None}
    folder = Path(str(named.get("folder") or default_folder("service")))
    read = read_settings("service", (field.name for field in fields(ServiceSettings)), folder / SETTINGS_FILE)
    values = {**read, **named, "folder": folder}
    settings = ServiceSettings(**{name: _READERS[name](name, value) for name, value in values.items()})
    _check(settings)
    return settings


def _check(settings: ServiceSettings) -> None:
    if (settings.certificate is None) != (settings.key is None):
        raise SettingsError("certificate and key belong together: name both or neither")
    url = urlsplit(settings.public_url)
    if settings.public_url and (url.scheme != "https" or not url.hostname or url.path.strip("/") or url.query):
        raise SettingsError(f"public_url must look like https://service.example.com, not like {settings.public_url}")
    if settings.public_url and settings.certificate is None and not _in_zone(url.hostname or "", settings.zone):
        raise SettingsError(
            f"{url.hostname} is not a name of the zone {settings.zone}, so the own authority cannot certify it: "
            "give a certificate and key for it, or choose a public_url inside the zone"
        )
    if settings.address is None and not is_localhost_zone(settings.zone):
        raise SettingsError(
            f'say which address {settings.service_name} has: address = "203.0.113.7" in {SETTINGS_FILE}, or --address'
        )


def _in_zone(name: str, zone: Zone) -> bool:
    return name.endswith(f".{zone}")


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{name} must be a text")
    return value


def _host(name: str, value: object) -> str:
    text = _text(name, value)
    try:
        ip_address(text)
    except ValueError:
        raise SettingsError(f"{name} must be an address of this machine such as 0.0.0.0 or 127.0.0.1") from None
    return text


def _port(name: str, value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and int(text) <= 65535):
        raise SettingsError(f"{name} must be a port from 0 to 65535; 0 is any free one")
    return int(text)


def _port_or_none(name: str, value: object) -> int | None:
    return None if value in ("none", "off", False) else _port(name, value)


def _flag(name: str, value: object) -> bool:
    match value:
        case bool():
            return value
        case "true" | "yes" | "1":
            return True
        case "false" | "no" | "0":
            return False
    raise SettingsError(f"{name} must be true or false")


def _path(name: str, value: object) -> Path:
    return value if isinstance(value, Path) else Path(_text(name, value))


def _zone(name: str, value: object) -> Zone:
    try:
        return parse_zone(_text(name, value))
    except NotAZone as error:
        raise SettingsError(str(error)) from error


def _address(name: str, value: object) -> Address:
    address = parse_address(_text(name, value))
    if address is None:
        raise SettingsError(f"{name} must be an IP address such as 203.0.113.7")
    return address


def _names(name: str, value: object) -> tuple[str, ...]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list | tuple):
        raise SettingsError(f"{name} must be host names joined by commas")
    return tuple(_text(name, one).strip().lower().removesuffix(".") for one in names)


def _level(name: str, value: object) -> str:
    if value not in LEVELS:
        raise SettingsError(f"{name} must be one of {', '.join(LEVELS)}")
    return str(value)


_READERS: Final[Mapping[str, Any]] = {
    "folder": _path,
    "zone": _zone,
    "listen": _host,
    "https_port": _port,
    "http_port": _port_or_none,
    "dns_listen": _host,
    "dns_port": _port_or_none,
    "public_url": _text,
    "address": _address,
    "name_servers": _names,
    "certificate": _path,
    "key": _path,
    "passphrase_file": _path,
    "shared": _flag,
    "link_local": _flag,
    "log_level": _level,
}
