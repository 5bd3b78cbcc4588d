"""How long a certificate counts as young, and when it should be renewed: pure, over its validity period.

The validity period itself belongs to the authority (45 days by default, ``service.authority.profile``). The renewal
window lies in the last third of it, at the beginning, so that a fleet spreads out and a fortnight is left for
everything that can go wrong. Before the window a certificate is young: asking again with the same key gives the
same certificate.
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When a certificate should be renewed."""

    start: datetime
    end: datetime


def renewal_window(not_before: datetime, not_after: datetime) -> Window:
    """Give the window of a certificate: from two thirds of its life to five sixths."""
    life = not_after - not_before
    return Window(start=not_before + life * 2 / 3, end=not_before + life * 5 / 6)


def is_young(not_before: datetime, not_after: datetime, now: datetime) -> bool:
    """Say whether a certificate is valid and its renewal window has not begun."""
    return not_before <= now < renewal_window(not_before, not_after).start
