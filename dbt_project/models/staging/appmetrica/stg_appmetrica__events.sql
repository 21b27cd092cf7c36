with events as (

    select * from {{ source('appmetrica', 'appmetrica_events') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

renamed as (

    select
        -- lineage
        events.load_id,
        events.line_number,
        loads.source,
        loads.file_key,

        -- ids
        {{ appmetrica_uuid('events') }} as uuid,
        events.content_hash,
        events.appmetrica_device_id::text as device_id,
        nullif(events.profile_id, '') as user_id,
        events.session_id,
        nullif(events.installation_id, '') as installation_id,
        events.application_id as app,
        nullif(events.google_aid, '') as adid,
        nullif(events.ios_ifa, '') as idfa,

        -- text, "" where the vendor has nothing to say
        nullif(events.event_name, '') as event_type,
        nullif(events.os_name, '') as os_name,
        nullif(events.os_version, '') as os_version,
        nullif(events.device_manufacturer, '') as device_manufacturer,
        nullif(events.device_model, '') as device_model,
        nullif(events.device_type, '') as device_type,
        nullif(events.operator_name, '') as device_carrier,
        nullif(events.device_locale, '') as language,
        nullif(events.app_version_name, '') as version_name,
        nullif(events.city, '') as city,
        nullif(events.country_iso_code, '') as country,
        nullif(events.device_ipv6, '') as ip_address,

        -- the text that the app sent; what is no JSON stands as one JSON string
        case
            when events.event_json = '' then null
            when pg_input_is_valid(events.event_json, 'json') then events.event_json::json
            else to_json(events.event_json)
        end as event_properties,

        -- timestamps
        to_timestamp(events.event_timestamp) as client_event_time,
        to_timestamp(events.event_receive_timestamp) as server_received_time,
        coalesce(
            to_timestamp(events.event_timestamp),
            to_timestamp(events.event_receive_timestamp),
            'epoch'::timestamptz
        ) as event_time
    from events
    inner join loads on events.load_id = loads.load_id

)

select * from renamed
