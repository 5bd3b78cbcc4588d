"""A writer of the little DER (X.690) that is on the hot path: it writes, it never reads.

Reading belongs to the ``cryptography`` library alone, so that what is written here is always read back by other code.
"""

from datetime import UTC, datetime

SEQUENCE = 0x30
OCTETS = 0x04
BITS = 0x03


def wrap(tag: int, *parts: bytes) -> bytes:
    """Write a value: its tag, its length in the shortest form (X.690, 10.1), the parts one after another."""
    content = b"".join(parts)
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big") + content


def sequence(*parts: bytes) -> bytes:
    """Write a SEQUENCE of values."""
    return wrap(SEQUENCE, *parts)


def octets(content: bytes) -> bytes:
    """Write an OCTET STRING."""
    return wrap(OCTETS, content)


def bits(content: bytes) -> bytes:
    """Write a BIT STRING of whole bytes."""
    return wrap(BITS, b"\x00", content)


def integer(number: int) -> bytes:
    """Write an INTEGER that is not negative."""
    return wrap(0x02, number.to_bytes(number.bit_length() // 8 + 1, "big"))


def boolean_true() -> bytes:
    """Write the BOOLEAN true."""
    return b"\x01\x01\xff"


def identifier(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER."""
    first, second, *more = (int(part) for part in dotted.split("."))
    written = bytearray()
    for number in (first * 40 + second, *more):
        groups = [number & 0x7F]
        while number := number >> 7:
            groups.append(0x80 | number & 0x7F)
        written += bytes(reversed(groups))
    return wrap(0x06, bytes(written))


def moment(when: datetime) -> bytes:
    """Write a time with whole seconds: UTCTime through the year 2049, GeneralizedTime after (RFC 5280, 4.1.2.5)."""
    at = when if when.tzinfo is UTC else when.astimezone(UTC)
    rest = f"{at.month:02}{at.day:02}{at.hour:02}{at.minute:02}{at.second:02}Z"
    if 1950 <= at.year <= 2049:
        return wrap(0x17, f"{at.year % 100:02}{rest}".encode("ascii"))
    return wrap(0x18, f"{at.year:04}{rest}".encode("ascii"))
