"""Who changes the directory, and the line each change leaves in the record of events."""

import re
from dataclasses import dataclass
from datetime import datetime

from lancert.service.directory.errors import NotUsable
from lancert.service.model import Actor, Event, TenantId
from lancert.service.store import Connection
from lancert.service.store.events import record_event

_KEY = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,62}[A-Za-z0-9])?")
_NAME_LIMIT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class By:
    """Who asks for a change, when, and why."""

    actor: Actor
    at: datetime
    why: str = ""


def record(connection: Connection, by: By, action: str, subject: str, tenant: TenantId | None = None) -> None:
    """Add the line of one change to the record of events."""
    event = Event(at=by.at, actor=by.actor, action=action, subject=subject, why=by.why[:500])
    record_event(connection, event, tenant=tenant)


def check_key(text: str, what: str) -> None:
    """Refuse a key that is not 1 to 64 letters and digits with ``. _ / -`` between them. Raises NotUsable."""
    if not _KEY.fullmatch(text):
        raise NotUsable(
            f"“{text[:64]}” cannot be the {what}: use 1 to 64 letters and digits, with . _ / or - between them."
        )


def check_name(text: str, what: str) -> None:
    """Refuse a name that is empty, long, or holds signs that do not print. Raises NotUsable."""
    if not text.strip() or len(text) > _NAME_LIMIT or not text.isprintable():
        raise NotUsable(f"The {what} must be 1 to {_NAME_LIMIT} printable characters.")
