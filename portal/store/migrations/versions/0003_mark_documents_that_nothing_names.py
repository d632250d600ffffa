"""mark documents that nothing names any more."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.add_column(
        "documents",
        sa.Column(
            "is_orphan",
            sa.Boolean(),
            server_default=sa.false(),
            nullable=False,
            comment="nothing names it any more, and it is kept",
        ),
    )
