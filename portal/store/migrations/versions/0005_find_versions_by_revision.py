"""find versions by revision."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.create_index(op.f("ix_versions_revision"), "versions", ["revision"])
