"""Brings schema raw up to date: `migrate(url)`, or `python -m flows.warehouse.migrate`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from flows.patience import patiently
from flows.settings import Dwh
from flows.warehouse.connection import connect, warehouse_errors

MIGRATIONS = Path(__file__).parent / "migrations"

# Any fixed number of our own: two loaders that start at once must not both create the tables.
MIGRATION_LOCK = 7_305_201_801


def migrate(url: str | None = None) -> None:
    """Create or upgrade schema raw; safe to call at each start, from several processes at once.

    url: postgresql://..., by default DWH_DATABASE_URL. All revisions run in one transaction.
    """
    url = url or Dwh.load().database_url.get_secret_value()
    config = Config()
    # ConfigParser reads % as the start of an interpolation; a folder may bear one.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if _revision(url) == ScriptDirectory.from_config(config).get_current_head():
        return
    # Safe to repeat: all revisions stand, or none does.
    with warehouse_errors():
        patiently()(lambda: _upgrade(url, config))


def _upgrade(url: str, config: Config) -> None:
    # The creator lets libpq read the address, so that every form it knows works here too.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url), poolclass=NullPool
    )
    with _bare_errors(), engine.begin() as connection:
        connection.execute(text(f"select pg_advisory_xact_lock({MIGRATION_LOCK})"))
        # Asked first: `create schema if not exists` needs a right that a later run may not have.
        if connection.scalar(text("select to_regnamespace('raw') is null")):
            connection.execute(text("create schema raw"))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


@contextmanager
def _bare_errors() -> Iterator[None]:
    """Undo SQLAlchemy's wrapping, so that psycopg's errors are understood in one place."""
    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise error.orig from None
        raise


def _revision(url: str) -> str | None:
    """The revision that the database stands at, None where it never saw a migration."""
    with warehouse_errors(), connect(url) as connection:
        if connection.execute("select to_regclass('raw.alembic_version')").fetchone() == (None,):
            return None
        row = connection.execute("select version_num from raw.alembic_version").fetchone()
        return row[0] if row else None


if __name__ == "__main__":
    migrate()
