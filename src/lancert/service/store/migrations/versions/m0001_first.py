"""The first tables: tenants to boxes, issuances, decisions, blocked keys, events, the zone's generation."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "blocked_keys",
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("key_hash", name="pk_blocked_keys"),
    )
    op.create_table(
        "events",
        sa.Column("number", number, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=200), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=True),
        sa.Column("why", sa.String(length=500), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_events"),
    )
    op.create_index("ix_events_subject", "events", ["subject"], unique=False)
    op.create_table(
        "tenants",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tenants"),
    )
    op.create_table(
        "zone_generation",
        sa.Column("one", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("one = 1", name="ck_zone_generation_one"),
        sa.PrimaryKeyConstraint("one", name="pk_zone_generation"),
    )
    op.create_table(
        "contracts",
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_contracts_tenant_tenants"),
        sa.PrimaryKeyConstraint("code", name="pk_contracts"),
    )
    op.create_index("ix_contracts_tenant", "contracts", ["tenant"], unique=False)
    op.create_table(
        "databases",
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=16), nullable=False),
        sa.Column("is_duplicated", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["tenant"], ["tenants.id"], name="fk_databases_tenant_tenants"),
        sa.PrimaryKeyConstraint("uuid", name="pk_databases"),
    )
    op.create_index("ix_databases_tenant", "databases", ["tenant"], unique=False)
    op.create_table(
        "boxes",
        sa.Column("number", number, nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("identity", sa.String(length=43), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("database", sa.String(length=36), nullable=False),
        sa.Column("enrolled_at", sa.BigInteger(), nullable=False),
        sa.Column("suspended_at", sa.BigInteger(), nullable=True),
        sa.Column("withdrawn_at", sa.BigInteger(), nullable=True),
        sa.Column("boot", sa.BigInteger(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("body_hash", sa.String(length=64), nullable=False),
        sa.Column("conflict_signs", sa.Integer(), nullable=False),
        sa.Column("addresses", sa.Text(), nullable=False),
        sa.Column("problems", sa.Text(), nullable=False),
        sa.Column("certificate_serial", sa.String(length=40), nullable=True),
        sa.Column("certificate_not_after", sa.BigInteger(), nullable=True),
        sa.Column("seen_at", sa.BigInteger(), nullable=True),
        sa.Column("joined", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["contract"], ["contracts.code"], name="fk_boxes_contract_contracts"),
        sa.ForeignKeyConstraint(["database"], ["databases.uuid"], name="fk_boxes_database_databases"),
        sa.PrimaryKeyConstraint("number", name="pk_boxes"),
        sa.UniqueConstraint("id", name="uq_boxes_id"),
        sa.UniqueConstraint("label", name="uq_boxes_label"),
    )
    op.create_index("ix_boxes_database", "boxes", ["database"], unique=False)
    op.create_index("ix_boxes_generation", "boxes", ["generation"], unique=False)
    op.create_index("ix_boxes_seats", "boxes", ["contract", "withdrawn_at", "suspended_at", "joined"], unique=False)
    op.create_index(
        "uq_boxes_live_identity",
        "boxes",
        ["identity"],
        unique=True,
        sqlite_where=sa.text("withdrawn_at IS NULL"),
        postgresql_where=sa.text("withdrawn_at IS NULL"),
    )
    op.create_table(
        "subscriptions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("contract", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.ForeignKeyConstraint(["contract"], ["contracts.code"], name="fk_subscriptions_contract_contracts"),
        sa.PrimaryKeyConstraint("id", name="pk_subscriptions"),
    )
    op.create_index("ix_subscriptions_contract", "subscriptions", ["contract"], unique=False)
    op.create_table(
        "issuances",
        sa.Column("number", number, nullable=False),
        sa.Column("serial", sa.String(length=40), nullable=False),
        sa.Column("box", number, nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("names", sa.Text(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.Column("not_before", sa.BigInteger(), nullable=False),
        sa.Column("not_after", sa.BigInteger(), nullable=False),
        sa.Column("issuer", sa.String(length=64), nullable=False),
        sa.Column("intended_at", sa.BigInteger(), nullable=False),
        sa.Column("certificate", sa.LargeBinary(), nullable=True),
        sa.Column("issued_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["box"], ["boxes.number"], name="fk_issuances_box_boxes"),
        sa.PrimaryKeyConstraint("number", name="pk_issuances"),
        sa.UniqueConstraint("serial", name="uq_issuances_serial"),
    )
    op.create_index("ix_issuances_box", "issuances", ["box"], unique=False)
    op.create_index("ix_issuances_key_hash", "issuances", ["key_hash"], unique=False)
    op.create_table(
        "refusals",
        sa.Column("number", number, nullable=False),
        sa.Column("box", number, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("facts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["box"], ["boxes.number"], name="fk_refusals_box_boxes"),
        sa.PrimaryKeyConstraint("number", name="pk_refusals"),
    )
    op.create_index("ix_refusals_box", "refusals", ["box"], unique=False)
    op.create_table(
        "subscription_lines",
        sa.Column("subscription", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("product", sa.String(length=64), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.CheckConstraint("quantity >= 0", name="ck_subscription_lines_quantity"),
        sa.ForeignKeyConstraint(
            ["subscription"], ["subscriptions.id"], name="fk_subscription_lines_subscription_subscriptions"
        ),
        sa.PrimaryKeyConstraint("subscription", "position", name="pk_subscription_lines"),
    )
    zone_generation = sa.table("zone_generation", sa.column("one", sa.Integer), sa.column("number", sa.BigInteger))
    op.execute(zone_generation.insert().values(one=1, number=1))
