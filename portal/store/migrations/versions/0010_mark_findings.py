"""mark findings."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep since when there are findings; nothing is known of those that are there already."""
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "finding_marks",
        sa.Column("mark", exact, nullable=False, comment="digest of a finding's rule, ref and message"),
        sa.Column("after_revision", sa.BigInteger(), nullable=False, comment="the last one looked at without it"),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="the first one looked at with it"),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_finding_marks")),
    )
    op.add_column(
        "revisions",
        sa.Column(
            "is_marked",
            sa.Boolean(),
            nullable=False,
            server_default=sa.false(),
            comment="finding_marks were brought up to it",
        ),
    )
