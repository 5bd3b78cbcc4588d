"""Every way to this page as the front page shows it: by interface where there are several, each with its trouble."""

from dataclasses import dataclass
from datetime import datetime

from lancert.box import plan, urls
from lancert.box.facts import BoxFacts
from lancert.box.homepage.speech import Speech
from lancert.box.interfaces import Interface, InterfaceKind
from lancert.kit.language import N_

WHERE = {
    InterfaceKind.WIRED: N_("{name}, wired"),
    InterfaceKind.WIRELESS: N_("{name}, wireless"),
    InterfaceKind.OTHER: "{name}",
}
"""Which interface an address belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One address: its URLs, and what is wrong with it."""

    https: str | None
    http: str
    trouble: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The addresses of one interface; ``where`` is None when there is only one. ``is_out`` says that it has no link."""

    where: str | None
    is_out: bool
    rows: tuple[Row, ...]


def groups_of(facts: BoxFacts, now: datetime, speech: Speech) -> list[Group]:
    """Give every way, the best one first: by IP address always, by name once the certificate is there."""
    ways, has_https = urls.ways(facts), plan.serves_https(facts, now)
    held: dict[Interface | None, list[urls.Way]] = {}
    for way in ways:
        held.setdefault(way.interface, []).append(way)
    return [
        Group(
            where=speech.say(WHERE[interface.kind], name=interface.name) if interface and len(held) > 1 else None,
            is_out=interface is not None and not interface.has_link,
            rows=tuple(
                Row(https=one.https if has_https else None, http=one.http, trouble=_trouble(one, speech))
                for one in those
            ),
        )
        for interface, those in held.items()
    ]


def _trouble(way: urls.Way, speech: Speech) -> str | None:
    return speech.say(N_("HTTPS does not answer at this address.")) if way.answers is False and way.has_link else None
