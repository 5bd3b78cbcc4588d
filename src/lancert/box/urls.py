"""The addresses of the homepage: by box name over HTTPS, by IP address over HTTP."""

from dataclasses import dataclass
from ipaddress import IPv6Address

from lancert.box.facts import BoxFacts
from lancert.box.interfaces import Interface
from lancert.protocol.names import Address, address_name, ranges_for_zone, stable_name


def https_url(facts: BoxFacts) -> str | None:
    """Give the HTTPS URL of the homepage, for the address of the default route; None before the first enrolment.

    It follows the certificate that is served, so that what is shown opens.
    """
    return next(iter(https_urls(facts).values()), None)


def https_urls(facts: BoxFacts) -> dict[Address, str]:
    """Give the HTTPS URL for each address the zone answers, as far as the box knows its options."""
    if not facts.name_spaces:
        return {}
    space = facts.name_spaces[0]
    known = facts.enrolment if facts.enrolment and facts.enrolment.name_space == space else None
    # Nobody told what the zone of another service answers; a name that it does not answer would be a dead link.
    ranges = known.ranges if known else ranges_for_zone(space.zone)
    return {
        address: _https(address_name(address, space.label, space.zone), facts)
        for address in facts.addresses
        if ranges.allow(address)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the homepage. ``interface`` is None where nobody knows it, ``answers`` when HTTPS was not tried."""

    address: Address
    interface: Interface | None
    http: str
    https: str | None
    answers: bool | None

    @property
    def has_link(self) -> bool:
        """Say whether anybody can come this way now."""
        return self.interface is None or self.interface.has_link


def ways(facts: BoxFacts) -> list[Way]:
    """Give every way to the homepage, the best one first, and last the addresses whose cable or Wi-Fi is out."""
    holds = {address: one for one in facts.interfaces for address in one.addresses}
    unreachable = [address for one in facts.interfaces for address in one.addresses if address not in facts.addresses]
    by_name = https_urls(facts)
    return [
        Way(
            address=address,
            interface=holds.get(address),
            http=http_url(address, facts),
            https=by_name.get(address),
            answers=facts.answers.get(address),
        )
        for address in (*facts.addresses, *unreachable)
    ]


def stable_url(facts: BoxFacts) -> str | None:
    """Give the link for bookmarks: it follows the box to a new address."""
    if not facts.name_spaces:
        return None
    space = facts.name_spaces[0]
    return _https(stable_name(space.label, space.zone), facts)


def http_url(address: Address, facts: BoxFacts) -> str:
    """Give the URL by IP address, which works whatever happens to certificates and names."""
    host = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    return f"http://{host}{'' if facts.ports.http == 80 else f':{facts.ports.http}'}/"


def _https(name: str, facts: BoxFacts) -> str:
    return f"https://{name}{'' if facts.ports.https == 443 else f':{facts.ports.https}'}/"
