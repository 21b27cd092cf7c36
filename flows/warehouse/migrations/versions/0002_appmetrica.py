"""The raw tables of AppMetrica: four typed ones, and one for the records of its nine others.

Columns bear the names of the vendor's fields (flows/vendors/appmetrica_tables.py); its integers are
bigint because the vendor names no width, ids that are uint64 numeric(20, 0), which holds them all.
raw.retire_loads learns of the tables.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

EVENTS = """
create table raw.appmetrica_events (
    load_id bigint not null,
    line_number bigint not null,
    event_datetime timestamp,
    event_json text,
    event_name text,
    event_receive_datetime timestamp,
    event_receive_timestamp bigint,
    event_timestamp bigint,
    session_id bigint,
    installation_id text,
    appmetrica_device_id numeric(20, 0),
    city text,
    connection_type text,
    country_iso_code text,
    device_ipv6 text,
    device_locale text,
    device_manufacturer text,
    device_model text,
    device_type text,
    google_aid text,
    ios_ifa text,
    ios_ifv text,
    mcc bigint,
    mnc bigint,
    operator_name text,
    original_device_model text,
    os_name text,
    os_version text,
    profile_id text,
    windows_aid text,
    app_build_number bigint,
    app_package_name text,
    app_version_name text,
    application_id bigint,
    content_hash uuid not null,
    ordinal integer not null default 0,
    unknown_fields json
);
"""

INSTALLATIONS = """
create table raw.appmetrica_installations (
    load_id bigint not null,
    line_number bigint not null,
    application_id bigint,
    installation_id text,
    attributed_touch_type text,
    click_datetime timestamp,
    click_id text,
    click_ipv6 text,
    click_timestamp bigint,
    click_url_parameters text,
    click_user_agent text,
    profile_id text,
    publisher_id bigint,
    publisher_name text,
    tracker_name text,
    tracking_id numeric(20, 0),
    install_datetime timestamp,
    install_ipv6 text,
    install_receive_datetime timestamp,
    install_receive_timestamp bigint,
    install_timestamp bigint,
    is_reattribution boolean,
    is_reinstallation boolean,
    match_type text,
    appmetrica_device_id numeric(20, 0),
    city text,
    connection_type text,
    country_iso_code text,
    device_locale text,
    device_manufacturer text,
    device_model text,
    device_type text,
    google_aid text,
    oaid text,
    ios_ifa text,
    ios_ifv text,
    mcc bigint,
    mnc bigint,
    operator_name text,
    os_name text,
    os_version text,
    windows_aid text,
    app_package_name text,
    app_version_name text,
    content_hash uuid not null,
    ordinal integer not null default 0,
    unknown_fields json
);
"""

PROFILES = """
create table raw.appmetrica_profiles (
    load_id bigint not null,
    line_number bigint not null,
    snapshot_time timestamptz not null,
    profile_id text,
    appmetrica_gender text,
    appmetrica_birth_date text,
    appmetrica_notifications_enabled boolean,
    appmetrica_name text,
    appmetrica_crashes bigint,
    appmetrica_errors bigint,
    appmetrica_first_session_date text,
    appmetrica_last_start_date text,
    appmetrica_push_opens bigint,
    appmetrica_push_send_count bigint,
    appmetrica_sdk_version bigint,
    appmetrica_sessions bigint,
    android_id text,
    appmetrica_device_id numeric(20, 0),
    city text,
    connection_type text,
    country_iso_code text,
    device_manufacturer text,
    device_model text,
    device_type text,
    google_aid text,
    ios_ifa text,
    ios_ifv text,
    mcc bigint,
    mnc bigint,
    operator_name text,
    os_name text,
    os_version text,
    windows_aid text,
    app_build_number bigint,
    app_framework bigint,
    app_package_name text,
    app_version_name text,
    content_hash uuid not null,
    ordinal integer not null default 0,
    unknown_fields json
);
"""

SESSIONS_STARTS = """
create table raw.appmetrica_sessions_starts (
    load_id bigint not null,
    line_number bigint not null,
    session_id bigint,
    session_start_datetime timestamp,
    session_start_receive_datetime timestamp,
    session_start_receive_timestamp bigint,
    session_start_timestamp bigint,
    appmetrica_device_id numeric(20, 0),
    city text,
    connection_type text,
    country_iso_code text,
    device_ipv6 text,
    device_locale text,
    device_manufacturer text,
    device_model text,
    device_type text,
    google_aid text,
    ios_ifa text,
    ios_ifv text,
    mcc bigint,
    mnc bigint,
    operator_name text,
    os_name text,
    os_version text,
    profile_id text,
    windows_aid text,
    app_build_number bigint,
    app_package_name text,
    app_version_name text,
    application_id bigint,
    original_device_model text,
    content_hash uuid not null,
    ordinal integer not null default 0,
    unknown_fields json
);
"""


OTHER = """
create table raw.appmetrica_other (
    load_id bigint not null,
    line_number bigint not null,
    table_name text not null,
    record json not null,
    content_hash uuid not null,
    ordinal integer not null default 0
);

