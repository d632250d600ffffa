"""share the looks at sources."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Count the writes to a source; keep when each is looked at next, by which worker."""
    op.add_column(
        "sources",
        sa.Column(
            "generation",
            sa.BigInteger(),
            nullable=False,
            server_default="0",
            comment="grows with each write; a refresh that read another one must not write",
        ),
    )
    op.create_table(
        "looks",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False, comment="when a worker looks at the source again"),
        sa.Column("holder", sa.BigInteger(), nullable=True, comment="number of the worker that looks now"),
        sa.Column(
            "again", sa.Text(), nullable=False, server_default="[]", comment="JSON of files to read though unchanged"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_looks_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", name=op.f("pk_looks")),
    )
