"""want looks beside the schedule."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep which looks somebody wants beside those that come by time; pushes want them as all others do."""
    op.add_column(
        "looks",
        sa.Column(
            "wanted_at_ms",
            sa.BigInteger(),
            nullable=True,
            comment="when a worker looks because somebody wants it; none: nobody does",
        ),
    )
    op.add_column(
        "looks",
        sa.Column("wanted_holder", sa.BigInteger(), nullable=True, comment="number of the worker that looks for that"),
    )
    op.execute(
        "INSERT INTO looks (source_id, due_at_ms) SELECT source_id, asked_at_ms FROM pending_refreshes"
        " WHERE source_id IN (SELECT id FROM sources) AND source_id NOT IN (SELECT source_id FROM looks)"
    )
    # Until now a look was brought forward for whoever wanted it with files to read.
    op.execute(
        "UPDATE looks SET wanted_at_ms = 0"
        " WHERE again <> '[]' OR source_id IN (SELECT source_id FROM pending_refreshes)"
    )
    op.drop_table("pending_refreshes")
