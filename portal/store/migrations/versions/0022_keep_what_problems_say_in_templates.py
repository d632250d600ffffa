"""keep what problems say in templates."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the templates of what problems say; those that are kept stay English until they are found anew."""
    comment = "JSON of found, expected, hint: templates with values, where any has"
    op.add_column("problems", sa.Column("said", sa.Text(), nullable=True, comment=comment))
