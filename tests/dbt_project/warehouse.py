"""A warehouse for the tests of the dbt project: loads inserted by SQL, builds in this process."""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from uuid import UUID

import psycopg
from dbt.cli.main import dbtRunner
from psycopg.pq import ExecStatus
from psycopg.types.json import Json

from flows.warehouse.dbt_build import DBT_PROJECT, RECONCILIATION, WITHOUT_RECONCILIATION

MAPPING = Path(__file__).parent / "field_mappings.yaml"
MAPPING_IN_PROJECT = Path("models/marts/user_properties/field_mappings.yaml")
MARTS = (
    "events_part",
    "sessions",
    "mobile_devices",
    "technical_data",
    "user_locations",
    "tmp_event_properties",
    "tmp_user_properties",
    "permanent_user_properties",
    "changeable_user_properties",
    "changeable_user_properties_history",
)
#: The marts of schema product; MARTS are those of schema dwh.
STATISTICS = (
    "event_users",
    "daily_active_users",
    "event_counts",
    "weekly_cohorts",
    "sessions_daily",
)
BUILT_SCHEMAS = ("staging", "intermediate", "dwh", "product", "audit")
DAY = datetime(2025, 1, 6, tzinfo=UTC)

#: All data tests but the gate's: keys and spans are tested where a test asks for tests="data".
OTHER_TESTS = tuple(
    f"test_name:{name}" for name in ("not_null", "unique", "unique_together", "valid_spans")
)

#: What schema product is made of; a fifth of a build's time.
STATISTICS_MODELS = ("int_events__attributed+", "sessions_daily")

#: What is made of the CRM and of telemetry; tests/user_reports builds it by the flow.
REPORTS_MODELS = ("tag:reports",)

#: How a node may end; exposures are no-ops.
CLEAN = {"success", "pass", "warn", "no-op"}

Rows = list[str]


def event(
    number: int, hour: float, properties: Any = None, *, upload: float | None = None, **columns: Any
) -> dict[str, Any]:
    """A raw row. number: makes its uuid; hour, upload: hours since DAY; upload is an hour later."""
    when = DAY + timedelta(hours=hour)
    return {
        "uuid": UUID(int=number),
        "event_time": when,
        "client_event_time": when,
        "server_upload_time": DAY + timedelta(hours=hour + 1 if upload is None else upload),
        "event_type": "opened",
        "device_id": f"device {number % 3}",
        "platform": ("iOS", "Web", None)[number % 3],
        "event_properties": Json({"number": number}) if number % 2 else Json({}),
        "city": "Bonn" if number % 4 else None,
        "user_properties": None if properties is None else Json(properties),
    } | columns


@dataclass(frozen=True, slots=True)
class Build:
    """How a build ended: the status of every node by its name, and what it said of failures."""

    status: dict[str, str]
    messages: str

    @property
    def is_clean(self) -> bool:
        return bool(self.status) and set(self.status.values()) <= CLEAN

    def having(self, status: str) -> set[str]:
        return {name for name, found in self.status.items() if found == status}


