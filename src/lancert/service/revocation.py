"""The list of revoked certificates that verifiers fetch: signed anew before it is half a day old.

Nothing can be revoked yet, so the list is empty; certificates point to it from the first day, because one that was
issued without a pointer could never be revoked.
"""

from datetime import datetime, timedelta
from typing import Final

from lancert.kit.clock import Clock
from lancert.service.authority import EmbeddedAuthority

_FRESH: Final = timedelta(hours=12)


class RevocationList:
    """Holds the list that is current, in DER."""

    def __init__(self, authority: EmbeddedAuthority, clock: Clock) -> None:
        self._authority = authority
        self._clock = clock
        self._made_at: datetime | None = None
        self._der = b""

    def current(self) -> bytes:
        """Give the list, signed within the last half day."""
        now = self._clock.now()
        if self._made_at is None or not timedelta(0) <= now - self._made_at < _FRESH:
            # Seconds only ever grow, and so must the number of a list (RFC 5280, 5.2.3).
            self._der = self._authority.crl([], number=int(now.timestamp()), now=now)
            self._made_at = now
        return self._der
