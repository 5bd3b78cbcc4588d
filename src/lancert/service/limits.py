"""How often somebody may ask: token buckets in memory, per key and bounded in number.

They slow guessing and runaway clients down; they are no quota and forget everything at a restart (S-42). When
there are too many keys the one not seen for longest is forgotten, which makes room and lets nobody in who was out.
"""

from collections import OrderedDict
from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many at once, then one every so many seconds."""

    burst: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """The rates of the box API: generous for boxes that are known, slow for guessing credentials."""

    per_identity: Rate = Rate(burst=60, seconds=2)
    """Signed requests of one identity."""

    per_source: Rate = Rate(burst=1000, seconds=0.2)
    """Enrolments from one network address: a whole site may stand behind it."""

    guesses: Rate = Rate(burst=20, seconds=10)
    """Enrolments from one network address whose credential was not recognised."""


class Buckets:
    """One bucket per key; times are monotonic seconds, handed in."""

    def __init__(self, rate: Rate, *, most_keys: int = 100_000) -> None:
        self._rate = rate
        self._most_keys = most_keys
        # When the bucket of a key would be full again: the whole state of a token bucket.
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait(self, key: str, now: float) -> int:
        """Give the whole seconds until this key may ask again, 0 when it may now; nothing is taken."""
        over = self._full_at.get(key, now) - now - (self._rate.burst - 1) * self._rate.seconds
        return max(0, ceil(over))

    def take(self, key: str, now: float) -> None:
        """Count one."""
        self._full_at[key] = max(self._full_at.get(key, now), now) + self._rate.seconds
        self._full_at.move_to_end(key)
        while len(self._full_at) > self._most_keys:
            self._full_at.popitem(last=False)