@dataclass(slots=True)
class Project:
    """A copy of dbt_project with a mapping of its own. Parsed once, for one database."""

    folder: Path
    manifest: Any = field(default=None)

    @classmethod
    def copy(cls, folder: Path, mapping: str | None = None) -> Self:
        ignored = shutil.ignore_patterns("target", "logs", ".user.yml")
        shutil.copytree(DBT_PROJECT, folder, ignore=ignored)
        (folder / MAPPING_IN_PROJECT).write_text(mapping or MAPPING.read_text())
        return cls(folder)

    def edited(self, folder: Path, *replacements: tuple[str, str]) -> "Project":
        """A copy whose mapping has these texts (each found once) replaced by others."""
        mapping = (self.folder / MAPPING_IN_PROJECT).read_text()
        for old, new in replacements:
            assert mapping.count(old) == 1, old
            mapping = mapping.replace(old, new)
        copy = Project.copy(folder, mapping)
        parsed = Path("target/prod/partial_parse.msgpack")
        if (self.folder / parsed).exists():  # saves parsing what did not change
            (folder / parsed).parent.mkdir(parents=True)
            shutil.copy(self.folder / parsed, folder / parsed)
        return copy

    def invoke(self, *arguments: str, target: str = "prod") -> Any:
        """Run dbt in this process; target "prod" reuses the manifest of the first run."""
        common = (
            *("--project-dir", str(self.folder), "--profiles-dir", str(self.folder)),
            *("--target", target, "--target-path", str(self.folder / "target" / target)),
            *("--log-level", "none", "--log-level-file", "none", "--no-use-colors"),
        )
        if target == "prod" and self.manifest is None:
            parsed = dbtRunner().invoke(["parse", *common])
            assert parsed.success, parsed.exception
            self.manifest = parsed.result
        manifest = self.manifest if target == "prod" else None
        for node in manifest.nodes.values() if manifest else ():
            if node.resource_type == "model":  # else dbt takes the last build's ephemeral parts
                node.compiled, node.extra_ctes, node.extra_ctes_injected = False, [], False
        runner = dbtRunner(manifest=manifest)
        # In a thread of its own: dbt walks the whole call stack again and again; pytest's is deep.
        with ThreadPoolExecutor(1) as alone:
            return alone.submit(runner.invoke, [*arguments, "--no-write-json", *common]).result()


