"""The addresses of the homepage: by box name over HTTPS, by IP address over HTTP."""

from ipaddress import IPv6Address

from lancert.box.facts import BoxFacts
from lancert.protocol.names import Address, address_name, ranges_for_zone, stable_name


def https_url(facts: BoxFacts) -> str | None:
    """Give the HTTPS URL of the homepage, for the address of the default route; None before the first enrolment.

    It follows the certificate that is served, so that what is shown opens.
    """
    return next(iter(https_urls(facts).values()), None)


def https_urls(facts: BoxFacts) -> dict[Address, str]:
    """Give the HTTPS URL for each address that every zone answers; what some answer by option might be a dead link."""
    if not facts.name_spaces:
        return {}
    space = facts.name_spaces[0]
    ranges = ranges_for_zone(space.zone)
    return {
        address: _https(address_name(address, space.label, space.zone), facts)
        for address in facts.addresses
        if ranges.allow(address)
    }


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
