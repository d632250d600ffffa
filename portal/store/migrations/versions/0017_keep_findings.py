"""keep findings."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep findings and lists that follow from a revision, beside since when there are which.

    Of what is there only the marks are known: their digest is empty, which the next survey fills.
    """
    exact = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "findings",
        sa.Column("mark", exact, nullable=False, comment="digest of rule, ref and message"),
        sa.Column("digest", sa.Text(), nullable=False, comment="of all that is told; changes with it"),
        sa.Column("ref", exact, nullable=False),
        sa.Column("rule", exact, nullable=False),
        sa.Column("severity", sa.Text(), nullable=False, comment="warn, enforce or exempt"),
        sa.Column("layer", sa.Text(), nullable=True, comment="ref of the effective layer"),
        sa.Column("message", exact, nullable=False),
        sa.Column("more", sa.Text(), nullable=False, comment="JSON of the fix, of whom it concerns, of the exemption"),
        sa.Column("after_revision", sa.BigInteger(), nullable=False, comment="the last one surveyed without it"),
        sa.Column("revision", sa.BigInteger(), nullable=False, comment="the first one surveyed with it"),
        sa.PrimaryKeyConstraint("mark", name=op.f("pk_findings")),
    )
    op.create_index(op.f("ix_findings_ref"), "findings", ["ref"])
    op.create_table(
        "surveys",
        sa.Column(
            "revision", sa.BigInteger(), autoincrement=False, nullable=False, comment="what follows from it is kept"
        ),
        sa.Column("day", sa.Text(), nullable=False, comment="in UTC, by which exemptions ended"),
        sa.Column("rules", sa.Text(), nullable=False, comment="digest of the rules that were asked"),
        sa.PrimaryKeyConstraint("revision", name=op.f("pk_surveys")),
    )
    op.create_table(
        "derived",
        sa.Column("name", exact, nullable=False, comment="of a list that follows from the revision surveyed"),
        sa.Column("part", sa.Integer(), autoincrement=False, nullable=False, comment="from 0, each of as many items"),
        sa.Column("body", sa.Text(), nullable=False, comment="JSON list"),
        sa.PrimaryKeyConstraint("name", "part", name=op.f("pk_derived")),
    )
    op.execute(
        "INSERT INTO findings (mark, digest, ref, rule, severity, message, more, after_revision, revision) "
        "SELECT mark, '', '', '', '', '', '{}', after_revision, revision FROM finding_marks"
    )
    op.execute(
        "INSERT INTO surveys (revision, day, rules) "
        "SELECT revision, '', '' FROM (SELECT max(revision) AS revision FROM revisions WHERE is_marked) AS marked "
        "WHERE revision IS NOT NULL"
    )
    op.drop_table("finding_marks")
    with op.batch_alter_table("revisions") as revisions:
        revisions.drop_column("is_marked")
