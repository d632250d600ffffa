"""keep the settings of users."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of what users set for themselves in front ends."""
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "user_settings",
        sa.Column("user_ref", exact, nullable=False),
        sa.Column("bucket", exact, nullable=False),
        sa.Column("key", exact, nullable=False),
        sa.Column("value", sa.Text(), nullable=False, comment="JSON"),
        sa.PrimaryKeyConstraint("user_ref", "bucket", "key", name=op.f("pk_user_settings")),
    )
