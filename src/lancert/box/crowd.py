"""Who may hold a connection to the homepage, and who gives up a place when there are too many.

A box has room for few. A visitor who sends a request gets an answer; one who opens connections and says nothing, or
one byte a second, gives up a place to whoever comes next (T-28). So a newcomer is let in by sending away somebody
who waits: of the newcomer's own source when that has its share, else of the source that holds the most. Nobody is
sent away while the box works on the answer.
"""

from collections import Counter
from dataclasses import dataclass

TOTAL = 160
EACH = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many connections there may be in all, and from one address."""

    total: int = TOTAL
    each: int = EACH

    @classmethod
    def for_descriptors(cls, descriptors: int) -> "Limits":
        """Give the limits for a process that may have so many files open: half are left for the box's own work."""
        total = max(8, min(TOTAL, descriptors // 2 - 16))
        return cls(total=total, each=min(EACH, max(4, total // 2)))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Guest:
    """One connection and where it comes from; two are never the same."""

    source: str


class Crowd:
    """Everybody who holds a connection."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._inside: set[Guest] = set()
        self._held: Counter[str] = Counter()
        self._waiting: dict[Guest, None] = {}  # in the order in which they began to wait

    def __len__(self) -> int:
        return len(self._inside)

    def enter(self, newcomer: Guest) -> Guest | None:
        """Let somebody in, as waiting; give who has to leave for it, the newcomer itself when nobody else waits."""
        leaver: Guest | None = None
        if self._held[newcomer.source] >= self._limits.each:
            leaver = self._longest_waiting(newcomer.source) or newcomer
        elif len(self._inside) >= self._limits.total:
            leaver = self.one_who_waits() or newcomer
        if leaver is not None:
            self.leave(leaver)
        if leaver is not newcomer:
            self._inside.add(newcomer)
            self._held[newcomer.source] += 1
            self._waiting[newcomer] = None
        return leaver

    def one_who_waits(self) -> Guest | None:
        """Give who is the first to go when there is no room for anybody else."""
        largest = max(self._held, key=self._held.__getitem__, default="")
        return self._longest_waiting(largest) or next(iter(self._waiting), None)

    def waits(self, guest: Guest) -> None:
        """Note that the box waits for this one, from now on."""
        if guest in self._inside:
            self._waiting.pop(guest, None)
            self._waiting[guest] = None

    def is_served(self, guest: Guest) -> None:
        """Note that the box works for this one, who keeps the place until it waits again."""
        self._waiting.pop(guest, None)

    def leave(self, guest: Guest) -> None:
        """Note that a connection has ended; that it is noted twice does no harm."""
        if guest in self._inside:
            self._inside.remove(guest)
            self._waiting.pop(guest, None)
            self._held[guest.source] -= 1
            if not self._held[guest.source]:
                del self._held[guest.source]

    def _longest_waiting(self, source: str) -> Guest | None:
        return next((guest for guest in self._waiting if guest.source == source), None)
