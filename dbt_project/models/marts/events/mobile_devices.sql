{{ config(
    incremental_strategy='changed_only',
    unique_key=['source', 'device_id'],
    pre_hook="{{ delete_vanished_devices() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'technical_data'},
    indexes=[{'columns': ['source', 'device_id'], 'unique': true}],
) }}

-- depends_on: {{ ref('int_events__deduplicated') }}
-- One row per device: the facts of its newest event, first and last seen. A browser is no mobile device.
-- A device is read again from all its events when an event of it came, or its first or newest one went.
with events as (

    select
        source,
        device_id,
        platform,
        os_name,
        os_version,
        device_brand,
        device_manufacturer,
        device_model,
        device_type,
        device_family,
        device_carrier,
        language,
        version_name,
        uuid,
        uuid as first_uuid,
        event_time as first_seen_at,
        event_time as last_seen_at,
        load_id,
        line_number
    from {{ ref('technical_data') }}
    where device_id is not null
        and platform is distinct from 'Web'

),

{% if is_incremental() -%}
affected as (

    select
        source,
        device_id
    from {{ ref('technical_data') }}
    where uuid in (
        select winners.uuid
        from {{ ref('int_events__deduplicated') }} as winners
        where winners.added_batch > {{ mark() }}
            and winners.removed_batch is null
    )

    union

    {{ devices_of_removed_events() }}

),

sightings as (

    select events.*
    from events
    inner join affected
        on events.source = affected.source
        and events.device_id = affected.device_id

),

{% else -%}
sightings as (

    select * from events

),

{% endif -%}
newest as (

    select distinct on (source, device_id) *
    from sightings
    order by source, device_id, last_seen_at desc, uuid desc

),

first as (

    select distinct on (source, device_id)
        source,
        device_id,
        first_uuid,
        first_seen_at
    from sightings
    order by source, device_id, first_seen_at, first_uuid

),

devices as (

    select
        newest.source,
        newest.device_id,
        newest.platform,
        newest.os_name,
        newest.os_version,
        newest.device_brand,
        newest.device_manufacturer,
        newest.device_model,
        newest.device_type,
        newest.device_family,
        newest.device_carrier,
        newest.language,
        newest.version_name,
        first.first_uuid,
        first.first_seen_at,
        newest.last_seen_at,
        newest.uuid,
        newest.load_id,
        newest.line_number
    from newest
    inner join first
        on newest.source = first.source
        and newest.device_id = first.device_id

)

select * from devices
