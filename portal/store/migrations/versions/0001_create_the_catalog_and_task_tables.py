"""create the catalog and task tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables forward."""
    op.create_table(
        "entities",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("ref", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False, comment="uuid, stable for the life of the ref"),
        sa.Column("etag", sa.Text(), nullable=False, comment="changes with the body"),
        sa.Column("kind", sa.Text(), nullable=False, comment="lower case"),
        sa.Column("title", sa.Text(), nullable=False, comment="metadata.title, or the name"),
        sa.Column("document_id", sa.BigInteger(), nullable=False, comment="the document that holds the ref"),
        sa.Column("source_id", sa.Text(), nullable=False, comment="the source that holds the ref"),
        sa.Column("location", sa.Text(), nullable=False, comment="type:target of the file"),
        sa.Column("digest", sa.Text(), nullable=False, comment="of the declared entity"),
        sa.Column("owner", sa.Text(), nullable=True, comment="ref that spec.owner names"),
        sa.Column("system", sa.Text(), nullable=True, comment="ref that spec.system names"),
        sa.Column("domain", sa.Text(), nullable=True, comment="ref that spec.domain names"),
        sa.Column("layer", sa.Text(), nullable=True, comment="ref that spec.layer names; not the effective layer"),
        sa.Column("body", sa.Text(), nullable=False, comment="the finished JSON text that is served"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_entities")),
        sa.UniqueConstraint("ref", name=op.f("uq_entities_ref")),
        sa.UniqueConstraint("uid", name=op.f("uq_entities_uid")),
    )
    with op.batch_alter_table("entities", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_entities_kind"), ["kind"], unique=False)
        batch_op.create_index(batch_op.f("ix_entities_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_entities_source_id"), ["source_id"], unique=False)

    op.create_table(
        "postings",
        sa.Column("term_id", sa.BigInteger(), nullable=False),
        sa.Column("entity_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("term_id", "entity_id", name=op.f("pk_postings")),
    )
    with op.batch_alter_table("postings", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_postings_entity_id"), ["entity_id"], unique=False)

    op.create_table(
        "relations",
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False, comment="the entity that declares it"),
        sa.PrimaryKeyConstraint("source", "type", "target", "origin", name=op.f("pk_relations")),
    )
    with op.batch_alter_table("relations", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_relations_origin"), ["origin"], unique=False)

    op.create_table(
        "revisions",
        sa.Column(
            "revision",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
            comment="grows by one with each committed refresh",
        ),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("removed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_revisions")),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Text(), nullable=False, comment="uuid"),
        sa.Column("type", sa.Text(), nullable=False, comment="url or file"),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column(
            "registered", sa.Boolean(), nullable=False, comment="through the API; otherwise by settings or the CLI"
        ),
        sa.Column(
            "fingerprint",
            sa.Text(),
            nullable=False,
            comment="of heads, kinds and limits at the last refresh; empty: never",
        ),
        sa.Column(
            "revision", sa.BigInteger(), nullable=False, comment="the last revision that this source wrote; 0: none"
        ),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "refreshed_at_ms", sa.BigInteger(), nullable=True, comment="when the last refresh that found a change ended"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sources")),
        sa.UniqueConstraint("type", "target", name=op.f("uq_sources_type_target")),
    )
    op.create_table(
        "tasks",
        sa.Column("id", sa.Text(), nullable=False, comment="uuid; also the workflow's"),
        sa.Column(
            "status", sa.Text(), nullable=False, comment="open, processing, completed, failed, cancelled or skipped"
        ),
        sa.Column("spec", sa.Text(), nullable=False, comment="JSON, without secrets"),
        sa.Column(
            "secrets", sa.Text(), nullable=True, comment="ciphertext under the instance key; cleared when the task ends"
        ),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_heartbeat_at_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tasks")),
    )
    with op.batch_alter_table("tasks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tasks_created_at_ms"), ["created_at_ms"], unique=False)

    op.create_table(
        "terms",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column(
            "key",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="path of a leaf, lower case",
        ),
        sa.Column(
            "value", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False, comment="lower case"
        ),
        sa.Column(
            "display",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
            comment="the value with its case",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_terms")),
        sa.UniqueConstraint("key", "value", "display", name=op.f("uq_terms_key_value_display")),
    )
    op.create_table(
        "versions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False, comment="added, changed or removed"),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("commit", sa.Text(), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("authored_at_ms", sa.BigInteger(), nullable=True),
        sa.Column("recorded_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("declared", sa.Text(), nullable=False, comment="JSON; empty when removed"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_versions")),
    )
    with op.batch_alter_table("versions", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_versions_ref_revision"), ["ref", "revision"], unique=False)

    op.create_table(
        "documents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False, comment="type:target of the file"),
        sa.Column("line", sa.Integer(), nullable=False, comment="where the document begins in its file, from 1"),
        sa.Column(
            "occurrence", sa.Integer(), nullable=False, comment="counts documents of one ref in one file, from 0"
        ),
        sa.Column("digest", sa.Text(), nullable=False, comment="sha256 of the declared entity, hex"),
        sa.Column(
            "commit", sa.Text(), nullable=False, comment="the commit that last touched the file; empty for a folder"
        ),
        sa.Column("author", sa.Text(), nullable=False, comment="name and address; empty for a folder"),
        sa.Column("authored_at_ms", sa.BigInteger(), nullable=True),
        sa.Column(
            "declared", sa.Text(), nullable=False, comment="JSON of the entity as declared, placeholders replaced"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_documents_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_documents")),
        sa.UniqueConstraint(
            "source_id", "location", "ref", "occurrence", name=op.f("uq_documents_source_id_location_ref_occurrence")
        ),
    )
    with op.batch_alter_table("documents", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_documents_ref"), ["ref"], unique=False)

    op.create_table(
        "files",
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("location", sa.Text(), nullable=False, comment="type:target of the file"),
        sa.Column(
            "blob", sa.Text(), nullable=False, comment="identity of the file's content; empty: it could not be read"
        ),
        sa.Column(
            "inputs", sa.Text(), nullable=False, comment="JSON {location: blob} of files that placeholders took in"
        ),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_files_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("source_id", "location", name=op.f("pk_files")),
    )
    op.create_table(
        "problems",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("ref", sa.Text(), nullable=True),
        sa.Column("location", sa.Text(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=True),
        sa.Column("column", sa.Integer(), nullable=True),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="the revision that first showed it"),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name=op.f("fk_problems_source_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_problems")),
    )
    with op.batch_alter_table("problems", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_problems_ref"), ["ref"], unique=False)
        batch_op.create_index(batch_op.f("ix_problems_source_id"), ["source_id"], unique=False)

    op.create_table(
        "task_events",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False, comment="log, completion, cancelled or recovered"),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["task_id"], ["tasks.id"], name=op.f("fk_task_events_task_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_task_events")),
    )
    with op.batch_alter_table("task_events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_events_task_id"), ["task_id"], unique=False)
