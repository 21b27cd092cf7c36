"""The PostgreSQL side: connection, migrations, ledger, COPY loader."""
