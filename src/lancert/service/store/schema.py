"""The tables of the service, as SQLAlchemy Core describes them; ``migrations`` builds the same, and a test compares.

No column holds a private key (S-01). Moments are whole seconds since 1970 in UTC: one spelling on every database,
and cheap to compare. Names and codes that people or other systems gave are the keys, so that pushing the same
facts again changes nothing. Seats are given by ``boxes.joined``: a box that moves to another contract comes
last there.
"""

import json
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

HEAD: Final = "0003"
"""The newest migration: what the database of a running service is at."""


def seconds(moment: datetime) -> int:
    """Give a moment as the tables keep it: whole seconds since 1970."""
    return int(moment.timestamp())


class Moment(TypeDecorator[datetime]):
    """An aware UTC moment, kept as whole seconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Write a moment."""
        return None if value is None else seconds(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Read a moment."""
        return None if value is None else datetime.fromtimestamp(value, UTC)


class Json(TypeDecorator[Any]):
    """A small value kept as JSON text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:
        """Write a value."""
        return json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        """Read a value."""
        return json.loads(value)


# SQLite counts rows by themselves only in a column of the type INTEGER.
_Number = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

tenants = Table(
    "tenants",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", String(200), nullable=False),
)

contracts = Table(
    "contracts",
    metadata,
    Column("code", String(64), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False, index=True),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("contract", ForeignKey("contracts.code"), nullable=False, index=True),
    Column("status", String(16), nullable=False),
)

subscription_lines = Table(
    "subscription_lines",
    metadata,
    Column("subscription", ForeignKey("subscriptions.id"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("product", String(64), nullable=False),
    Column("quantity", Integer, nullable=False),
    CheckConstraint("quantity >= 0", name="quantity"),
)

databases = Table(
    "databases",
    metadata,
    Column("uuid", String(36), primary_key=True),
    Column("tenant", ForeignKey("tenants.id"), nullable=False, index=True),
    Column("name", String(200), nullable=False),
    Column("environment", String(16), nullable=False),
    Column("is_duplicated", Boolean, nullable=False),
)

boxes = Table(
    "boxes",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("id", String(32), nullable=False, unique=True),
    Column("label", String(16), nullable=False, unique=True),
    Column("identity", String(43), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("name", String(64), nullable=False),
    Column("version", String(32), nullable=False),
    Column("contract", ForeignKey("contracts.code"), nullable=False),
    Column("database", ForeignKey("databases.uuid"), nullable=False, index=True),
    Column("enrolled_at", Moment, nullable=False),
    Column("suspended_at", Moment),
    Column("withdrawn_at", Moment),
    # The greatest counter accepted so far, with the SHA-256 of the body that carried it.
    Column("boot", BigInteger, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("body_hash", String(64), nullable=False),
    # The last counter of the boot before: a copy of the box that goes on with it is told by that.
    Column("former_boot", BigInteger, nullable=False, server_default="0"),
    Column("former_count", BigInteger, nullable=False, server_default="0"),
    Column("conflict_signs", Integer, nullable=False),
    Column("addresses", Json, nullable=False),
    Column("problems", Json, nullable=False),
    # What the doctor of the box found last; null until it said so.
    Column("diagnosis", Json, nullable=False, server_default="null"),
    Column("certificate_serial", String(40)),
    Column("certificate_not_after", Moment),
    Column("seen_at", Moment),
    # The zone generation in which the box came to its contract: the order in which seats are given.
    Column("joined", BigInteger, nullable=False),
    # The zone generation in which label or addresses changed last: what the name server has not seen yet.
    Column("generation", BigInteger, nullable=False, index=True),
)
# An identity is one box at a time; withdrawn boxes stay as history, and their labels are never given again.
Index(
    "uq_boxes_live_identity",
    boxes.c.identity,
    unique=True,
    sqlite_where=boxes.c.withdrawn_at.is_(None),
    postgresql_where=boxes.c.withdrawn_at.is_(None),
)
Index("ix_boxes_seats", boxes.c.contract, boxes.c.withdrawn_at, boxes.c.suspended_at, boxes.c.joined)

issuances = Table(
    "issuances",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("serial", String(40), nullable=False),
    # Empty for the service's own certificate.
    Column("box", ForeignKey("boxes.number"), index=True),
    Column("key_hash", String(64), nullable=False, index=True),
    Column("public_key", LargeBinary, nullable=False),
    # The names, with spaces between them, and what was judged before, as JSON: most rows are written and never read.
    Column("names", Text, nullable=False),
    Column("facts", Text, nullable=False),
    Column("not_before", Moment, nullable=False),
    Column("not_after", Moment, nullable=False),
    Column("issuer", String(64), nullable=False),
    Column("intended_at", Moment, nullable=False),
    # Filled when the signed certificate is recorded; a row without is an unfinished intent.
    Column("certificate", LargeBinary),
    Column("issued_at", Moment),
    UniqueConstraint("serial"),
)

refusals = Table(
    "refusals",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("box", ForeignKey("boxes.number"), nullable=False, index=True),
    Column("at", Moment, nullable=False),
    # What was judged, and the unmet criteria, as in ``issuances``.
    Column("facts", Text, nullable=False),
)

blocked_keys = Table(
    "blocked_keys",
    metadata,
    Column("key_hash", String(64), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("why", String(200), nullable=False),
)

events = Table(
    "events",
    metadata,
    Column("number", _Number, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", String(200), nullable=False, index=True),
    Column("tenant", String(64)),
    Column("why", String(500), nullable=False),
)

zone_generation = Table(
    "zone_generation",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    CheckConstraint("one = 1", name="one"),
)
