"""What makes a signed request new: its ``(boot, count)`` against the last one accepted (DESIGN, section 5).

A counter that was seen before, or is lower, is refused. Whoever records the network can only repeat requests that
were made, byte by byte. Two things no repetition can do, so they prove two IoT systems with one identity: a counter
equal to the last accepted one in a request with another body, and a request newer than all others of the boot before
the last one. The second is what a copied memory card does: one of the two started later, the other goes on. Each is
counted as a sign, and counted once; two of them within one boot are a conflict (F-60). A single one may be a request
that was overtaken by a restart, so the next boot forgets it.
"""

from enum import Enum, auto
from typing import Final, NamedTuple

from lancert.protocol.messages import Counter

CONFLICT_SIGNS: Final = 2
"""Signs of a forked identity after which a box counts as two."""

NEVER = Counter(boot=0, count=0)
"""The counter of a box that has said nothing yet."""


class LastAccepted(NamedTuple):
    """The last request accepted of a box, its body by SHA-256, and the last counter of the boot before.

    ``signs`` of a second IoT system with the same identity were seen since this boot began, or settled it before.
    """

    counter: Counter
    body_hash: str
    former: Counter = NEVER
    signs: int = 0

    @property
    def has_conflict(self) -> bool:
        """Say whether two IoT systems were seen to use this identity."""
        return self.signs >= CONFLICT_SIGNS


class CounterVerdict(Enum):
    """What a counter says about its request."""

    NEW = auto()
    REPEATED = auto()
    FORKED = auto()


def check_counter(counter: Counter, body_hash: str, last: LastAccepted) -> CounterVerdict:
    """Compare a request with the last one accepted."""
    if (counter.boot, counter.count) > (last.counter.boot, last.counter.count):
        return CounterVerdict.NEW
    if counter == last.counter and body_hash != last.body_hash:
        return CounterVerdict.FORKED
    if counter.boot == last.former.boot and counter.count > last.former.count:
        return CounterVerdict.FORKED
    return CounterVerdict.REPEATED


def accepted(counter: Counter, body_hash: str, last: LastAccepted | None) -> LastAccepted:
    """Give what is remembered once a request was accepted."""
    if last is None:
        return LastAccepted(counter, body_hash)
    if counter.boot == last.counter.boot:
        return LastAccepted(counter, body_hash, last.former, last.signs)
    return LastAccepted(counter, body_hash, last.counter, last.signs if last.has_conflict else 0)
