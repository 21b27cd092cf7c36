with session_starts as (

    select * from {{ source('appmetrica', 'appmetrica_sessions_starts') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

renamed as (

    select
        -- lineage
        session_starts.load_id,
        session_starts.line_number,
        loads.source,
        loads.file_key,

        -- ids
        {{ appmetrica_uuid('session_starts') }} as uuid,
        session_starts.content_hash,
        session_starts.appmetrica_device_id::text as device_id,
        nullif(session_starts.profile_id, '') as user_id,
        session_starts.session_id,
        session_starts.application_id as app,
        nullif(session_starts.google_aid, '') as adid,
        nullif(session_starts.ios_ifa, '') as idfa,

        -- text, "" where the vendor has nothing to say
        nullif(session_starts.os_name, '') as os_name,
        nullif(session_starts.os_version, '') as os_version,
        nullif(session_starts.device_manufacturer, '') as device_manufacturer,
        nullif(session_starts.device_model, '') as device_model,
        nullif(session_starts.device_type, '') as device_type,
        nullif(session_starts.operator_name, '') as device_carrier,
        nullif(session_starts.device_locale, '') as language,
        nullif(session_starts.app_version_name, '') as version_name,
        nullif(session_starts.city, '') as city,
        nullif(session_starts.country_iso_code, '') as country,
        nullif(session_starts.device_ipv6, '') as ip_address,

        -- timestamps
        to_timestamp(session_starts.session_start_receive_timestamp) as server_received_time,
        coalesce(
            to_timestamp(session_starts.session_start_timestamp),
            to_timestamp(session_starts.session_start_receive_timestamp),
            'epoch'::timestamptz
        ) as event_time
    from session_starts
    inner join loads on session_starts.load_id = loads.load_id

)

select * from renamed
