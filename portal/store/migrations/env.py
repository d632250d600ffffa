"""Runs migrations on the connection that `portal.store.schema` hands over."""

from alembic import context

from portal.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
context.run_migrations()
