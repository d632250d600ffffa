"""hear of pushes."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep which sources a push concerns until they have been looked at, with which deliveries were heard."""
    op.create_table(
        "pending_refreshes",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("asked", sa.BigInteger(), nullable=False, comment="how often it was asked for, looked at or not"),
        sa.Column("asked_at_ms", sa.BigInteger(), nullable=False, comment="when it was asked for first"),
        sa.Column("taken_until_ms", sa.BigInteger(), nullable=False, comment="until when it is one process's; 0: free"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_pending_refreshes")),
    )
    op.create_table(
        "heard_deliveries",
        sa.Column("key", sa.Text(), nullable=False, comment="sha256 of the id or the content of a delivery, hex"),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_heard_deliveries")),
    )
    op.create_index(op.f("ix_heard_deliveries_expires_at_ms"), "heard_deliveries", ["expires_at_ms"])
