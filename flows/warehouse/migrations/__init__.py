"""Alembic migrations of schema raw; `flows.warehouse.migrate` runs them."""
