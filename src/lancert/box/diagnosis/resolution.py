"""What several name servers said about one name, compared: which verdict follows. Nothing here asks anybody.

The name of the box is asked of the resolver the box uses, of the zone's own servers and of a public resolver, and
beside it the canary of the zone, whose address no filter takes for private (docs/decisions/0009-the-canary.md). A
resolver that answers the canary and not the name of the box hides private answers, unless the zone's own servers do
not know the name either.
"""

from dataclasses import dataclass
from enum import StrEnum


class Said(StrEnum):
    """What became of one question."""

    RIGHT = "right"
    """The address that is written in the name, or the canary's."""

    OTHER = "other"
    """Another address."""

    EMPTY = "empty"
    """The name exists and has no address; ``0.0.0.0`` and ``::`` are no addresses."""

    UNKNOWN = "unknown"
    """The name does not exist."""

    FAILED = "failed"
    """The server answered with an error, or refused."""

    SILENT = "silent"
    """Nobody answered in time."""

    NOT_ASKED = "not-asked"
    """There was nobody to ask."""

    @property
    def is_told(self) -> bool:
        """Say whether a server answered with what it knows."""
        return self in (Said.RIGHT, Said.OTHER, Said.EMPTY, Said.UNKNOWN)

    @property
    def is_denied(self) -> bool:
        """Say whether a server answered that there is no such address."""
        return self in (Said.EMPTY, Said.UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one resolver said of the name of the box, and of the canary.

    ``sibling`` is another name of this box that hardly anybody has asked for before, ``root`` the servers of the root,
    which every resolver knows; both where they were asked.
    """

    own: Said
    canary: Said = Said.NOT_ASKED
    sibling: Said = Said.NOT_ASKED
    root: Said = Said.NOT_ASKED

    @property
    def hides(self) -> bool:
        """Say whether this resolver answers for the zone and leaves out what leads to private addresses."""
        return self.canary is Said.RIGHT and self.own in (Said.EMPTY, Said.UNKNOWN, Said.FAILED, Said.SILENT)

    @property
    def is_down(self) -> bool:
        """Say whether this resolver gives no answer about the zone at all."""
        return not self.own.is_told and not self.canary.is_told

    @property
    def is_awake(self) -> bool:
        """Say whether this resolver answered anything, if only an error."""
        said = (self.own, self.canary, self.sibling, self.root)
        return any(one not in (Said.SILENT, Said.NOT_ASKED) for one in said)


NOT_HEARD = Heard(own=Said.NOT_ASKED)


class Resolution(StrEnum):
    """What is the matter with the name; the values are public and permanent."""

    FINE = "fine"
    """The name leads to this box."""

    FILTERED = "filtered"
    """The resolver hides answers with private addresses."""

    BLOCKED = "filtered-zone"
    """The resolver hides the whole zone."""

    UNKNOWN = "unknown"
    """The zone's own servers do not know the name."""

    NO_ZONE = "unknown-zone"
    """Nobody knows any name of the zone."""

    WRONG_ADDRESS = "wrong-address"
    """The name leads elsewhere."""

    ALL_REWRITTEN = "wrong-address-everywhere"
    """Every name leads elsewhere: a sign-in page, or a filter that answers with its own address."""

    STALE = "remembered"
    """The resolver remembers that the name did not exist a few minutes ago."""

    RESOLVER_DOWN = "dns-down"
    """The resolver does not answer; others do."""

    ZONE_DOWN = "dns-down-zone"
    """The resolvers work, and the zone's own servers do not answer."""

    ALL_DOWN = "dns-down-all"
    """No name server answers at all."""


def judge(here: Heard, zone: Heard, public: Heard) -> Resolution:
    """Compare what the resolver of the box, the zone's own servers and a public resolver said."""
    match here.own:
        case Said.RIGHT:
            return Resolution.FINE
        case Said.OTHER if here.canary is Said.OTHER:
            return Resolution.ALL_REWRITTEN
        case Said.OTHER:
            return Resolution.WRONG_ADDRESS
    # The zone speaks for itself; a name it denies is filtered by nobody.
    if zone.own.is_denied:
        return Resolution.UNKNOWN
    if here.sibling is Said.RIGHT:
        return Resolution.STALE
    is_known = Said.RIGHT in (zone.own, public.own)
    if here.is_down:
        return _down(is_known, here, zone, public)
    if here.canary is Said.RIGHT:
        # Without a witness: the zone has an address for every name of a box it knows, so an empty answer is a filter's
        # doing. Filters take the address away and leave the name, so that a name that does not exist is no filter's.
        return Resolution.FILTERED if is_known or here.own is not Said.UNKNOWN else Resolution.UNKNOWN
    if is_known:
        # A service from before the canary tells nothing with it.
        has_canary = Said.RIGHT in (zone.canary, public.canary)
        return Resolution.BLOCKED if has_canary else Resolution.FILTERED
    if here.canary is Said.OTHER:
        return Resolution.ALL_REWRITTEN
    if public.canary is Said.RIGHT and public.own.is_denied:
        return Resolution.UNKNOWN
    return Resolution.NO_ZONE


def _down(is_known: bool, here: Heard, zone: Heard, public: Heard) -> Resolution:
    """Say who is down, where the resolver of the box has nothing to say about the zone."""
    if is_known or public.own.is_told or public.canary.is_told:
        return Resolution.RESOLVER_DOWN
    if here.root is Said.RIGHT:
        return Resolution.ZONE_DOWN
    if not (zone.is_awake or public.is_awake):
        return Resolution.ALL_DOWN
    return Resolution.ZONE_DOWN if here.is_awake else Resolution.RESOLVER_DOWN
