"""The visitor's own browser takes part: its name server and its trusted roots are the ones that matter.

A script on the front page tries the secure address from where the visitor sits; it says what it saw and tells nobody.
Here is which addresses it may try, and the one question it has for the box: what came of my try at your HTTPS door?
The answer is for pages of this very box alone (S-25): the origin has to pass the same allowlist as every Host, so a
stranger's page, by its own name or by DNS rebinding, learns nothing.
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from lancert.box import plan, urls
from lancert.box.homepage import guard
from lancert.box.homepage.exchange import Answer, Request
from lancert.box.homepage.visit import Visit
from lancert.protocol.names import canary_name, is_localhost_zone, parse_address

QUESTION = "/door.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a browser tries: the secure address, the same name without HTTPS, and the canary where the zone has one.

    ``page`` is the secure address as people open it, ``port`` and ``address`` what a firewall has to let through.
    """

    page: str
    secure: str
    plain: str
    canary: str | None
    address: str
    port: int

    @property
    def origins(self) -> tuple[str, ...]:
        """Give what the content security policy has to allow."""
        tried = (self.secure, self.plain, *((self.canary,) if self.canary else ()))
        return tuple("{0.scheme}://{0.netloc}".format(urlsplit(one)) for one in tried)


def trial_for(visit: Visit) -> Trial | None:
    """Give what the visitor's browser is to try; None when there is no secure address, or the visitor is there.

    It is the name for the address the visitor came by: another interface may be out of reach for good reasons.
    """
    facts = visit.facts
    if visit.request.secure or not plan.serves_https(facts, visit.now):
        return None
    by_name = urls.https_urls(facts)
    address = next((one for one in (visit.request.local, *by_name) if one in by_name), None)
    if address is None:
        return None
    page, zone = by_name[address], facts.name_spaces[0].zone
    name, port = urlsplit(page).hostname, facts.ports.http
    return Trial(
        page=page,
        secure=page.rstrip("/") + QUESTION,
        plain=f"http://{name}{'' if port == 80 else f':{port}'}{QUESTION}",
        canary=None if is_localhost_zone(zone) else f"https://{canary_name(zone)}/",
        address=str(address),
        port=facts.ports.https,
    )


def is_name(request: Request) -> bool:
    """Say whether a page was opened by one of the names of the box, and not by an IP address or on the machine."""
    host = (request.header("host") or "").lower()
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return "." in name and parse_address(name) is None and not name.endswith(".local")


async def door(visit: Visit) -> Answer:
    """Tell a page of this box, opened by whichever of its names, what came of the visitor's last try at HTTPS."""
    headers: tuple[tuple[str, str], ...] = (("vary", "Origin"),)
    if (origin := _own_origin(visit)) is not None:
        headers = (*headers, ("access-control-allow-origin", origin))
    knock, ago = visit.knocks.last_of(visit.request.source)
    body = f'{{"https": "{knock}", "milliseconds_ago": {round(1000 * ago)}}}'
    return Answer(body=body.encode("ascii"), media_type="application/json", headers=headers)


def _own_origin(visit: Visit) -> str | None:
    """Give the origin of the page that asks, if it is one of this box (RFC 6454, 7)."""
    origin = visit.request.header("origin")
    scheme, _, host = (origin or "").partition("://")
    if origin is None or scheme not in ("http", "https"):
        return None
    opened_by = guard.Door(secure=scheme == "https", local=visit.request.local)
    return origin if guard.is_our_host(host, opened_by, visit.facts, visit.machine_name) else None
