"""What the doctor of a box found last, as the box reported it."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; nothing is known of any box yet."""
    op.add_column("boxes", sa.Column("diagnosis", sa.Text(), nullable=False, server_default="null"))
