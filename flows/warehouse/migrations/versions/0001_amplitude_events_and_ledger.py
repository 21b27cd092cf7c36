"""The ledger raw.loads, the landing table raw.amplitude_events, and raw.retire_loads.

Column types of raw.amplitude_events follow Amplitude's own field list
(https://amplitude.com/docs/apis/analytics/export): integers as bigint because the vendor names no
width, nested objects as json so that their text stays as sent.
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

LOADS = """
create table raw.loads (
    load_id bigint generated always as identity primary key,
    source text not null,
    file_key text not null,
    etag text not null,
    size_bytes bigint not null,
    status text not null default 'loading'
        check (status in ('loading', 'loaded', 'superseded', 'withdrawn', 'failed')),
    row_count bigint,
    first_line bigint not null default 0,
    last_line bigint,
    load_seq bigint unique,
    checksum text,
    superseded_by bigint references raw.loads (load_id),
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    error text
);

create index loads_file_key_idx on raw.loads (file_key, load_id);

comment on table raw.loads is
    'The ledger. One row per load: one stretch of lines of one archive, loaded once.';
comment on column raw.loads.status is
    'loading; loaded; superseded (its rows are gone); withdrawn by a person; failed (see error).';
comment on column raw.loads.row_count is 'Committed rows of this load; null while there are none.';
comment on column raw.loads.first_line is
    '0-based line of the file where this load starts: above 0 where the file only grew.';
comment on column raw.loads.last_line is
    '0-based last committed line of the file; null while nothing is committed.';
comment on column raw.loads.load_seq is
    'Given at completion, growing in commit order; null before, and then dbt sees nothing of it.';
comment on column raw.loads.checksum is
    'Hexadecimal sha256 of all lines of the file from line 0 through last_line, each with its \\n.';
comment on column raw.loads.superseded_by is
    'The complete load of different content that takes this one''s place once it is admitted.';
"""

AMPLITUDE_EVENTS = """
create table raw.amplitude_events (
    load_id bigint not null,
    line_number bigint not null,
    insert_id text,
    insert_key text,
    schema bigint,
    adid text,
    amplitude_attribution_ids json,
    amplitude_event_type text,
    amplitude_id bigint,
    app bigint,
    city text,
    client_event_time timestamptz,
    client_upload_time timestamptz,
    country text,
    data json,
    data_type text,
    device_brand text,
    device_carrier text,
    device_family text,
    device_id text,
    device_manufacturer text,
    device_model text,
    device_type text,
    dma text,
    event_id bigint,
    event_properties json,
    event_time timestamptz,
    event_type text,
    global_user_properties json,
    group_properties json,
    groups json,
    idfa text,
    ip_address text,
    is_attribution_event boolean,
    language text,
    library text,
    location_lat double precision,
    location_lng double precision,
    os_name text,
    os_version text,
    partner_id text,
    paying boolean,
    plan json,
    platform text,
    processed_time timestamptz,
    region text,
    sample_rate text,
    server_received_time timestamptz,
    server_upload_time timestamptz,
    session_id bigint,
    source_id text,
    start_version text,
    user_creation_time timestamptz,
    user_id text,
    user_properties json,
    uuid uuid,
    version_name text,
    unknown_fields json
);

-- Rows of a load lie together, so a block range index finds them at almost no cost to the COPY.
create index amplitude_events_load_id_idx on raw.amplitude_events
    using brin (load_id) with (pages_per_range = 32, autosummarize = on);

comment on table raw.amplitude_events is
    'One row per line of an Amplitude archive: fields typed, nested objects as text, as sent.';
comment on column raw.amplitude_events.load_id is 'raw.loads.load_id: names the file.';
comment on column raw.amplitude_events.line_number is '0-based line of the file.';
comment on column raw.amplitude_events.unknown_fields is
    'Object of the keys that have no column here, and of values that their column cannot hold; '
    'null where there are none.';
"""

RETIRE_LOADS = """
create function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
as $$
declare
    deleted_rows bigint;
begin
    -- A withdrawn load keeps its status: it tells that a person took it out.
    update raw.loads set status = 'superseded'
    where load_id = any (load_ids) and status <> 'withdrawn';
    delete from raw.amplitude_events where load_id = any (load_ids);
    get diagnostics deleted_rows = row_count;
    return deleted_rows;
end;
$$;

comment on function raw.retire_loads(bigint[]) is
    'Deletes the raw rows of loads that another load has superseded; returns how many rows went.';
"""


def upgrade() -> None:
    op.execute(LOADS)
    op.execute(AMPLITUDE_EVENTS)
    op.execute(RETIRE_LOADS)


def downgrade() -> None:
    op.execute("drop function raw.retire_loads(bigint[])")
    op.execute("drop table raw.amplitude_events")
    op.execute("drop table raw.loads")
