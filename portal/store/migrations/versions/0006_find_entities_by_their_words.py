"""find entities by their words."""

import orjson
import sqlalchemy as sa
from alembic import op

from portal.model.searchable import searchable
from portal.store.search import put_words

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_AT_ONCE = 1_000


def upgrade() -> None:
    """Bring the tables forward, with the words of the entities that are there."""
    connection = op.get_bind()
    if connection.dialect.name == "postgresql":
        op.execute("CREATE TABLE search_words (entity_id bigint PRIMARY KEY, words tsvector NOT NULL)")
        op.execute("CREATE INDEX ix_search_words_words ON search_words USING gin (words)")
    else:
        # Words come folded: of these, ASCII's letters and digits and all that is beyond ASCII make a token.
        op.execute("CREATE VIRTUAL TABLE search_words USING fts5 (names, marks, text, tokenize = 'ascii')")
    entities = sa.table("entities", sa.column("id"), sa.column("body"))
    last = 0
    while True:
        rows = connection.execute(
            sa.select(entities.c.id, entities.c.body)
            .where(entities.c.id > last)
            .order_by(entities.c.id)
            .limit(_AT_ONCE)
        ).all()
        if not rows:
            return
        ids = [row.id for row in rows]
        put_words(connection, {row.id: searchable(orjson.loads(row.body)) for row in rows}, new=ids)
        last = ids[-1]
