"""Does the name of the homepage lead to this box, and where it does not: who hides it, and what to change?

Several name servers are asked (``witnesses``) and what they say is compared (``resolution``); here the result is put
into words. The names of this box are asked about, and nothing else leaves it.
"""

import secrets

from lancert.box import urls
from lancert.box.diagnosis import routers
from lancert.box.diagnosis.resolution import Resolution, judge
from lancert.box.diagnosis.resolvers import Resolvers
from lancert.box.diagnosis.result import Check, Finding, Recipe, Verdict
from lancert.box.diagnosis.witnesses import Name, Witnesses, hear
from lancert.box.facts import BoxFacts
from lancert.kit.language import N_
from lancert.protocol.names import is_localhost_zone

ID = "name-resolves"
_TITLE = N_("Name of this IoT system")
_finding = Check(ID, _TITLE).found

_BY_ADDRESS = N_("Until then open the homepage by its IP address: {http}")
_ALLOW = N_("In the router, allow private answers for {zone}. What to type is told below, for each router.")
_PUBLIC = N_("Or have the devices of the shop ask a public DNS server: 9.9.9.9, 1.1.1.1 or 8.8.8.8.")
_DNS_SERVER = N_("Check the DNS server that the router hands out, and restart the router.")
_ASK_OPERATOR = N_("If it stays so, tell the operator of the certificate service.")

_WORDS: dict[Resolution, tuple[str, str, tuple[str, ...]]] = {
    Resolution.FILTERED: (
        N_("The name server {who} hides {name} because it leads to an address of the own network."),
        N_(
            "Routers call this protection against DNS rebinding. "
            "Devices that ask this name server do not find the homepage by its name."
        ),
        (_ALLOW, _PUBLIC, _BY_ADDRESS),
    ),
    Resolution.BLOCKED: (
        N_("The name server {who} hides all names below {zone}."),
        N_("The zone's own name servers answer, so a filter or a block list in the router does this."),
        (N_("In the router, or in the filter it uses, allow {zone}."), _PUBLIC, _BY_ADDRESS),
    ),
    Resolution.UNKNOWN: (
        N_("{name} is not known to the name servers of {zone}."),
        N_("The service has no such name, or has withdrawn it."),
        (
            N_("Ask for a new certificate: the IoT system then tells the service about itself again."),
            _ASK_OPERATOR,
            _BY_ADDRESS,
        ),
    ),
    Resolution.NO_ZONE: (
        N_("No name server that was asked knows any name below {zone}."),
        N_("The zone is not in the DNS of the Internet, or this network has its own idea of it."),
        (N_("Tell the operator of the certificate service that {zone} is not found."), _BY_ADDRESS),
    ),
    Resolution.WRONG_ADDRESS: (
        N_("{name} leads to {found}, which is not this IoT system."),
        N_("The address is written in the name, so somebody on the way changes the answer."),
        (N_("Check whether the router or a filter rewrites DNS answers."), _PUBLIC, _BY_ADDRESS),
    ),
    Resolution.ALL_REWRITTEN: (
        N_("{name} leads to {found}, and so do other names: every answer is changed on the way."),
        N_("A sign-in page of this network does this, or a filter that shows a page of its own."),
        (N_("Sign in to the network, or take this IoT system out of the filter."), _PUBLIC, _BY_ADDRESS),
    ),
    Resolution.STALE: (
        N_("{name} was not known a few minutes ago, and the name server of this network still remembers that."),
        "",
        (N_("Wait five minutes and run the diagnosis again."), _BY_ADDRESS),
    ),
    Resolution.RESOLVER_DOWN: (
        N_("The name server {who} gives no answer for {name}; others do."),
        "",
        (_DNS_SERVER, _PUBLIC, _BY_ADDRESS),
    ),
    Resolution.ZONE_DOWN: (
        N_("The name servers of {zone} do not answer."),
        N_("Nothing in this network is wrong; names that were asked for lately still work."),
        (_ASK_OPERATOR, _BY_ADDRESS),
    ),
    Resolution.ALL_DOWN: (
        N_("No name server answered for {name}: neither {who}, nor those of {zone}, nor a public one."),
        N_("This network has no way to the Internet, or its firewall lets no DNS through."),
        (N_("Check the network cable and the router."), _DNS_SERVER, _BY_ADDRESS),
    ),
}

# Where the system does not say whom it asks.
_NOBODY_BY_NAME = {
    Resolution.FILTERED: N_(
        "The name server of this network hides {name} because it leads to an address of the own network."
    ),
    Resolution.BLOCKED: N_("The name server of this network hides all names below {zone}."),
    Resolution.RESOLVER_DOWN: N_("The name server of this network gives no answer for {name}; others do."),
    Resolution.ALL_DOWN: N_(
        "No name server answered for {name}: not this network's, nor those of {zone}, nor a public one."
    ),
}


async def check(facts: BoxFacts, resolvers: Resolvers) -> Finding:
    """Say whether the name is known and leads here, and if not, why."""
    space = next(iter(facts.name_spaces), None)
    address = next(iter(urls.https_urls(facts)), None)
    if space is None or address is None:
        return _finding(Verdict.NOT_TRIED, N_("Not tried, because this IoT system has no name yet."))
    name = Name(address=address, label=space.label, zone=space.zone)
    words = {"name": str(name), "zone": name.zone, "http": urls.http_url(address, facts)}
    if is_localhost_zone(name.zone):
        sentence = N_("{name} is a name for this machine only; browsers know it by themselves.")
        return _finding(Verdict.FINE, sentence, words)
    # Chance that nobody could have foreseen: the name that is drawn must not be in any cache.
    said = await hear(name, resolvers, secrets.randbits(64))
    return told(judge(said.here, said.zone, said.public), said, words)


def told(resolution: Resolution, said: Witnesses, words: dict[str, str]) -> Finding:
    """Put a resolution into words; ``words`` are name, zone and the URL by IP address."""
    if resolution is Resolution.FINE:
        hiding = {**words, "who": ", ".join(said.hiding)}
        note = N_("Devices that ask {who} do not find it, however: it hides names with private addresses.")
        return _finding(
            Verdict.FINE,
            N_("{name} leads to this IoT system."),
            hiding,
            because=resolution,
            cause=note if said.hiding else "",
            recipes=_recipes(words["zone"], said.families) if said.hiding else (),
        )
    sentence, cause, remedy = _WORDS[resolution]
    is_filter = resolution is Resolution.FILTERED
    who = said.hiding if is_filter else said.denying if resolution is Resolution.BLOCKED else said.silent
    if not who:
        sentence = _NOBODY_BY_NAME.get(resolution, sentence)
    return _finding(
        Verdict.WRONG,
        sentence,
        {**words, "who": ", ".join(who), "found": ", ".join(said.found)},
        because=resolution,
        cause=cause,
        remedy=remedy,
        recipes=_recipes(words["zone"], said.families) if is_filter else (),
    )


def _recipes(zone: str, families: tuple[str, ...]) -> tuple[Recipe, ...]:
    """Give what to type on the routers it can be."""
    return tuple(
        Recipe(id=one.id, name=one.name, steps=one.steps, lines=tuple(routers.filled(one.lines, zone)))
        for one in routers.ROUTERS
        if not families or one.id in families
    )
