"""Keeps the name server up to date: every change of a label or an address becomes the next zone generation.

What changed is read from the database by its generation number, so it does not matter who changed it: this process,
which wakes the feed at once, or a command beside it, which is noticed within a second. The numbers are the serials
of the zone. The database may be gone meanwhile; the name server answers from memory (F-50).
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from lancert.dns.server import NameServer
from lancert.dns.zone import ZoneFacts
from lancert.kit.logs import Log
from lancert.protocol.names import Address, AddressRanges, Label, Zone
from lancert.service.store.writer import Store
from lancert.service.store.zone import ZoneChanges, zone_changes

_LOOK_EVERY: Final = 1.0
_AT_MOST_EVERY: Final = 0.05
_log = Log("service.zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneFrame:
    """What of the zone comes from the settings; host names are relative to the zone."""

    zone: Zone
    ranges: AddressRanges
    name_servers: tuple[str, ...]
    hosts: Mapping[str, tuple[Address, ...]]


def first_facts(frame: ZoneFrame) -> ZoneFacts:
    """Give the zone without any box."""
    return ZoneFacts(
        zone=frame.zone,
        ranges=frame.ranges,
        serial=0,
        name_servers=frame.name_servers,
        hosts=frame.hosts,
    )


def next_facts(facts: ZoneFacts, changes: ZoneChanges) -> ZoneFacts:
    """Give the generation after these changes; the one before is left as it is."""
    boxes = dict(facts.boxes)
    for label, addresses in changes.changed.items():
        if addresses is None:
            boxes.pop(label, None)
        else:
            boxes[label] = addresses
    return replace(facts, boxes=boxes, serial=changes.generation % 2**32)


class ZoneFeed:
    """Publishes the generations of a store to a name server."""

    def __init__(self, store: Store, server: NameServer) -> None:
        self._store = store
        self._server = server
        self._generation = 0
        self._changed = asyncio.Event()

    def wake(self) -> None:
        """Say that this process changed the zone."""
        self._changed.set()

    async def refresh(self) -> None:
        """Publish what changed since the last time. Raises StoreUnavailable."""
        self._changed.clear()
        changes = await self._store.read(partial(zone_changes, since=self._generation))
        if changes.generation < self._generation:
            # The database was put back from a backup: the zone is what it says, from the beginning.
            self._server.publish(replace(self._server.facts, boxes=dict[Label, tuple[Address, ...]]()))
            changes = await self._store.read(partial(zone_changes, since=0))
        if changes.generation != self._generation:
            self._server.publish(next_facts(self._server.facts, changes))
            self._generation = changes.generation

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                await self.refresh()
            except Exception:
                _log.exception("the zone could not be brought up to date; it is answered as it was")
            await asyncio.sleep(_AT_MOST_EVERY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._changed.wait()
