"""The table of the settings of a box: how each is read, what it may be, and a line that would do.

Pure. ``settings`` reads them from the file and the environment and says what cannot be used.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final

from lancert.box.maintenance import NotAMaintenanceWindow, parse_maintenance
from lancert.box.proxies import NO_PROXY, NotAProxy, parse_proxy
from lancert.kit.language import N_
from lancert.kit.secret import Secret
from lancert.protocol.messages import Kind
from lancert.protocol.names import address_ranges, parse_address

NO_RESOLVER: Final = "none"

_LONGEST_NAME = 64  # of a box, as the service takes it


class NotUsable(ValueError):
    """A value is not one this setting may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting: how it is read, what it may be, and a line that would do. ``read`` raises NotUsable."""

    read: Callable[[object], object]
    how: str
    example: str


def _port(value: object) -> int:
    text = str(value)
    if isinstance(value, bool) or not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65_535):
        raise NotUsable
    return int(text)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise NotUsable
    return value.strip()


def _texts(value: object) -> list[str]:
    # One address alone is as clear without brackets.
    found = value.split(",") if isinstance(value, str) else value
    if not isinstance(found, list):
        raise NotUsable
    return [_text(one) for one in found]


def _own_addresses(value: object) -> list[str]:
    for text in (found := _texts(value)):
        try:
            ip_address(text)
        except ValueError:
            if text != "localhost":
                raise NotUsable from None
    return found


def _private_addresses(value: object) -> list[str]:
    ranges = address_ranges(shared=True, link_local=True, loopback=True)
    for text in (found := _texts(value)):
        address = parse_address(text)
        if address is None or not ranges.allow(address):
            raise NotUsable
    return found


def _resolvers(value: object) -> list[str]:
    found = _texts(value)
    if found == [NO_RESOLVER]:
        return []
    if not all(parse_address(text) for text in found):
        raise NotUsable
    return found


def _name(value: object) -> str:
    if len(name := _text(value)) > _LONGEST_NAME:
        raise NotUsable
    return name


def _kind(value: object) -> str:
    if (kind := _text(value)) not in {one.value for one in Kind}:
        raise NotUsable
    return kind


def _proxy(value: object) -> Secret:
    """Read the address of a proxy, which may hold a password."""
    written = _text(value)
    try:
        if written != NO_PROXY:
            parse_proxy(written)
    except NotAProxy:
        raise NotUsable from None
    return Secret(written)


def _maintenance(value: object) -> str:
    try:
        parse_maintenance(written := _text(value))
    except NotAMaintenanceWindow:
        raise NotUsable from None
    return written


_PORT = N_("A port is a number from 0 to 65535, where 0 is any free one.")

SETTINGS: Final[Mapping[str, Setting]] = {
    "http_port": Setting(read=_port, how=_PORT, example="http_port = 80"),
    "https_port": Setting(read=_port, how=_PORT, example="https_port = 443"),
    "listen": Setting(
        read=_own_addresses,
        how=N_("These are addresses of this machine, each in quotation marks, in brackets."),
        example='listen = ["192.168.1.5"]',
    ),
    "address": Setting(
        read=_private_addresses,
        how=N_("These are addresses of a private network, each in quotation marks, in brackets."),
        example='address = ["192.168.1.5"]',
    ),
    "name": Setting(
        read=_name,
        how=N_("The name is a text of at most 64 signs."),
        example='name = "Till 2"',
    ),
    "kind": Setting(
        read=_kind,
        how=N_("The kind is iot-box or virtual."),
        example='kind = "iot-box"',
    ),
    "proxy": Setting(
        read=_proxy,
        how=N_("A proxy is written http://host:port, or http://name:password@host:port; none means that none is used."),
        example='proxy = "http://192.168.1.3:3128"',
    ),
    "public_resolver": Setting(
        read=_resolvers,
        how=N_("These are addresses of DNS servers on the Internet; none means that none is asked."),
        example='public_resolver = ["9.9.9.9"]',
    ),
    "maintenance": Setting(
        read=_maintenance,
        how=N_("This is a time of day in local time, from when until when."),
        example='maintenance = "02:00-05:00"',
    ),
}
