"""Libraries without the parts of them that a box never uses.

Some import a heavy module for one function of many: uvicorn for starting processes of its own, click for a type of
option, segno for escaping three signs, Jinja2 for a cache in a temporary folder. Without them a box takes 3 MB less,
and 20 ms to its start. They are left out of that one import: whoever imports them later gets the real ones.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


class _StandIn(ModuleType):
    """A module in which every name is there and means nothing."""

    def __getattr__(self, name: str) -> None:
        # What the import system asks for is not there: no package, no file.
        if name.startswith("__"):
            raise AttributeError(name)


def plain_host(name: str) -> str:
    """Give a host name in the letters of the DNS as the bytes they are: asyncio hands either on to OpenSSL.

    As text it would load the tables of international names, 0.4 MB. Raises UnicodeEncodeError for such a name.
    """
    return cast(str, name.encode("ascii"))


@contextmanager
def without(*names: str) -> Iterator[None]:
    """Import without these modules; those that are loaded already stay."""
    stand_ins = {name: _StandIn(name) for name in names if name not in sys.modules}
    sys.modules.update(stand_ins)
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
