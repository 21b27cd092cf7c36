with events as (

    select * from {{ source('raw', 'amplitude_events') }}

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
        events.uuid,
        events.user_id,
        events.device_id,
        events.session_id,
        events.event_id,
        events.insert_id,
        events.amplitude_id,
        events.app,
        events.adid,
        events.idfa,

        -- text
        events.event_type,
        events.platform,
        events.os_name,
        events.os_version,
        events.device_brand,
        events.device_manufacturer,
        events.device_model,
        events.device_type,
        events.device_family,
        events.device_carrier,
        events.language,
        events.library,
        events.version_name,
        events.start_version,
        events.ip_address,
        events.city,
        events.region,
        events.country,
        events.dma,

        -- numerics
        events.location_lat as latitude,
        events.location_lng as longitude,

        -- nested objects, text as sent
        events.event_properties,
        events.user_properties,

        -- timestamps
        events.client_event_time,
        events.client_upload_time,
        events.server_received_time,
        events.server_upload_time,
        events.processed_time,
        coalesce(
            events.event_time,
            events.client_event_time,
            events.server_received_time,
            events.server_upload_time,
            'epoch'::timestamptz
        ) as event_time,

        -- what the client sent, without the server's clocks: it breaks ties, and stands in for a
        -- missing uuid, so that a row that is exported again gets the same one
        md5(concat_ws(
            '|',
            events.device_id,
            events.user_id,
            events.event_type,
            events.event_id,
            events.insert_id,
            events.session_id,
            extract(epoch from coalesce(events.client_event_time, events.event_time)),
            events.event_properties::text,
            events.user_properties::text
        ))::uuid as content_hash
    from events
    inner join loads on events.load_id = loads.load_id

)

select * from renamed
