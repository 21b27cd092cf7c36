with direct_rows as (

    select * from {{ source('direct', 'direct_rows') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

cast_rows as (

    select
        -- lineage
        direct_rows.load_id,
        direct_rows.line_number,
        loads.source,
        loads.file_key,

        -- ids
        direct_rows.table_name,
        direct_rows.uuid,
        direct_rows.content_hash,

        -- what was given: checked, so that no cast can fail; times bear their zone
        given.*,

        -- timestamps
        direct_rows.event_time,
        direct_rows.put_in_at
    from direct_rows
    inner join loads on direct_rows.load_id = loads.load_id
    cross join lateral json_to_record(direct_rows.row_values) as given (
        user_id text,
        device_id text,
        session_id bigint,
        event_id bigint,
        insert_id text,
        amplitude_id bigint,
        app bigint,
        adid text,
        idfa text,
        event_type text,
        platform text,
        os_name text,
        os_version text,
        device_brand text,
        device_manufacturer text,
        device_model text,
        device_type text,
        device_family text,
        device_carrier text,
        language text,
        library text,
        version_name text,
        start_version text,
        ip_address text,
        tracker_name text,
        city text,
        region text,
        country text,
        dma text,
        latitude double precision,
        longitude double precision,
        event_properties json,
        user_properties json,
        client_event_time timestamptz,
        client_upload_time timestamptz,
        server_received_time timestamptz,
        server_upload_time timestamptz,
        processed_time timestamptz
    )
    where direct_rows.table_name <> 'permanent_user_properties'

)

select * from cast_rows
