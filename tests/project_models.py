"""What `transform` builds: every model of the project but those that only `reconcile` asks for."""

from flows.warehouse.dbt_build import DBT_PROJECT, RECONCILIATION

MODELS = len(
    [
        path
        for path in DBT_PROJECT.glob("models/**/*.sql")
        if RECONCILIATION not in (path.stem, path.parent.name)
    ]
)
