"""What a box knows at one moment, as frozen values: the ground for every decision and every page.

Nothing here reads a disk, a clock or a socket. ``BoxFacts`` is gathered by the agent and given to ``plan`` (what to
do), ``status`` (what to tell) and the homepage (what to draw).
"""

import contextlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from urllib.parse import urlsplit

from lancert.box.deploy.outcome import HandedOver
from lancert.box.interfaces import Interface
from lancert.box.maintenance import Maintenance
from lancert.box.notices import Notice
from lancert.kit.language import N_
from lancert.protocol.certificate import CertificateFacts
from lancert.protocol.credential import Credential
from lancert.protocol.messages import Kind, ZoneOption
from lancert.protocol.names import (
    Address,
    AddressRanges,
    Label,
    NotAZone,
    Zone,
    is_label,
    parse_zone,
    ranges_for_zone,
)
from lancert.protocol.problems import Occurrence

_HOST = re.compile(r"[a-z0-9.-]+|[0-9a-f:.]+")


class NotAServer(ValueError):
    """A text is not the address of a server; the text says how one is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """The server this box is connected to, ``https://host[:port]``, and the root it is expected to come from.

    Without ``root_fingerprint`` (SHA-256, lower-case hexadecimal) the roots of the operating system are trusted.
    """

    url: str
    root_fingerprint: str | None = None

    @property
    def host(self) -> str:
        """Give the host, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """Give the port."""
        return urlsplit(self.url).port or 443

    @property
    def authority(self) -> str:
        """Give what the Host header says: the host, and the port unless it is 443 (RFC 9110, 7.2)."""
        return urlsplit(self.url).netloc


def known_options(told: object) -> tuple[ZoneOption, ...]:
    """Give the options of a zone that this box knows, in a stable order; a newer service may have others."""
    return tuple(option for option in ZoneOption if isinstance(told, list) and option.value in told)


def parse_server(text: str, root_fingerprint: str | None = None) -> Server:
    """Read a server address as people type it. Raises NotAServer."""
    written = text.strip()
    if "://" not in written:
        written = f"https://{written}"
    how = N_("A server address is written https://host or https://host:port.")
    try:
        parts = urlsplit(written.lower())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise NotAServer(how) from None
    if parts.scheme == "http":
        raise NotAServer(N_("The server is reached by HTTPS only: write https:// before the host."))
    plain = parts.scheme == "https" and not (parts.path.strip("/") or parts.query or parts.fragment)
    if not plain or "@" in parts.netloc or port == 0 or not written.isprintable():
        raise NotAServer(how)
    if not host or len(host) > 253 or not _HOST.fullmatch(host):
        raise NotAServer(how)
    shown = f"[{host}]" if ":" in host else host
    return Server(
        url=f"https://{shown}" + (f":{port}" if port not in (None, 443) else ""),
        root_fingerprint=root_fingerprint,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """Who the box is to its server: valid for the server and the credential it was made with.

    ``also_answered`` are the options of the zone that the server told last.
    """

    box: str
    label: Label
    zone: Zone
    also_answered: tuple[ZoneOption, ...] = ()

    @property
    def ranges(self) -> AddressRanges:
        """Give the addresses that have a name in the zone."""
        return ranges_for_zone(
            self.zone,
            shared=ZoneOption.SHARED in self.also_answered,
            link_local=ZoneOption.LINK_LOCAL in self.also_answered,
        )

    @property
    def name_space(self) -> "NameSpace":
        """Give the name space the server gave the box."""
        return NameSpace(label=self.label, zone=self.zone)


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSpace:
    """Below which names a box is found: its label in the zone of a service."""

    label: Label
    zone: Zone


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledCertificate:
    """A certificate the box can serve: its facts, and when the service would like it renewed."""

    facts: CertificateFacts
    renewal_start: datetime
    renewal_end: datetime

    @property
    def name_space(self) -> NameSpace | None:
        """Give the name space the certificate is for; None when its names are not those of a box."""
        for name in self.facts.names:
            label, _, zone = name.partition(".")
            with contextlib.suppress(NotAZone):
                if is_label(label):
                    return NameSpace(label=Label(label), zone=parse_zone(zone))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCertificate:
    """What the store holds: the newest usable certificate, and why a newer file had to be set aside.

    ``damage`` is a cause of ERR_IOT_HTTPS_CHECK_CERT_READ_EXCEPTION.
    """

    usable: InstalledCertificate | None = None
    damage: str | None = None


class Outcome(StrEnum):
    """How a try to load a certificate ended."""

    INSTALLED = "installed"
    REFUSED = "refused"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTry:
    """The last try to load: when, how it ended, how many have failed in a row, and when the next one is due.

    ``is_told`` says that the server named that moment (Retry-After), and not this box.
    """

    at: datetime
    outcome: Outcome
    problem: Occurrence | None = None
    failures: int = 0
    next_at: datetime | None = None
    is_told: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where the homepage listens."""

    http: int
    https: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFacts:
    """All that decisions and pages need.

    ``addresses`` are the private addresses of the box, the one of the default route first; ``interfaces`` say where
    each is, those without a link too, and ``answers`` whether its own HTTPS answers there. ``is_loading`` says that
    a try is under way, ``was_asked`` that somebody opened the homepage since the last try, ``renewal_asked`` that
    somebody with the PIN, or at the command line, wants a new certificate although the old one will do.
    ``clock_is_wrong`` says that the clock shows a time before what is known to be past, ``clock_was_set`` that the last
    try failed because of a wrong clock, which was set since. ``maintenance`` is when the shop wants renewals.
    ``log_level_until`` is when a log level that was chosen gives way to the normal one.
    """

    name: str
    kind: Kind
    ports: Ports
    server: Server | None = None
    credential: Credential = field(default_factory=Credential)
    enrolment: Enrolment | None = None
    stored: StoredCertificate = field(default_factory=StoredCertificate)
    last_try: LastTry | None = None
    addresses: tuple[Address, ...] = ()
    interfaces: tuple[Interface, ...] = ()
    answers: Mapping[Address, bool] = field(default_factory=dict)
    is_loading: bool = False
    was_asked: bool = False
    renewal_asked: bool = False
    log_level: str = "info"
    log_level_until: datetime | None = None
    clock_is_wrong: bool = False
    clock_was_set: bool = False
    disk_takes_writes_again: bool = False
    """The disk refused to store what the last try got, and there is room since."""
    maintenance: Maintenance | None = None
    notices: tuple[Notice, ...] = ()
    """What to know beside the problems: settings and files that cannot be used."""

    handed_over: tuple[HandedOver, ...] = ()
    """How the last hand-over to each other program went."""

    @property
    def name_spaces(self) -> tuple[NameSpace, ...]:
        """Give the name spaces this box answers to, the one of the certificate it serves first.

        They differ between a change of server or credential and the certificate that follows from it, which may be
        refused: until then the old certificate is served, and its names go on working.
        """
        served = self.stored.usable.name_space if self.stored.usable else None
        enrolled = self.enrolment.name_space if self.enrolment else None
        return tuple(dict.fromkeys(space for space in (served, enrolled) if space is not None))
