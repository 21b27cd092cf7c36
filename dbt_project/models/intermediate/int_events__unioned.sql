{{ config(materialized='view') }}

-- One shape for all that the vendors tell: events, and what is none but speaks of users, devices or
-- sessions (`kind`); and rows that people put into one table, whose `kind` it is. Another vendor joins as one more arm; a column that an arm lacks is null in it.
{%- set shape = {
    'load_id': 'bigint',
    'line_number': 'bigint',
    'source': 'text',
    'file_key': 'text',
    'uuid': 'uuid',
    'user_id': 'text',
    'device_id': 'text',
    'session_id': 'bigint',
    'event_id': 'bigint',
    'insert_id': 'text',
    'amplitude_id': 'bigint',
    'app': 'bigint',
    'adid': 'text',
    'idfa': 'text',
    'event_type': 'text',
    'platform': 'text',
    'os_name': 'text',
    'os_version': 'text',
    'device_brand': 'text',
    'device_manufacturer': 'text',
    'device_model': 'text',
    'device_type': 'text',
    'device_family': 'text',
    'device_carrier': 'text',
    'language': 'text',
    'library': 'text',
    'version_name': 'text',
    'start_version': 'text',
    'ip_address': 'text',
    'city': 'text',
    'region': 'text',
    'country': 'text',
    'dma': 'text',
    'tracker_name': 'text',
    'latitude': 'double precision',
    'longitude': 'double precision',
    'event_properties': 'json',
    'user_properties': 'json',
    'typed_properties': 'json',
    'client_event_time': 'timestamptz',
    'client_upload_time': 'timestamptz',
    'server_received_time': 'timestamptz',
    'server_upload_time': 'timestamptz',
    'processed_time': 'timestamptz',
    'event_time': 'timestamptz',
    'uploaded_at': 'timestamptz',
    'earliest_wins_at': 'timestamptz',
    'content_hash': 'uuid',
} %}
{%- set lineage = ['load_id', 'line_number', 'source', 'file_key', 'uuid', 'content_hash', 'event_time'] %}
{%- set app_device = [
    'user_id', 'device_id', 'adid', 'idfa', 'os_name', 'os_version', 'device_manufacturer', 'device_model',
    'device_type', 'device_carrier', 'version_name',
] %}
{#- what Amplitude calls the platform, from the name of the system #}
{%- set app_platform = "case os_name when 'ios' then 'iOS' when 'android' then 'Android' else os_name end" %}
{#- the clock that says which copy of a row is the newest #}
{%- set received = {'platform': app_platform, 'uploaded_at': 'server_received_time'} %}

with amplitude_events as (

    {{ in_shape(
        shape,
        ref('stg_amplitude__events'),
        'event',
        shape | reject('in', ['uuid', 'uploaded_at', 'earliest_wins_at', 'tracker_name', 'typed_properties']) | list,
        {'uuid': 'coalesce(uuid, content_hash)', 'uploaded_at': 'server_upload_time'}
    ) }}

),

appmetrica_events as (

    {{ in_shape(
        shape,
        ref('stg_appmetrica__events'),
        'event',
        lineage + app_device + [
            'session_id', 'app', 'event_type', 'language', 'ip_address', 'city', 'country',
            'event_properties', 'client_event_time', 'server_received_time',
        ],
        received
    ) }}

),

session_starts as (

    {{ in_shape(
        shape,
        ref('stg_appmetrica__session_starts'),
        'session_start',
        lineage + app_device + ['session_id', 'app', 'language', 'server_received_time'],
        received
    ) }}

),

installations as (

    {{ in_shape(
        shape,
        ref('stg_appmetrica__installations'),
        'installation',
        lineage + app_device + ['app', 'language', 'tracker_name', 'server_received_time'],
        received
    ) }}

),

profiles as (

    {{ in_shape(
        shape,
        ref('stg_appmetrica__profiles'),
        'profile',
        lineage + app_device + ['user_properties'],
        {'platform': app_platform, 'uploaded_at': 'event_time'}
    ) }}

),

{#- nobody says when such a file was written: of two copies the one that happened first counts #}
import_events as (

    {{ in_shape(
        shape,
        ref('stg_import__events'),
        'event',
        lineage + ['user_id', 'event_type', 'event_properties'],
        {'earliest_wins_at': 'event_time'}
    ) }}

),

{#- rows that people put into one table stand in that one alone; records are records in whichever table #}
direct_rows as (

    {{ in_shape(
        shape,
        ref('stg_direct__rows'),
        none,
        shape | reject('in', ['typed_properties', 'uploaded_at', 'earliest_wins_at']) | list,
        {
            'kind': 'table_name',
            'part': "case table_name when 'tmp_user_properties' then 'records' else table_name end",
            'uploaded_at': 'put_in_at',
        }
    ) }}

),

direct_permanent_records as (

    {{ in_shape(
        shape,
        ref('stg_direct__permanent_records'),
        none,
        lineage + ['typed_properties'],
        {'kind': 'table_name', 'part': "'records'", 'uploaded_at': 'put_in_at'}
    ) }}

),

unioned as (

    select * from amplitude_events
    union all
    select * from appmetrica_events
    union all
    select * from session_starts
    union all
    select * from installations
    union all
    select * from profiles
    union all
    select * from import_events
    union all
    select * from direct_rows
    union all
    select * from direct_permanent_records

)

select
    *,
    {{ session_key() }} as session_key
from unioned