@dataclass(slots=True)
class Warehouse:
    """A migrated database, and the project that is built in it.

    has_statistics: schema product is built, too.
    """

    url: str
    project: Project
    has_statistics: bool = False

    def execute(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(query, values or None)
            # rows of `select from` have no column, and are rows
            has_rows = cursor.pgresult and cursor.pgresult.status == ExecStatus.TUPLES_OK
            return cursor.fetchall() if has_rows else []

    def load(
        self,
        file_key: str,
        rows: Iterable[Mapping[str, Any]],
        *,
        source: str = "amplitude_web",
        grows: bool = False,
        supersedes: Sequence[int] = (),
    ) -> int:
        """A complete load of the rows, as load_raw leaves it; returns its load_id.

        grows: the rows stand behind those that the file's loads already hold.
        """
        rows = list(rows)
        with psycopg.connect(self.url) as connection:
            row = connection.execute(
                "select coalesce(max(last_line), -1) + 1 from raw.loads where file_key = %s",
                [file_key],
            ).fetchone()
            first = row[0] if row and grows else 0
            row = connection.execute(
                "insert into raw.loads (source, file_key, etag, size_bytes, status, row_count,"
                " first_line, last_line, load_seq) select %s, %s, '', 0, 'loaded', %s, %s, %s,"
                " coalesce(max(load_seq), 0) + 1 from raw.loads returning load_id",
                [source, file_key, len(rows), first, first + len(rows) - 1],
            ).fetchone()
            assert row
            load_id: int = row[0]
            for number, columns in enumerate(rows):
                columns = {"load_id": load_id, "line_number": first + number, **columns}
                connection.execute(
                    f"insert into raw.amplitude_events ({', '.join(columns)})"
                    f" values ({', '.join(['%s'] * len(columns))})",
                    list(columns.values()),
                )
            connection.execute(
                "update raw.loads set superseded_by = %s where load_id = any(%s)",
                [load_id, list(supersedes)],
            )
        return load_id

    def replace(self, load_ids: Sequence[int], rows: Iterable[Mapping[str, Any]]) -> int:
        """Other content of the file of these loads: a load that supersedes them."""
        [(file_key, source)] = self.execute(
            "select distinct file_key, source from raw.loads where load_id = any(%s)",
            list(load_ids),
        )
        return self.load(file_key, rows, source=source, supersedes=load_ids)

    def repeat(self, load_ids: Sequence[int]) -> int:
        """The events of these loads of a file once more behind its end, uploaded an hour later."""
        [(file_key, source)] = self.execute(
            "select distinct file_key, source from raw.loads where load_id = any(%s)",
            list(load_ids),
        )
        columns = [*event(0, 0), "session_id"]
        rows = [
            dict(zip(columns, row, strict=True))
            for row in self.execute(
                f"select {', '.join(columns)} from raw.amplitude_events where load_id = any(%s)"
                " order by load_id, line_number",
                list(load_ids),
            )
        ]
        for row in rows:
            row["server_upload_time"] += timedelta(hours=1)
            for name in ("event_properties", "user_properties"):
                row[name] = None if row[name] is None else Json(row[name])
        return self.load(file_key, rows, source=source, grows=True)

    def withdraw(self, load_id: int) -> None:
        """What withdraw_load does to the ledger."""
        self.execute("update raw.loads set status = 'withdrawn' where load_id = %s", load_id)
        self.execute(
            "update raw.loads as earlier set superseded_by = withdrawn.superseded_by"
            " from raw.loads as withdrawn where withdrawn.load_id = %s"
            " and earlier.superseded_by = withdrawn.load_id and earlier.status = 'loaded'",
            load_id,
        )

    def build(
        self, *arguments: str, command: str = "build", target: str = "prod", tests: str = "gate"
    ) -> Build:
        """Build with the gate alone (tests="gate"), with all data tests ("data") or all ("all")."""
        if command == "build" and tests != "all":
            arguments = (*arguments, "--exclude-resource-type", "unit_test")
        excluded = () if RECONCILIATION in arguments else WITHOUT_RECONCILIATION[1:]
        if command == "build" and tests == "gate":
            excluded += OTHER_TESTS
        excluded += REPORTS_MODELS
        if not self.has_statistics:
            excluded += STATISTICS_MODELS
        if command in ("build", "run") and excluded:
            arguments = (*arguments, "--exclude", *excluded)
        answer = self.project.invoke(command, *arguments, target=target)
        results = getattr(answer.result, "results", None)
        if results is None:
            return Build({}, str(answer.exception))
        return Build(
            {result.node.name: str(result.status) for result in results},
            "\n".join(result.message or "" for result in results),
        )

    def show(self, query: str) -> list[tuple[Any, ...]]:
        """The rows of a query that may hold Jinja, with the project's macros in reach."""
        answer = self.project.invoke("show", "--inline", query, "--limit", "-1")
        assert answer.success, answer.exception or answer.result.results[0].message
        return [tuple(row) for row in answer.result.results[0].agate_table.rows]

    def mart_names(self, prefix: str = "") -> dict[str, str]:
        """Every mart with its schema. prefix: of the schema's name."""
        product = STATISTICS if self.has_statistics else ()
        return {mart: f"{prefix}dwh.{mart}" for mart in MARTS} | {
            mart: f"{prefix}product.{mart}" for mart in product
        }

    def marts(self, prefix: str = "") -> dict[str, Rows]:
        """Every mart, all rows and all columns, as sorted JSON texts. prefix: of its schema."""
        with psycopg.connect(self.url) as connection:
            return {
                mart: [
                    json.dumps(row, sort_keys=True)
                    for (row,) in connection.execute(
                        f"select to_jsonb(mart) as row from {name} as mart"
                        " order by to_jsonb(mart)::text"
                    )
                ]
                for mart, name in self.mart_names(prefix).items()
            }

    def drop_built(self) -> None:
        """Everything that dbt made."""
        for schema in BUILT_SCHEMAS:
            self.execute(f"drop schema if exists {schema} cascade")

    def empty(self) -> None:
        """Schema raw without a row, nothing built."""
        self.drop_built()
        tables = self.execute(
            "select string_agg('raw.' || tablename, ', ') from pg_tables"
            " where schemaname = 'raw' and tablename <> 'alembic_version'"
        )
        self.execute(f"truncate {tables[0][0]} restart identity cascade")

    def rebuilt(self) -> dict[str, Rows]:
        """The marts as one build from nothing makes them of what raw holds now."""
        self.drop_built()
        build = self.build()
        assert build.is_clean, build
        return self.marts()

    def refreshed(self) -> dict[str, Rows]:
        """The marts after --full-refresh."""
        build = self.build("--full-refresh")
        assert build.is_clean, build
        return self.marts()
