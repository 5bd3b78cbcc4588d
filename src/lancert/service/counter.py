"""What makes a signed request new: its ``(boot, count)`` against the last one accepted (DESIGN, section 5).

A counter that was seen before, or is lower, is refused. Whoever records the network can only repeat requests that
were made, byte by byte; so the one thing that proves two IoT systems with one identity is a counter equal to
the last accepted one in a request with another body, validly signed. That is counted; a repetition never is, so no
replay can bring a box into conflict. Clones whose counters lie apart are not recognised by this rule.
"""

from enum import Enum, auto

from lancert.protocol.messages import Counter


class CounterVerdict(Enum):
    """What a counter says about its request."""

    NEW = auto()
    REPEATED = auto()
    FORKED = auto()


def check_counter(counter: Counter, body_hash: str, *, last: Counter, last_body_hash: str) -> CounterVerdict:
    """Compare a request with the last one accepted; hashes are SHA-256 of the bodies."""
    if (counter.boot, counter.count) > (last.boot, last.count):
        return CounterVerdict.NEW
    if counter == last and body_hash != last_body_hash:
        return CounterVerdict.FORKED
    return CounterVerdict.REPEATED
