"""The record of events: rows are added and read, never changed (append-only)."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from lancert.service.model import Actor, Event, TenantId
from lancert.service.store.schema import events


def record_event(connection: Connection, event: Event, *, tenant: TenantId | None = None) -> None:
    """Add one event to the record."""
    connection.execute(
        events.insert(),
        {
            "at": event.at,
            "actor": event.actor,
            "action": event.action,
            "subject": event.subject,
            "tenant": tenant,
            "why": event.why,
        },
    )


def last_events(connection: Connection, *, subject: str | None = None, most: int = 100) -> Sequence[Event]:
    """Give the newest events first, of one subject or of all."""
    query = select(events).order_by(events.c.number.desc()).limit(most)
    if subject is not None:
        query = query.where(events.c.subject == subject)
    return [
        Event(at=row.at, actor=Actor(row.actor), action=row.action, subject=row.subject, why=row.why)
        for row in connection.execute(query)
    ]
