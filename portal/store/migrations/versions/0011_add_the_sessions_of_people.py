"""add the sessions of people who have signed in."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False, comment="SHA-256 of the id that the browser holds, hex"),
        sa.Column("user_ref", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False, comment="id of the settings' sign_in_providers"),
        sa.Column("profile", sa.Text(), nullable=False, comment="JSON: email, displayName, picture"),
        sa.Column("sealed", sa.Text(), nullable=True, comment="the provider's tokens, ciphertext"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_index(op.f("ix_sessions_expires_at_ms"), "sessions", ["expires_at_ms"])
