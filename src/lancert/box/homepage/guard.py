"""Who may be answered at all: the Host allowlist, the origin of a form, the headers of every answer.

A web page of a stranger can make a visitor's browser talk to this box. By DNS rebinding it comes under the
stranger's own name, so every Host outside the allowlist is answered 421 without a body (S-20 to S-22; that Origin
equals Host proves nothing then). By a form it comes under our name with a foreign Origin, so every POST needs the
origin of the page it was sent from, which has to be this very page's (S-24, for forms without scripts). There is
no session and no cookie: the PIN travels in the form itself, so there is nothing a stranger could borrow.

No Strict-Transport-Security yet: a box whose certificate ran out would become unreachable by name (T-27).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from lancert.box.facts import BoxFacts, NameSpace
from lancert.box.homepage.exchange import Answer, Request
from lancert.protocol.names import (
    Address,
    AddressName,
    StableName,
    parse_address,
    parse_box_name,
    ranges_for_zone,
)

# Whoever came by a wrong name gets no second try on the same connection.
_CLOSE = (("connection", "close"),)

_LOOPBACK = (ip_address("127.0.0.1"), ip_address("::1"))

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'"
)

_HEADERS = (
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """How a connection came in: by which scheme and to which address of this box."""

    secure: bool
    local: Address | None

    def port(self, facts: BoxFacts) -> int:
        """Give the port that is listened on here."""
        return facts.ports.https if self.secure else facts.ports.http

    @property
    def scheme(self) -> str:
        """Give the scheme."""
        return "https" if self.secure else "http"

    @property
    def default_port(self) -> int:
        """Give the port that URLs leave out."""
        return 443 if self.secure else 80


def turned_away(request: Request, facts: BoxFacts, machine_name: str) -> Answer | None:
    """Give the empty answer for a request that must not be served, None for one that may be."""
    hosts = request.all_of("host")
    if len(hosts) != 1 or not hosts[0]:
        return Answer(status=400, headers=_CLOSE)
    door = Door(secure=request.secure, local=request.local)
    return None if is_our_host(hosts[0], door, facts, machine_name) else Answer(status=421, headers=_CLOSE)


def is_our_host(host: str, door: Door, facts: BoxFacts, machine_name: str) -> bool:
    """Say whether a Host header (RFC 9110, 7.2) names this box, port included."""
    name, port = _split(host)
    if port is None and door.port(facts) != door.default_port:
        return False
    if port is not None and port != str(door.port(facts)):
        return False
    if name.startswith("["):
        address = parse_address(name[1:-1]) if name.endswith("]") else None
        return isinstance(address, IPv6Address) and _is_local(address, door, facts)
    if (address := parse_address(name)) is not None:
        return isinstance(address, IPv4Address) and _is_local(address, door, facts)
    # One final dot is the same name (RFC 3986, 3.2.2), two are none.
    return not name.endswith("..") and _is_our_name(name.removesuffix(".").lower(), door, facts, machine_name)


def _split(host: str) -> tuple[str, str | None]:
    """Split host and port; a port that is empty or not digits stays in the host and fails there."""
    name, colon, port = host.rpartition(":")
    if colon and "]" not in port and port.isascii() and port.isdigit():
        return name, port
    return host, None


def _is_local(address: Address | None, door: Door, facts: BoxFacts) -> bool:
    """Say whether an address is ours: known, loopback, or the one this very connection came in on (M10)."""
    return address is not None and (address in facts.addresses or address in _LOOPBACK or address == door.local)


def _is_our_name(name: str, door: Door, facts: BoxFacts, machine_name: str) -> bool:
    if name == "localhost" or (machine_name and name == f"{machine_name}.local"):
        return True
    return any(_is_in(space, name, door, facts) for space in facts.name_spaces)


def _is_in(space: NameSpace, name: str, door: Door, facts: BoxFacts) -> bool:
    match parse_box_name(name, space.zone):
        case StableName(label=written):
            return written == space.label
        case AddressName(address=address, label=written):
            # Loopback passes below localhost only: 127-0-0-1 of a real zone would be a name for somebody else's page.
            answered = ranges_for_zone(space.zone, shared=True, link_local=True).allow(address)
            return written == space.label and answered and _is_local(address, door, facts)
        case None:
            return False


def machine_label(hostname: str) -> str:
    """Give what the machine is called under ``.local``: the first label of its name, or nothing."""
    label = hostname.partition(".")[0].lower()
    plain = label.replace("-", "")
    return label if label.isascii() and plain.isalnum() and len(label) <= 63 and label != "localhost" else ""


def comes_from_our_page(request: Request) -> bool:
    """Say whether a form was sent from a page of this very origin; the Host has passed the allowlist before."""
    sites: Sequence[str] = request.all_of("sec-fetch-site")
    scheme = "https" if request.secure else "http"
    return (
        request.header("origin") == f"{scheme}://{(request.header('host') or '').lower()}"
        and all(site == "same-origin" for site in sites)
        and len(sites) <= 1
    )


def with_guards(answer: Answer) -> Answer:
    """Put the security headers on an answer.

    A page with a form lets the browser name the origin to this box alone: under ``no-referrer`` browsers send
    ``Origin: null`` with every form (Fetch, "append a request Origin header").
    """
    named = {name for name, _ in answer.headers}
    own = [
        ("content-security-policy", _policy(answer.script_asks)),
        ("referrer-policy", "same-origin" if answer.has_form else "no-referrer"),
    ]
    if "cache-control" not in named:
        own.append(("cache-control", "no-store"))
    return answer.with_headers(*_HEADERS, *own)


def _policy(script_asks: tuple[str, ...]) -> str:
    """Give the policy of a page: no scripts, or the box's own and whom they may ask."""
    if not script_asks:
        return CONTENT_SECURITY_POLICY
    return f"{CONTENT_SECURITY_POLICY}; script-src 'self'; connect-src 'self' {' '.join(script_asks)}"
