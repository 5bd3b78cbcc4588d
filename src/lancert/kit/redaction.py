"""Takes secrets out of a text that is about to leave: the second line of defence, behind not collecting them.

What is known by its shape goes always: private keys, database UUIDs, connection tokens, passwords in URLs, what stands
behind ``Authorization``, a PIN behind its name. A contract has no shape, so the values this box holds are named to
``keep_out`` and go too, however they are spelt: plain, quoted for a URL, hexadecimal, base64 at any offset.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from urllib.parse import quote

from lancert.kit.secret import Secret

DOTS = "••••"
_VALUE_CHARACTERS = 2000
_SHORTEST = 6
"""A shorter value would be found in every second word; it is kept out by not being collected."""

_SECRET_FIELDS = re.compile(
    r"pin|contract|uuid|database|credential|token|secret|password|cookie|authorization|key$", re.I
)
_SPACE = r"(?: |\+|%20)"
_MARK = rf"{_SPACE}(?:[A-Z]+{_SPACE})*PRIVATE{_SPACE}KEY-----"
_KEYS_IN_BASE64 = (
    *("LS0tLS1CRUdJTi", "0tLS0tQkVHSU", "tLS0tLUJFR0lO"),
    *("MIGHAgEAMBMGByqGSM49", "MC4CAQAwBQYDK2Vw", "MHcCAQEEI"),
)
"""How private keys begin in base64: as PEM at any offset, and as DER of P-256 and Ed25519 (RFC 5958) and of EC
(RFC 5915)."""

_KEYS_IN_HEX = ("2d2d2d2d2d424547494e", "308187020100301306072a8648ce3d", "302e020100300506032b6570", "30770201010420")
_SHAPES: tuple[tuple[tuple[str, ...], re.Pattern[str]], ...] = (
    # One that was cut off goes to the end of the text.
    (("-----BEGIN",), re.compile(rf"()-----BEGIN{_MARK}.*?(?:-----END{_MARK}|\Z)", re.S)),
    (_KEYS_IN_BASE64, re.compile(rf"()(?:{'|'.join(_KEYS_IN_BASE64)})[A-Za-z0-9+/_\s=-]*")),
    (_KEYS_IN_HEX, re.compile(rf"()(?:{'|'.join(_KEYS_IN_HEX)})[0-9a-f]*", re.I)),
    (("-",), re.compile(r"()[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.I)),
    (("lct1.",), re.compile(r"()lct1\.[a-z0-9_-]+", re.I)),
    (("://",), re.compile(r"([a-z][a-z0-9+.-]{1,20}://)[^\s/?#\"'\\]{1,400}(?=@)", re.I)),
    (
        ("authorization",),
        re.compile(r"(\b(?:proxy-)?authorization\b[\"']?\s*[:=]\s*[\"']?(?:[a-z]{3,12}\s+)?)[^\s\"'\\,;}]+", re.I),
    ),
    # "Basic" is also a word of certificates; what is encoded has a digit or a sign of its alphabet.
    (
        ("basic", "bearer", "negotiate"),
        re.compile(r"(\b(?:basic|bearer|negotiate)\s+)(?=[a-z]*[0-9=+/_])[a-z0-9+/=_~.-]{6,}", re.I),
    ),
    (("pin",), re.compile(r"(\bpin\b[^0-9\n]{0,5})[0-9]{3}[ -]?[0-9]{3}[ -]?[0-9]{4}\b", re.I)),
)
"""What is secret by its shape, behind what may stay, each with words without which it need not be looked for."""

_RULES = tuple((tuple(word.lower() for word in words), shape) for words, shape in _SHAPES)

_kept_out: re.Pattern[str] | None = None


def keep_out(values: Iterable[Secret]) -> None:
    """Redact these values from now on, in place of those named before; for the whole process, as logging is."""
    global _kept_out
    spelt = sorted({spelling for value in values for spelling in spellings(value.reveal())}, key=len, reverse=True)
    _kept_out = re.compile("|".join(map(re.escape, spelt)), re.IGNORECASE) if spelt else None


def spellings(value: str) -> Iterator[str]:
    """Give the ways in which a value may stand in a text; none for one that is too short to be told from words."""
    if len(value) < _SHORTEST:
        return
    raw = value.encode()
    for text in (value, quote(value, safe=""), value.replace("-", ""), raw.hex()):
        if len(text) >= _SHORTEST:
            yield text
    for offset, first in enumerate((0, 2, 3)):
        # What comes before and after shares the first and the last sign with the value.
        encoded = b64encode(bytes(offset) + raw).decode().rstrip("=")
        core = encoded[first : None if (offset + len(raw)) % 3 == 0 else -1]
        if len(core) >= _SHORTEST:
            yield from {core, core.replace("+", "-").replace("/", "_")}


def redact(text: str) -> str:
    """Replace what is secret in a text by dots."""
    lowered = text.lower()
    for words, shape in _RULES:
        if any(word in lowered for word in words):
            text = shape.sub(rf"\g<1>{DOTS}", text)
    return text if _kept_out is None else _kept_out.sub(DOTS, text)


def without_secrets(fields: Mapping[str, object]) -> dict[str, object]:
    """Give the named values of an event as plain JSON values: dots for those that name a secret, the rest redacted."""
    return {str(name): DOTS if _SECRET_FIELDS.search(str(name)) else _plain(value) for name, value in fields.items()}


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds")
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return without_secrets(value)
    return redact(str(value))[:_VALUE_CHARACTERS]
