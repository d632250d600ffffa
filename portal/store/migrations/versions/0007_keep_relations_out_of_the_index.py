"""keep relations out of the index."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_OTHERS = "SELECT id FROM terms WHERE key = 'metadata.uid' OR key LIKE 'relations.%'"
_LISTS = {
    "sqlite": "SELECT json_group_array(term_id) FROM postings WHERE entity_id = entities.id",
    "postgresql": "SELECT coalesce(json_agg(term_id ORDER BY term_id), '[]')::text FROM postings "
    "WHERE entity_id = entities.id",
}


def upgrade() -> None:
    """Let relations and uids be found where they stand; an entity tells its own terms."""
    op.execute(f"DELETE FROM postings WHERE term_id IN ({_OTHERS})")  # noqa: S608  # a constant
    op.execute("DELETE FROM terms WHERE key = 'metadata.uid' OR key LIKE 'relations.%'")
    op.add_column(
        "entities",
        sa.Column("term_ids", sa.Text(), nullable=False, server_default="[]", comment="JSON of the ids of its terms"),
    )
    op.execute(f"UPDATE entities SET term_ids = ({_LISTS[op.get_bind().dialect.name]})")  # noqa: S608  # a constant
    op.drop_index("ix_postings_entity_id", "postings")
    op.drop_index("ix_relations_origin", "relations")
    op.rename_table("relations", "relations_before")
    if op.get_bind().dialect.name == "postgresql":
        op.execute('ALTER TABLE entities ALTER COLUMN uid TYPE text COLLATE "C"')
        op.execute("ALTER INDEX pk_relations RENAME TO pk_relations_before")
    op.create_table(
        "relations",
        sa.Column("source", _EXACT, nullable=False),
        sa.Column("type", _EXACT, nullable=False),
        sa.Column("target", _EXACT, nullable=False),
        sa.Column("is_inverse", sa.Boolean(), nullable=False, comment="the target declares it, not the source"),
        sa.PrimaryKeyConstraint("source", "type", "target", "is_inverse", name=op.f("pk_relations")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO relations SELECT source, type, target, origin <> source FROM relations_before ORDER BY 1, 2, 3"
    )
    op.drop_table("relations_before")
    op.create_index(op.f("ix_relations_type_target"), "relations", ["type", "target"])
    op.create_table(
        "relation_types",
        sa.Column("name", _EXACT, nullable=False, comment="of any relation that there is, or was"),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_relation_types")),
    )
    op.execute("INSERT INTO relation_types SELECT DISTINCT type FROM relations")
