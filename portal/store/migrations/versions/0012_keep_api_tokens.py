"""keep api tokens."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of personal and service tokens."""
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Text(), nullable=False, comment="16 hex characters; part of the token"),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the token, hex"),
        sa.Column("kind", sa.Text(), nullable=False, comment="personal or service"),
        sa.Column("owner", exact, nullable=False, comment="ref of the user, or the service's name"),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False, comment="JSON list, as asked for"),
        sa.Column("needs_entity", sa.Boolean(), nullable=False, comment="ends with the entity of the owner"),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("last_used_at_ms", sa.BigInteger(), nullable=True, comment="written in batches"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_tokens")),
    )
    op.create_index(op.f("ix_api_tokens_owner"), "api_tokens", ["owner"])
