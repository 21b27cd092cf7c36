{{ config(materialized='view') }}

-- One shape for the events of every vendor. Another vendor joins as one more arm of a union here.
with amplitude as (

    select
        load_id,
        line_number,
        source,
        file_key,
        coalesce(uuid, content_hash) as uuid,
        user_id,
        device_id,
        session_id,
        event_id,
        insert_id,
        amplitude_id,
        app,
        adid,
        idfa,
        event_type,
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
        library,
        version_name,
        start_version,
        ip_address,
        city,
        region,
        country,
        dma,
        latitude,
        longitude,
        event_properties,
        user_properties,
        client_event_time,
        client_upload_time,
        server_received_time,
        server_upload_time,
        processed_time,
        event_time,
        -- the vendor's clock that says which copy of an event is the newest
        server_upload_time as uploaded_at,
        content_hash
    from {{ ref('stg_amplitude__events') }}

)

select * from amplitude
