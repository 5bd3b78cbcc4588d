"""Compiled templates where Python keeps what it compiled of the modules beside them.

Compiling takes 1.4 MB that are never given back and a tenth of a second of a small board's time; the code that comes
out takes hardly anything. Where the folder cannot be written, or Python was told to write nothing, each start
compiles for itself. What is read counts only if its digest is right, so that a damaged memory card cannot make
a page of its own; and it is only as trusted as the modules it lies beside.
"""

import contextlib
import importlib.util
import sys
from hashlib import sha256
from pathlib import Path

from lancert.kit.files import write_public

_MOST_BYTES = 1_000_000
_DIGEST_BYTES = 32


class NotCompiled(Exception):
    """There is no code of this template, and nothing here that could make it."""


class Kept:
    """The code that is kept of each template; ``recipe`` is whatever they are compiled with."""

    def __init__(self, templates: Path, recipe: bytes) -> None:
        self._templates = templates
        self._recipe = recipe

    def read(self, name: str, source: str) -> bytes | None:
        """Give what was kept, if it is whole and of this very source."""
        with contextlib.suppress(OSError):
            with self._place(name).open("rb") as file:
                digest, code = file.read(_DIGEST_BYTES), file.read(_MOST_BYTES)
            if digest == self._digest(source, code):
                return code
        return None

    def write(self, name: str, source: str, code: bytes) -> None:
        """Keep what was compiled, if that is possible."""
        if sys.dont_write_bytecode:
            return
        place = self._place(name)
        with contextlib.suppress(OSError):
            place.parent.mkdir(parents=True, exist_ok=True)
            write_public(place, self._digest(source, code) + code)

    def _place(self, name: str) -> Path:
        return Path(importlib.util.cache_from_source(str(self._templates / name), optimization="template"))

    def _digest(self, source: str, code: bytes) -> bytes:
        return sha256(b"\0".join((self._recipe, sha256(source.encode()).digest(), code))).digest()
