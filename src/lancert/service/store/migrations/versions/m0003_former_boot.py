"""The last counter of the boot before the last one of a box, by which a copy of its memory card is told."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; nothing is known of any boot before."""
    for name in ("former_boot", "former_count"):
        op.add_column("boxes", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
