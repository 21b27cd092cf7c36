"""The raw table of rows that people put in directly, of any of the seven product tables.

raw.retire_loads learns of the table.
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

DIRECT_ROWS = """
create table raw.direct_rows (
    load_id bigint not null,
    line_number bigint not null,
    content_hash uuid not null,
    table_name text not null,
    uuid uuid not null,
    event_time timestamptz not null,
    put_in_at timestamptz not null,
    row_values json not null,
    unknown_fields json
);

create index direct_rows_load_id_idx on raw.direct_rows
    using brin (load_id) with (pages_per_range = 32, autosummarize = on);

-- Each call asks which of its ids are known.
create index direct_rows_uuid_idx on raw.direct_rows (uuid);

comment on table raw.direct_rows is
    'One row per row that a person put in directly (load_rows), of any of the product tables.';
comment on column raw.direct_rows.load_id is 'raw.loads.load_id: names the file.';
comment on column raw.direct_rows.line_number is
    '0-based line of the file, and number of the row in what the person gave.';
comment on column raw.direct_rows.content_hash is 'MD5 of the line.';
comment on column raw.direct_rows.table_name is 'Product table that the row is for.';
comment on column raw.direct_rows.uuid is
    'As given, or made of the checksum of all rows of the call and the number of the row.';
comment on column raw.direct_rows.event_time is 'As given; where none was, put_in_at.';
comment on column raw.direct_rows.put_in_at is
    'When the rows of the call were put in: of two rows with one id the newer counts.';
comment on column raw.direct_rows.row_values is
    'The other columns, checked against the contract of the table; one form for all formats.';
comment on column raw.direct_rows.unknown_fields is
    'As in every landing table; null, for rows with columns of their own are refused.';
"""

RETIRE_LOADS = """
create or replace function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    retired bigint[];
    raw_table text;
    deleted_rows bigint;
    all_deleted_rows bigint := 0;
begin
    -- Whatever the caller says: a load that no other one has superseded counts, and stays.
    select array_agg(load_id) into retired
    from raw.loads
    where load_id = any (load_ids) and superseded_by is not null;
    -- A withdrawn load keeps its status: it tells that a person took it out.
    update raw.loads set status = 'superseded'
    where load_id = any (retired) and status <> 'withdrawn';
    foreach raw_table in array array[{tables}] loop
        execute format('delete from raw.%I where load_id = any ($1)', raw_table) using retired;
        get diagnostics deleted_rows = row_count;
        all_deleted_rows := all_deleted_rows + deleted_rows;
    end loop;
    return all_deleted_rows;
end;
$$;
"""

LANDING_BEFORE = (
    "amplitude_events",
    "appmetrica_events",
    "appmetrica_installations",
    "appmetrica_profiles",
    "appmetrica_sessions_starts",
    "appmetrica_other",
    "import_events",
)


def upgrade() -> None:
    op.execute(DIRECT_ROWS)
    _retire(*LANDING_BEFORE, "direct_rows")


def downgrade() -> None:
    _retire(*LANDING_BEFORE)
    op.execute("drop table raw.direct_rows")


def _retire(*tables: str) -> None:
    op.execute(RETIRE_LOADS.replace("{tables}", ", ".join(f"'{table}'" for table in tables)))
