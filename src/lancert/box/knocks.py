"""What came of the last try at HTTPS from each address, kept for half a minute.

A browser tells no page why a secure address did not open. The box has seen the other half: whether a connection came
at all, and whether the visitor's program turned the certificate down (RFC 8446, 6.2). Each visitor is told about the
own address only; nothing is kept on the disk.
"""

import ssl
import time
from collections.abc import Callable
from enum import StrEnum

_KEPT_SECONDS = 30.0
_MOST = 64


class Knock(StrEnum):
    """What the HTTPS door saw of a visitor."""

    NONE = "none"
    """No connection that failed."""

    REFUSED = "refused"
    """The visitor's program did not accept the certificate."""

    CUT = "cut"
    """A connection came and was never secured, and not because of the certificate."""


class Knocks:
    """The last handshake from each address, unless it succeeded."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._last: dict[str, tuple[float, Knock]] = {}

    def came(self, source: str) -> None:
        """Note that a connection from this address begins; what is cut on the way may never be heard of again."""
        self._note(source, Knock.CUT)

    def got_in(self, source: str) -> None:
        """Note that the handshake with this address succeeded."""
        self._last.pop(source, None)

    def failed(self, source: str, error: OSError) -> None:
        """Note that the handshake with this address failed."""
        self._note(source, Knock.REFUSED if _is_about_certificate(error) else Knock.CUT)

    def _note(self, source: str, knock: Knock) -> None:
        self._last.pop(source, None)
        self._last[source] = (self._seconds(), knock)
        while len(self._last) > _MOST:
            del self._last[next(iter(self._last))]

    def last_of(self, source: str) -> tuple[Knock, float]:
        """Say what came of the last try from this address, and how many seconds ago."""
        at, knock = self._last.get(source, (0.0, Knock.NONE))
        ago = self._seconds() - at
        return (knock, ago) if knock is not Knock.NONE and ago <= _KEPT_SECONDS else (Knock.NONE, 0.0)


def _is_about_certificate(error: OSError) -> bool:
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    return "_ALERT_" in reason and any(word in reason for word in ("CERTIFICATE", "UNKNOWN_CA"))
