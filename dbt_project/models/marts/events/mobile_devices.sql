{{ config(
    incremental_strategy='changed_only',
    unique_key=['source', 'device_id'],
    pre_hook="{{ delete_vanished_devices() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': ['technical_data', 'int_app_reports']},
    indexes=[{'columns': ['source', 'device_id'], 'unique': true}],
) }}

-- depends_on: {{ ref('int_events__deduplicated') }}
-- One row per device: its newest facts, first and last seen, installed. A browser is no mobile device.
-- A device is read again from all that is known of it when something came, or what its row names went.
{#- what events and reports tell of a device #}
{%- set facts = [
    'platform', 'os_name', 'os_version', 'device_brand', 'device_manufacturer', 'device_model',
    'device_type', 'device_family', 'device_carrier', 'language', 'version_name',
] %}

with signs as (

    select
        'event' as kind,
        source,
        device_id,
        {%- for fact in facts %}
        {{ fact }},
        {%- endfor %}
        null as tracker_name,
        event_time,
        uuid,
        load_id,
        line_number
    from {{ ref('technical_data') }}
    where device_id is not null
        and platform is distinct from 'Web'

    union all

    select
        kind,
        source,
        device_id,
        {%- for fact in facts %}
        {{ fact }},
        {%- endfor %}
        tracker_name,
        event_time,
        uuid,
        load_id,
        line_number
    from {{ ref('int_app_reports') }}
    where device_id is not null

),

{% if is_incremental() -%}
fresh as (

    select uuid
    from {{ ref('int_events__deduplicated') }}
    where added_batch > {{ mark() }}
        and removed_batch is null

),

affected as (

    select
        events.source,
        events.device_id
    from {{ ref('technical_data') }} as events
    inner join fresh on events.uuid = fresh.uuid

    union

    select
        reports.source,
        reports.device_id
    from {{ ref('int_app_reports') }} as reports
    inner join fresh on reports.uuid = fresh.uuid

    union

    {{ devices_of_removed_events() }}

),

sightings as (

    select signs.*
    from signs
    inner join affected
        on signs.source = affected.source
        and signs.device_id = affected.device_id

),

{% else -%}
sightings as (

    select * from signs

),

{% endif -%}
newest as (

    select distinct on (source, device_id) *
    from sightings
    -- people may say something under one uuid here and in technical_data
    order by source, device_id, event_time desc, uuid desc, kind

),

first as (

    select distinct on (source, device_id)
        source,
        device_id,
        event_time,
        uuid
    from sightings
    order by source, device_id, event_time, uuid

),

-- the latest installation: reinstalling counts
installations as (

    select distinct on (source, device_id)
        source,
        device_id,
        tracker_name,
        event_time,
        uuid
    from sightings
    where kind = 'installation'
    order by source, device_id, event_time desc, uuid desc

),

devices as (

    select
        newest.source,
        newest.device_id,
        {%- for fact in facts %}
        newest.{{ fact }},
        {%- endfor %}
        installations.event_time as installed_at,
        coalesce(installations.tracker_name, newest.tracker_name) as tracker_name,
        installations.uuid as installation_uuid,
        first.uuid as first_uuid,
        first.event_time as first_seen_at,
        newest.event_time as last_seen_at,
        newest.uuid,
        newest.load_id,
        newest.line_number
    from newest
    inner join first
        on newest.source = first.source
        and newest.device_id = first.device_id
    left join installations
        on newest.source = installations.source
        and newest.device_id = installations.device_id

)

select * from devices
