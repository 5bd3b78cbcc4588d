"""The answer to a request that got its certificate (``protocol.messages.CertificateAnswer``), as bytes.

Most of it is the same for all certificates of one second: it is encoded once, by the codec of the protocol, and cut
where the leaf and the names of a box go.
"""

from datetime import datetime
from functools import lru_cache
from typing import Final

from lancert.kit.clock import to_text
from lancert.protocol.messages import CertificateAnswer, RenewalWindow, encode
from lancert.service.policy import renewal_window

_CHAIN: Final = "<chain>"
_SUFFIX: Final = "<suffix>"
_PERIODS_KEPT: Final = 64


def certificate_answer(
    chain: str, not_before: datetime, not_after: datetime, url_suffix: str, also_answered: tuple[str, ...] = ()
) -> bytes:
    """Encode an answer; of the signs of a chain (PEM) and of a host name, JSON escapes the line ends alone."""
    start, between, end = _around(not_before, not_after, also_answered)
    return "".join((start, chain.replace("\n", "\\n"), between, url_suffix, end)).encode("ascii")


@lru_cache(maxsize=_PERIODS_KEPT)
def _around(not_before: datetime, not_after: datetime, also_answered: tuple[str, ...]) -> tuple[str, str, str]:
    window = renewal_window(not_before, not_after)
    answer = CertificateAnswer(
        chain=_CHAIN,
        not_before=to_text(not_before),
        not_after=to_text(not_after),
        renewal=RenewalWindow(start=to_text(window.start), end=to_text(window.end)),
        url_suffix=_SUFFIX,
        also_answered=list(also_answered),
    )
    start, _, rest = encode(answer).decode("ascii").partition(_CHAIN)
    between, _, end = rest.partition(_SUFFIX)
    return start, between, end
