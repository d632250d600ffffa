"""keep what findings tell in columns."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_AT_ONCE = 5_000


def upgrade() -> None:
    """Give each part of what findings tell a column, so that reading thousands needs no JSON of each."""
    op.add_column("findings", sa.Column("fix", sa.Text(), nullable=False, server_default=""))
    added = {
        "related": "JSON of whom it concerns beside, where it does",
        "exemption": "JSON, where there is one",
        "said": "JSON of the message's template with its values, where it has any",
        "said_fix": "the same of the fix",
    }
    for name, comment in added.items():
        op.add_column("findings", sa.Column(name, sa.Text(), nullable=True, comment=comment))
    _fill()
    with op.batch_alter_table("findings") as findings:
        findings.alter_column("fix", server_default=None)
        findings.drop_column("more")


def _fill() -> None:
    names = ("mark", "more", "fix", "related", "exemption", "said", "said_fix")
    findings = sa.table("findings", *map(sa.column, names))
    connection = op.get_bind()
    update = (
        findings.update()
        .where(findings.c.mark == sa.bindparam("its_mark"))
        .values({name: sa.bindparam(name) for name in names[2:]})
    )
    last = ""
    while True:
        some = sa.select(findings.c.mark, findings.c.more).where(findings.c.mark > last).order_by(findings.c.mark)
        rows = connection.execute(some.limit(_AT_ONCE)).all()
        if not rows:
            return
        connection.execute(update, [{"its_mark": mark, **_parts(json.loads(more))} for mark, more in rows])
        last = rows[-1].mark


def _parts(more: dict[str, object]) -> dict[str, object]:
    said = more.get("said")
    message, fix = said if isinstance(said, list) else (None, None)
    related, exemption = more["related"], more["exemption"]
    return {
        "fix": more["fix"],
        "related": json.dumps(related) if related else None,
        "exemption": None if exemption is None else json.dumps(exemption),
        "said": message,
        "said_fix": fix,
    }
