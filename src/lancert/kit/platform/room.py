"""What a disk has room for, as both systems say it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What may still be written; ``files`` is None where a file system makes room for them as it goes."""

    is_read_only: bool
    bytes: int
    files: int | None
