"""What the name server is told: the labels of live boxes with their addresses, and the number of the generation.

Whoever changes a label or an address raises the number in the same transaction and writes it beside the box, so
that a reader finds everything that changed since the number it knows.
"""

from dataclasses import dataclass
from ipaddress import ip_address

from sqlalchemy import Connection, select

from lancert.protocol.names import Address, Label
from lancert.service.store.schema import boxes, zone_generation


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneChanges:
    """The generation the database is at, and what changed: addresses by label, None for a label withdrawn."""

    generation: int
    changed: dict[Label, tuple[Address, ...] | None]


def next_generation(connection: Connection) -> int:
    """Raise the number of the generation and give it; the change that asks for it belongs to it."""
    connection.execute(zone_generation.update().values(number=zone_generation.c.number + 1))
    number: int = connection.execute(select(zone_generation.c.number)).scalar_one()
    return number


def zone_changes(connection: Connection, *, since: int) -> ZoneChanges:
    """Give everything that changed after a generation; since 0 that is the whole zone."""
    generation = connection.execute(select(zone_generation.c.number)).scalar_one()
    if generation == since:
        return ZoneChanges(generation=generation, changed={})
    query = select(boxes.c.label, boxes.c.addresses, boxes.c.withdrawn_at).where(boxes.c.generation > since)
    return ZoneChanges(
        generation=generation,
        changed={
            Label(row.label): None if row.withdrawn_at is not None else tuple(map(ip_address, row.addresses))
            for row in connection.execute(query)
        },
    )
