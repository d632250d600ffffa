"""keep relations and postings in their keys on SQLite, not in a table beside them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    if op.get_bind().dialect.name != "sqlite":
        return
    op.rename_table("postings", "postings_before")
    op.create_table(
        "postings",
        sa.Column("term_id", sa.BigInteger(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("term_id", "entity_id", name=op.f("pk_postings")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO postings SELECT term_id, entity_id FROM postings_before ORDER BY term_id, entity_id")
    op.drop_table("postings_before")
    op.create_index(op.f("ix_postings_entity_id"), "postings", ["entity_id"])
    op.rename_table("relations", "relations_before")
    op.create_table(
        "relations",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="the entity that declares it"),
        sa.PrimaryKeyConstraint("source", "type", "target", "origin", name=op.f("pk_relations")),
        sqlite_with_rowid=False,
    )
    op.execute("INSERT INTO relations SELECT source, type, target, origin FROM relations_before")
    op.drop_table("relations_before")
    op.create_index(op.f("ix_relations_origin"), "relations", ["origin"])
