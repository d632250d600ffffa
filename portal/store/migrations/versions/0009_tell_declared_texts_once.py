"""tell declared texts once."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_COMMENT = "JSON of the entity as declared, placeholders replaced"


def upgrade() -> None:
    """Leave the text of a document to the version that tells it; drop indexes that no question uses."""
    with op.batch_alter_table("documents") as documents:
        documents.alter_column(
            "declared",
            existing_type=sa.Text(),
            nullable=True,
            existing_comment=_COMMENT,
            comment=f"{_COMMENT}; none: that of its version",
        )
    op.execute(
        "UPDATE documents SET declared = NULL WHERE EXISTS (SELECT 1 FROM versions WHERE versions.ref = documents.ref "
        "AND versions.digest = documents.digest AND versions.change <> 'removed')"
    )
    op.drop_index("ix_entities_source_id", "entities")
    op.drop_index("ix_entities_owner", "entities")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE entities SET (toast_tuple_target = 8160)")
