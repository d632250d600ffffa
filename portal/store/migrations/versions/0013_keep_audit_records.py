"""keep audit records."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_GUARDS = {
    "sqlite": (
        (
            "CREATE TRIGGER audit_records_stand BEFORE UPDATE ON audit_records "
            "BEGIN SELECT RAISE(ABORT, 'audit records are never changed'); END"
        ),
        (
            "CREATE TRIGGER audit_records_stay BEFORE DELETE ON audit_records "
            "WHEN OLD.at_ms > (CAST(strftime('%s', 'now') AS INTEGER) - 43200) * 1000 "
            "BEGIN SELECT RAISE(ABORT, 'new audit records are not deleted'); END"
        ),
    ),
    "postgresql": (
        (
            "CREATE OR REPLACE FUNCTION audit_records_guard() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF TG_OP = 'DELETE' AND OLD.at_ms <= (extract(epoch FROM now()) - 43200) * 1000 THEN RETURN OLD; END IF; "
            "RAISE EXCEPTION 'audit records are never changed, new ones not deleted'; END $$"
        ),
        (
            "CREATE TRIGGER audit_records_stand BEFORE UPDATE OR DELETE ON audit_records "
            "FOR EACH ROW EXECUTE FUNCTION audit_records_guard()"
        ),
    ),
}


def upgrade() -> None:
    """Add the table of who did what, with what keeps its rows as they are."""
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "audit_records",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column(
            "actor",
            exact,
            nullable=False,
            comment="ref of a user, service:, operator: or commit: with a name, nobody",
        ),
        sa.Column("token_id", sa.Text(), nullable=False, comment="of the API token that was used; empty: none"),
        sa.Column("action", exact, nullable=False),
        sa.Column("target", exact, nullable=False, comment="what it was done to"),
        sa.Column("result", sa.Text(), nullable=False, comment="success, refused or failed"),
        sa.Column("status", sa.Integer(), nullable=True, comment="of the HTTP response"),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("version_id", sa.BigInteger(), nullable=True, comment="the version that it tells of"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit_records")),
        sa.UniqueConstraint("version_id", name=op.f("uq_audit_records_version_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_audit_records_at_ms_id"), "audit_records", ["at_ms", "id"])
    op.create_index(op.f("ix_audit_records_actor_at_ms"), "audit_records", ["actor", "at_ms"])
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.get_bind().exec_driver_sql(statement)
