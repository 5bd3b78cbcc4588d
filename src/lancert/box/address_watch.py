"""Notices that the addresses of this box may have changed: told by the kernel on Linux, by looking elsewhere.

Whoever waits looks for itself what there is now; a call too many costs half a millisecond.
"""

import asyncio
import contextlib
from typing import Protocol

from lancert.box import netlink

_LOOK_EVERY = 5.0  # seconds, where nobody tells
_LOOK_ANYWAY = 60.0  # seconds, where the kernel tells
_SETTLE = 0.1  # seconds: a new lease takes several steps, and none of them alone means anything


class AddressWatch(Protocol):
    """Knows when to look again."""

    async def changed(self) -> None:
        """Wait until there may be something new."""
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class PollingWatch:
    """Has somebody look every few seconds, on systems that tell nothing in a way we know."""

    async def changed(self) -> None:
        """Wait a while."""
        await asyncio.sleep(_LOOK_EVERY)

    def close(self) -> None:
        """Hold nothing."""


class NetlinkWatch:
    """Is told by the Linux kernel (rtnetlink(7))."""

    def __init__(self) -> None:
        self._news = netlink.open_news()
        self._told = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._news.fileno(), self._told.set)

    async def changed(self) -> None:
        """Wait for the kernel's word, and a moment longer. Raises OSError when no more words will come."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LOOK_ANYWAY):
                await self._told.wait()
            await asyncio.sleep(_SETTLE)
        netlink.drain(self._news)
        self._told.clear()

    def close(self) -> None:
        """Close the socket."""
        asyncio.get_running_loop().remove_reader(self._news.fileno())
        self._news.close()


def watch() -> AddressWatch:
    """Give the best watch there is here; to be called in a running loop."""
    try:
        return NetlinkWatch()
    except (OSError, NotImplementedError):
        return PollingWatch()
