"""know the commits of templates."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep with each task at which commit of its template it ran."""
    op.add_column(
        "tasks",
        sa.Column(
            "template_commit",
            sa.Text(),
            nullable=True,
            comment="of the template that it ran; none: it has not ended, or the template lies in a folder",
        ),
    )
