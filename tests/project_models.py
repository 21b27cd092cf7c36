"""What `transform` builds where no users were imported: every model but those of user reports,
and those that only `reconcile` asks for."""

from flows.warehouse.dbt_build import DBT_PROJECT, RECONCILIATION

_APART = {RECONCILIATION, "reports", "crm", "telemetry"}

MODELS = len(
    [
        path
        for path in DBT_PROJECT.glob("models/**/*.sql")
        if not _APART & {path.stem, path.parent.name}
    ]
)
