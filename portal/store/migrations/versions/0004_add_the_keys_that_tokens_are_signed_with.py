"""add the keys that tokens are signed with."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Text(), nullable=False, comment="uuid; the kid of tokens"),
        sa.Column("public_key", sa.Text(), nullable=False, comment="JSON Web Key"),
        sa.Column("private_key", sa.Text(), nullable=False, comment="ciphertext under the instance key"),
        sa.Column("signs_until_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False, comment="until when its signatures are believed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_signing_keys")),
    )
