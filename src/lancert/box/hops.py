"""How far a request came on its way to the server, and why it came no further."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Hop(StrEnum):
    """The steps of a request, in their order; the one through a proxy is there only with a proxy."""

    LOOKUP = "lookup"
    CONNECT = "connect"
    PROXY = "proxy"
    TLS = "tls"
    HTTP = "http"


class Unreachable(Exception):
    """The server could not be reached: ``cause`` as in ERR_IOT_HTTPS_LOAD_REQUEST_EXCEPTION, the text for the log.

    ``reference`` is what a page may show and the log holds beside the text, ``facts`` what the cause's sentences name.
    """

    def __init__(self, cause: str, hop: Hop, detail: str, facts: Mapping[str, str] | None = None) -> None:
        # Some errors of the system come without a word.
        super().__init__(detail or f"{cause} at {hop}")
        self.cause = cause
        self.hop = hop
        self.facts = dict(facts or {})
        self.reference = secrets.token_hex(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A hop that was taken: where it led, and how long it took in seconds."""

    hop: Hop
    where: str
    seconds: float
