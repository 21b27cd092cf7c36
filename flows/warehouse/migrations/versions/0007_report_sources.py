"""Raw tables of the CRM's users and of prosthesis telemetry, and the ledger of their imports.

They are written by import_reports alone, users and telemetry in one transaction, so that each of
them always is of the same import as the others. Personal columns are not for dwh_analyst.
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

IMPORTS = """
create table raw.report_imports (
    import_id bigint generated always as identity primary key,
    status text not null default 'importing'
        check (status in ('importing', 'imported', 'failed')),
    window_start timestamptz,
    window_end timestamptz,
    saved_since timestamptz,
    saved_up_to timestamptz,
    user_count bigint,
    event_count bigint,
    orphan_count bigint,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    error text
);

comment on table raw.report_imports is
    'One row per import of users and telemetry (import_reports), failed ones too. Imports are '
    'written one after the other, so a greater import_id is a later state.';
comment on column raw.report_imports.status is
    'importing (or killed there: nothing of it is to be seen), imported, failed.';
comment on column raw.report_imports.window_start is
    'Start of the window of event_timestamp that was replaced; null where it has none.';
comment on column raw.report_imports.window_end is
    'End of that window, which it does not hold; null where it has none.';
comment on column raw.report_imports.saved_since is
    'Of an incremental import: events saved since then were taken. Else null.';
comment on column raw.report_imports.saved_up_to is
    'All events are here that were saved up to then; null where the import took a window alone.';
comment on column raw.report_imports.user_count is 'Users of the CRM at that time.';
comment on column raw.report_imports.event_count is 'Events that were read.';
comment on column raw.report_imports.orphan_count is
    'All events, read by whichever import, of users that the CRM did not have at that time.';
comment on column raw.report_imports.error is 'Why it failed; never a value.';
"""

USERS = """
create table raw.crm_users (
    user_id integer primary key,
    user_uuid uuid,
    name text,
    email text,
    age integer,
    gender text,
    country text,
    address text,
    phone text,
    registration_ts timestamptz,
    registered_at timestamptz,
    present_since bigint not null,
    constraint age_is_none_or_more check (age >= 0)
);

comment on table raw.crm_users is
    'One row per user that the CRM has, as of the last import. Name, e-mail, address and phone are '
    'not for dwh_analyst.';
comment on column raw.crm_users.present_since is
    'raw.report_imports.import_id since which the CRM has had the user without a break.';
"""

TELEMETRY = """
create table raw.telemetry_events (
    id bigint not null,
    user_id integer not null,
    prosthesis_type text not null,
    muscle_group text,
    signal_frequency double precision,
    signal_duration integer,
    signal_amplitude double precision,
    event_timestamp timestamptz not null,
    saved_ts timestamptz not null,
    import_id bigint not null,
    constraint prosthesis_type_is_known check (prosthesis_type in ('arm', 'hand', 'leg')),
    constraint signal_frequency_is_finite
        check (signal_frequency >= 0 and signal_frequency < 'Infinity'),
    constraint signal_duration_is_none_or_more check (signal_duration >= 0),
    constraint signal_amplitude_is_finite
        check (signal_amplitude > '-Infinity' and signal_amplitude < 'Infinity')
) partition by range (event_timestamp);

-- Events are saved in the order of their ids, and nearly in that of time: ranges are all it takes,
-- and they cost a bulk load nothing.
create index telemetry_events_id_idx on raw.telemetry_events
    using brin (id) with (pages_per_range = 32, autosummarize = on);
create index telemetry_events_event_timestamp_idx on raw.telemetry_events
    using brin (event_timestamp) with (pages_per_range = 32, autosummarize = on);

comment on table raw.telemetry_events is
    'One row per telemetry event of a user that the CRM has; a partition a month (UTC).';
comment on column raw.telemetry_events.id is 'As the telemetry database has it; unique.';
comment on column raw.telemetry_events.signal_frequency is 'Hz.';
comment on column raw.telemetry_events.signal_duration is 'Milliseconds.';
comment on column raw.telemetry_events.event_timestamp is 'When the prosthesis was used.';
comment on column raw.telemetry_events.saved_ts is 'When the telemetry database took it in.';
comment on column raw.telemetry_events.import_id is 'raw.report_imports: the import that read it.';

create table raw.orphaned_telemetry_events (like raw.telemetry_events including constraints);

create index orphaned_telemetry_events_user_id_idx on raw.orphaned_telemetry_events (user_id);

comment on table raw.orphaned_telemetry_events is
    'One row per telemetry event of a user that the CRM does not have (any more). It comes back '
    'when the user does.';

create table raw.telemetry_days (
    day date primary key,
    import_id bigint not null
);

comment on table raw.telemetry_days is
    'One row per day (UTC) that ever had an event: what the tables of reports have to look at.';
comment on column raw.telemetry_days.import_id is
    'The last import that may have changed an event of that day.';

-- With the rights of its owner: who loads may not make tables. A partition is attached, because
-- making it in place would lock readers out.
create function raw.add_telemetry_months(days date[]) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    month date;
    partition text;
    made bigint := 0;
begin
    for month in
        select distinct date_trunc('month', day)::date from unnest(days) as given (day) order by 1
    loop
        partition := format('telemetry_events_%s', to_char(month, 'YYYY_MM_BC'));
        partition := lower(replace(partition, '_AD', ''));
        continue when to_regclass('raw.' || quote_ident(partition)) is not null;
        execute format(
            'create table raw.%I (like raw.telemetry_events including all)', partition
        );
        execute format(
            'alter table raw.telemetry_events attach partition raw.%I for values from (%L) to (%L)',
            partition,
            month::timestamp at time zone 'UTC',
            (month + interval '1 month')::timestamp at time zone 'UTC'
        );
        made := made + 1;
    end loop;
    return made;
end;
$$;

revoke execute on function raw.add_telemetry_months(date[]) from public;

comment on function raw.add_telemetry_months(date[]) is
    'Makes the partitions of raw.telemetry_events that these days lack; returns how many it made.';
"""

# What revision 0004 grants is every column of every table.
RIGHTS = """
alter function raw.grant_rights() rename to grant_rights_on_tables;

create function raw.grant_rights() returns setof text
language plpgsql
as $$
begin
    return query select * from raw.grant_rights_on_tables();
    if to_regrole('dwh_loader') is not null then
        grant execute on function raw.add_telemetry_months(date[]) to dwh_loader;
    end if;
    if to_regrole('dwh_analyst') is not null then
        revoke select on raw.crm_users from dwh_analyst;
        grant select (
            user_id, user_uuid, age, gender, country, registration_ts, registered_at, present_since
        ) on raw.crm_users to dwh_analyst;
    end if;
end;
$$;

revoke execute on function raw.grant_rights() from public;

comment on function raw.grant_rights() is
    'Makes the roles dwh_loader, dwh_transformer and dwh_analyst and gives them their rights; '
    'returns the statements that are left to an administrator.';
"""


def upgrade() -> None:
    for statement in (IMPORTS, USERS, TELEMETRY, RIGHTS):
        op.execute(statement)


def downgrade() -> None:
    op.execute("drop function raw.grant_rights()")
    op.execute("alter function raw.grant_rights_on_tables() rename to grant_rights")
    op.execute("drop function raw.add_telemetry_months(date[])")
    for table in (
        "telemetry_days",
        "orphaned_telemetry_events",
        "telemetry_events",
        "crm_users",
        "report_imports",
    ):
        op.execute(f"drop table raw.{table}")
