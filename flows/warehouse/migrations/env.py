"""Alembic's entry: runs the revisions on the connection that `flows.warehouse.migrate` opened."""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    # The version table stands beside the tables that it describes, so one grant covers both.
    version_table_schema="raw",
)
with context.begin_transaction():
    context.run_migrations()
