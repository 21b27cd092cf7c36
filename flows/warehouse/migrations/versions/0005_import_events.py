"""The raw table of event files that people import, and a view of the records that were rejected.

From here on raw.retire_loads finds the landing tables by itself.
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

IMPORT_EVENTS = """
create table raw.import_events (
    load_id bigint not null,
    line_number bigint not null,
    content_hash uuid not null,
    event_id uuid,
    occurred_at timestamptz,
    user_id text,
    event_type text,
    properties json,
    rejected_reason text,
    rejected_record text,
    unknown_fields json,
    check (
        rejected_reason is not null
        or event_id is not null and occurred_at is not null and event_type is not null
    )
);

create index import_events_load_id_idx on raw.import_events
    using brin (load_id) with (pages_per_range = 32, autosummarize = on);

-- Each import asks which of its ids are known.
create index import_events_event_id_idx on raw.import_events (event_id);

comment on table raw.import_events is
    'One row per record of an event file that a person imported; rejected ones too.';
comment on column raw.import_events.load_id is 'raw.loads.load_id: names the file.';
comment on column raw.import_events.line_number is
    '0-based line of the file on which the record begins; of Parquet its row.';
comment on column raw.import_events.content_hash is
    'MD5 of the event in one form for all formats: equal for equal events.';
comment on column raw.import_events.occurred_at is
    'When it happened; UTC where the file had no zone.';
comment on column raw.import_events.properties is 'A JSON object, text as sent.';
comment on column raw.import_events.rejected_reason is
    'Why the record is no event, and has no field but rejected_record; null where it is one.';
comment on column raw.import_events.rejected_record is 'The record as sent.';
comment on column raw.import_events.unknown_fields is
    'As in every landing table; null, for a file with columns of its own is refused.';

create view raw.rejected_import_records as
select
    loads.file_key,
    events.load_id,
    events.line_number,
    events.rejected_reason as reason,
    events.rejected_record as record
from raw.import_events as events
inner join raw.loads as loads on events.load_id = loads.load_id
where events.rejected_reason is not null;

comment on view raw.rejected_import_records is
    'Records of event files that were not taken, because max_rejected let them pass.';
"""

# As of revision 0004, but for the landing tables: it finds what has load_id and line_number.
RETIRE_LOADS = """
create or replace function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    retired bigint[];
    landing regclass;
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
    for landing in
        select pg_class.oid::regclass
        from pg_class
        inner join pg_attribute on pg_class.oid = pg_attribute.attrelid
        where pg_class.relnamespace = 'raw'::regnamespace
            and pg_class.relkind in ('r', 'p')
            and pg_attribute.attname in ('load_id', 'line_number')
            and not pg_attribute.attisdropped
        group by pg_class.oid
        having count(*) = 2
        order by pg_class.relname
    loop
        execute format('delete from %s where load_id = any ($1)', landing) using retired;
        get diagnostics deleted_rows = row_count;
        all_deleted_rows := all_deleted_rows + deleted_rows;
    end loop;
    return all_deleted_rows;
end;
$$;
"""


def upgrade() -> None:
    op.execute(IMPORT_EVENTS)
    op.execute(RETIRE_LOADS)


def downgrade() -> None:
    # raw.retire_loads stays: it finds the tables that are left.
    op.execute("drop view raw.rejected_import_records")
    op.execute("drop table raw.import_events")
