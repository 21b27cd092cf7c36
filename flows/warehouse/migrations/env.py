"""Alembic's entry: runs the revisions on the connection that `flows.warehouse.migrate` opened."""

import logging

from alembic import context
from sqlalchemy import text

_log = logging.getLogger("flows.warehouse.migrate")

context.configure(
    connection=context.config.attributes["connection"],
    # The version table stands beside the tables that it describes, so one grant covers both.
    version_table_schema="raw",
)
with context.begin_transaction():
    context.run_migrations()
    connection = context.get_bind()
    if connection.scalar(text("select to_regproc('raw.grant_rights') is not null")):
        left = connection.scalars(text("select raw.grant_rights()")).all()
        if left:
            _log.warning(
                "schema raw is up to date, but this user may not give all rights to the database"
                " roles (README, Database roles). An administrator has yet to run: %s",
                " ".join(left),
            )
