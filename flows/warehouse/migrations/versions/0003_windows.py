"""The ledger of windows, raw.windows: what was asked of the vendors, what came, how far it got.

The archive in S3 is the truth; but for the askings, every row can be made of it again.
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

WINDOWS = """
create table raw.windows (
    file_key text not null,
    window_start timestamp not null,
    window_end timestamp not null,
    source text not null,
    table_name text not null default '',
    etag text,
    first_line bigint,
    event_count bigint,
    hour_event_counts bigint[],
    crc32 bigint,
    is_final boolean not null default false,
    refused_size integer,
    refused_at timestamptz,
    ask_count integer not null default 0,
    asked_at timestamptz,
    not_ready_at timestamptz,
    empty_since timestamptz,
    archived_at timestamptz,
    loaded_at timestamptz,
    built_at timestamptz,
    state text generated always as (
        case
            when empty_since is not null then 'empty'
            when built_at is not null then 'built'
            when loaded_at is not null then 'loaded'
            when archived_at is not null then 'archived'
            when not_ready_at is not null then 'not_ready'
            else 'asked'
        end
    ) stored,
    primary key (file_key, window_start)
);

create index windows_source_idx on raw.windows (source, table_name, window_start);

comment on table raw.windows is
    'One row per day of an archive, or snapshot (its start is its end); those that were asked and '
    'gave nothing yet, too.';
comment on column raw.windows.file_key is 'The archive in S3 that holds the window, or will.';
comment on column raw.windows.window_start is
    'First moment: UTC for Amplitude, the application''s time zone for AppMetrica.';
comment on column raw.windows.window_end is 'First moment behind it.';
comment on column raw.windows.table_name is 'AppMetrica''s table; empty for Amplitude.';
comment on column raw.windows.etag is 'Of the archive when it was last looked into.';
comment on column raw.windows.first_line is '0-based line of the archive where the window begins.';
comment on column raw.windows.event_count is 'Lines of the window in the archive.';
comment on column raw.windows.hour_event_counts is
    'Those of each of its 24 hours; null where the archive does not tell.';
comment on column raw.windows.crc32 is
    'Of the window''s lines; null where the archive does not tell.';
comment on column raw.windows.is_final is
    'The archive need not be asked for more: all hours were ready; AppMetrica: confirmed.';
comment on column raw.windows.refused_size is
    'What the vendor refused last: so many hours in an answer (Amplitude) or parts (AppMetrica).';
comment on column raw.windows.ask_count is
    'How often the vendor was asked, since this ledger is kept.';
comment on column raw.windows.asked_at is 'When last; null where only the archive is known.';
comment on column raw.windows.not_ready_at is 'When the vendor last had nothing yet.';
comment on column raw.windows.empty_since is
    'Since when the archive says that there are no events; null while there are.';
comment on column raw.windows.archived_at is 'Since when this content is known to be archived.';
comment on column raw.windows.loaded_at is 'Since when this content is known to be loaded.';
comment on column raw.windows.built_at is 'Since when this content is known to be in the tables.';
comment on column raw.windows.state is
    'asked, not_ready, empty (and archived), archived, loaded, built: the furthest.';
"""

# Who builds need not be who loads, so the second function has its owner's rights.
# Withdrawn content counts as loaded: it is known, and nothing more will come of it.
MARK_LOADED = """
create function raw.mark_loaded_windows() returns void
language sql
as $$
    update raw.windows
    set loaded_at = clock_timestamp()
    where archived_at is not null
        and loaded_at is null
        and exists (
            select
            from raw.loads
            where loads.file_key = windows.file_key
                and loads.etag = windows.etag
                and loads.superseded_by is null
                and (loads.load_seq is not null or loads.status = 'withdrawn')
        );
$$;

comment on function raw.mark_loaded_windows() is
    'Notes which windows are loaded, by the etag of their archive; called behind each load.';
"""

MARK_BUILT = """
create function raw.mark_built_windows(admitted_load_ids bigint[]) returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    update raw.windows
    set built_at = clock_timestamp()
    where loaded_at is not null
        and built_at is null
        and not exists (
            select
            from raw.loads
            where loads.file_key = windows.file_key
                and loads.superseded_by is null
                and loads.status = 'loaded'
                and loads.load_seq is not null
                and loads.load_id <> all (admitted_load_ids)
        );
$$;

revoke execute on function raw.mark_built_windows(bigint[]) from public;

comment on function raw.mark_built_windows(bigint[]) is
    'Notes which windows stand in the tables, by the admitted loads; called behind each build.';
"""


def upgrade() -> None:
    for statement in (WINDOWS, MARK_LOADED, MARK_BUILT):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop function raw.mark_built_windows(bigint[])")
    op.execute("drop function raw.mark_loaded_windows()")
    op.execute("drop table raw.windows")
