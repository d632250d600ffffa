"""number references."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_EXACT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_NAMED = "SELECT source AS ref FROM relations_before UNION SELECT target FROM relations_before"


def upgrade() -> None:
    """Give each reference a number, an entity's being that of its row, and let relations name these."""
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    op.drop_index("ix_relations_type_target", "relations")
    for table in ("relations", "relation_types"):
        op.rename_table(table, f"{table}_before")
        if is_postgresql:
            op.execute(f"ALTER INDEX pk_{table} RENAME TO pk_{table}_before")
    op.create_table(
        "refs",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("ref", _EXACT, nullable=False, comment="of an entity that is there, was, or is only named"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refs")),
        sa.UniqueConstraint("ref", name=op.f("uq_refs_ref")),
    )
    op.execute("INSERT INTO refs SELECT id, ref FROM entities ORDER BY id")
    op.execute(
        "INSERT INTO refs SELECT (SELECT coalesce(max(id), 0) FROM refs) + row_number() OVER (ORDER BY ref), ref "  # noqa: S608  # a constant
        f"FROM ({_NAMED}) AS named WHERE ref NOT IN (SELECT ref FROM refs)"
    )
    op.create_table(
        "relation_types",
        sa.Column("id", _ID, autoincrement=False, nullable=False),
        sa.Column("name", _EXACT, nullable=False, comment="of any relation that there is, or was"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relation_types")),
        sa.UniqueConstraint("name", name=op.f("uq_relation_types_name")),
    )
    op.execute("INSERT INTO relation_types SELECT row_number() OVER (ORDER BY name), name FROM relation_types_before")
    op.create_table(
        "relations",
        sa.Column("source_id", sa.BigInteger(), nullable=False, comment="of the ref that it leaves"),
        sa.Column("type_id", sa.BigInteger(), nullable=False),
        sa.Column("target_id", sa.BigInteger(), nullable=False, comment="of the ref that it leads to"),
        sa.Column("is_inverse", sa.Boolean(), nullable=False, comment="the target declares it, not the source"),
        sa.PrimaryKeyConstraint("source_id", "type_id", "target_id", "is_inverse", name=op.f("pk_relations")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO relations SELECT sources.id, types.id, targets.id, is_inverse FROM relations_before AS before "
        "JOIN refs AS sources ON sources.ref = before.source JOIN refs AS targets ON targets.ref = before.target "
        "JOIN relation_types AS types ON types.name = before.type"
    )
    op.create_index(op.f("ix_relations_type_id_target_id"), "relations", ["type_id", "target_id"])
    if is_postgresql:
        op.execute("COMMENT ON COLUMN entities.id IS 'the number of its ref'")
    op.drop_table("relations_before")
    op.drop_table("relation_types_before")
