"""The PIN of a box: looking is free, changing needs it.

It is made at random for each box (no default exists), shown once, and kept only as a salted scrypt hash, so
``lancert box pin`` makes a new one. Ten digits are typed easily on a phone; guessing is slowed per source address, so
that somebody else's guesses never lock the owner out (S-31, S-32).
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from enum import StrEnum
from pathlib import Path

from lancert.box.remembered import NOT_UNDERSTOOD, pin_of
from lancert.kit.clock import Clock
from lancert.kit.files import read_limited, write_private
from lancert.kit.logs import Log

log = Log("box.pin")

_DIGITS = 10
# 8 MiB and about 25 ms on a small board; the file it protects lies beside the keys themselves.
_COST = {"n": 2**13, "r": 8, "p": 1}
_FREE_TRIES = 5
_WINDOW = 60.0
_SOURCES_KNOWN = 1000


class PinVerdict(StrEnum):
    """What came of a PIN that was typed."""

    RIGHT = "right"
    WRONG = "wrong"
    TOO_MANY = "too-many"


def shown(pin: str) -> str:
    """Write a PIN the way it is read aloud: ``482 915 7306``."""
    return f"{pin[:3]} {pin[3:6]} {pin[6:]}"


def new_pin(path: Path) -> str:
    """Make a new PIN, keep its hash, and give it to be shown once."""
    pin = "".join(secrets.choice("0123456789") for _ in range(_DIGITS))
    salt = secrets.token_bytes(16)
    write_private(path, json.dumps({"salt": salt.hex(), "hash": _hash(pin, salt).hex()}).encode())
    return pin


def exists(path: Path) -> bool:
    """Say whether this box has a PIN that can be checked."""
    return _read(path) is not None


def _hash(pin: str, salt: bytes) -> bytes:
    return hashlib.scrypt(pin.encode(), salt=salt, dklen=32, **_COST)


def _read(path: Path) -> tuple[bytes, bytes] | None:
    try:
        return pin_of(json.loads(read_limited(path, 1000)))
    except (OSError, RecursionError, *NOT_UNDERSTOOD):
        return None


class PinDoor:
    """Checks PINs, one at a time, and slows down a source that guesses."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._one_at_a_time = asyncio.Semaphore(1)
        self._failures: dict[str, list[float]] = {}

    async def check(self, pin: str, source: str) -> tuple[PinVerdict, int]:
        """Check what was typed; spaces and hyphens do not count. The number is seconds to wait after too many tries."""
        wait = self._wait(source)
        if wait > 0:
            return PinVerdict.TOO_MANY, wait
        digits = "".join(sign for sign in pin if sign not in " -\u00a0")
        stored = _read(self._path)
        # A tried PIN counts before it is checked: many requests at once must not get more tries than one by one.
        self._failures.setdefault(source, []).append(self._clock.monotonic())
        if stored is None or len(digits) != _DIGITS or not (digits.isascii() and digits.isdigit()):
            return self._wrong(source)
        salt, expected = stored
        async with self._one_at_a_time:
            tried = await asyncio.get_running_loop().run_in_executor(None, _hash, digits, salt)
        if not hmac.compare_digest(tried, expected):
            return self._wrong(source)
        self._failures.pop(source, None)
        log.info("the PIN was entered", source=source)
        return PinVerdict.RIGHT, 0

    def _wrong(self, source: str) -> tuple[PinVerdict, int]:
        # Tries beyond the free ones are not recorded one by one, lest they push everything else out of the log.
        log.warning("a wrong PIN was entered", source=source, tries=len(self._failures.get(source, ())))
        return PinVerdict.WRONG, 0

    def _wait(self, source: str) -> int:
        now = self._clock.monotonic()
        recent = [moment for moment in self._failures.get(source, []) if now - moment < _WINDOW]
        if recent:
            self._failures[source] = recent
        else:
            self._failures.pop(source, None)
        if len(self._failures) > _SOURCES_KNOWN:
            self._failures.pop(next(iter(self._failures)))
        return int(_WINDOW - (now - recent[-_FREE_TRIES])) + 1 if len(recent) >= _FREE_TRIES else 0
