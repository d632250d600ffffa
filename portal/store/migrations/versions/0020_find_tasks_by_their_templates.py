"""find tasks by their templates."""

import orjson
import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_AT_ONCE = 500


def upgrade() -> None:
    """Keep with each task the template that it runs, which its spec alone told so far."""
    op.add_column("tasks", sa.Column("template_ref", sa.Text(), nullable=True, comment="the template that it runs"))
    tasks = sa.table("tasks", sa.column("id"), sa.column("spec"), sa.column("template_ref"))
    connection = op.get_bind()
    last = ""
    while True:
        wanted = sa.select(tasks.c.id, tasks.c.spec).where(tasks.c.id > last).order_by(tasks.c.id).limit(_AT_ONCE)
        rows = connection.execute(wanted).all()
        if not rows:
            break
        statement = (
            tasks.update().where(tasks.c.id == sa.bindparam("task")).values(template_ref=sa.bindparam("template"))
        )
        connection.execute(statement, [{"task": row.id, "template": _template(row.spec)} for row in rows])
        last = rows[-1].id
    for columns in (["template_ref", "created_at_ms"], ["template_ref", "status", "created_by"]):
        op.create_index(op.f(f"ix_tasks_{'_'.join(columns)}"), "tasks", columns)


def _template(spec: str) -> str | None:
    found = (orjson.loads(spec).get("templateInfo") or {}).get("entityRef")
    return found if isinstance(found, str) else None