comment on table raw.appmetrica_other is
    'One row per line of an archive of those AppMetrica tables that have no table of their own.';
comment on column raw.appmetrica_other.table_name is 'The vendor''s table, as the key names it.';
comment on column raw.appmetrica_other.record is 'The line as sent.';
"""

TYPED = {
    "appmetrica_events": "an event of the app",
    "appmetrica_installations": "an installation",
    "appmetrica_profiles": "a profile as a snapshot showed it",
    "appmetrica_sessions_starts": "the start of a session",
}

TYPED_COMMENTS = """
comment on table raw.{table} is 'One row per line of an AppMetrica archive: {row}, fields typed.';
comment on column raw.{table}.unknown_fields is
    'Object of the keys that have no column here, and of values that their column cannot hold; '
    'null where there are none.';
"""

SNAPSHOT_TIME_COMMENT = """
comment on column raw.appmetrica_profiles.snapshot_time is
    'When the snapshot was asked for, by the name of its file.';
"""

# The index: rows of a load lie together, so a block range index finds them at almost no cost.
COMMON = """
create index {table}_load_id_idx on raw.{table}
    using brin (load_id) with (pages_per_range = 32, autosummarize = on);

comment on column raw.{table}.load_id is 'raw.loads.load_id: names the file.';
comment on column raw.{table}.line_number is '0-based line of the file.';
comment on column raw.{table}.content_hash is 'MD5 of the line as it stands in the file.';
comment on column raw.{table}.ordinal is
    'How many equal lines stand before this one in the file; right once the load is complete.';
"""

RETIRE_LOADS = """
create or replace function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
as $$
declare
    raw_table text;
    deleted_rows bigint;
    all_deleted_rows bigint := 0;
begin
    -- A withdrawn load keeps its status: it tells that a person took it out.
    update raw.loads set status = 'superseded'
    where load_id = any (load_ids) and status <> 'withdrawn';
    foreach raw_table in array array[{tables}] loop
        execute format('delete from raw.%I where load_id = any ($1)', raw_table) using load_ids;
        get diagnostics deleted_rows = row_count;
        all_deleted_rows := all_deleted_rows + deleted_rows;
    end loop;
    return all_deleted_rows;
end;
$$;
"""


def upgrade() -> None:
    for statement in (EVENTS, INSTALLATIONS, PROFILES, SESSIONS_STARTS, OTHER):
        op.execute(statement)
    for table, row in TYPED.items():
        op.execute(TYPED_COMMENTS.format(table=table, row=row))
    op.execute(SNAPSHOT_TIME_COMMENT)
    for table in (*TYPED, "appmetrica_other"):
        op.execute(COMMON.format(table=table))
    _retire("amplitude_events", *TYPED, "appmetrica_other")


def downgrade() -> None:
    _retire("amplitude_events")
    for table in (*TYPED, "appmetrica_other"):
        op.execute(f"drop table raw.{table}")


def _retire(*tables: str) -> None:
    op.execute(RETIRE_LOADS.replace("{tables}", ", ".join(f"'{table}'" for table in tables)))
