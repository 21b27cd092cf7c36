with installations as (

    select * from {{ source('appmetrica', 'appmetrica_installations') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

renamed as (

    select
        -- lineage
        installations.load_id,
        installations.line_number,
        loads.source,
        loads.file_key,

        -- ids
        {{ appmetrica_uuid('installations') }} as uuid,
        installations.content_hash,
        installations.appmetrica_device_id::text as device_id,
        nullif(installations.profile_id, '') as user_id,
        nullif(installations.installation_id, '') as installation_id,
        installations.application_id as app,
        nullif(installations.google_aid, '') as adid,
        nullif(installations.ios_ifa, '') as idfa,

        -- text, "" where the vendor has nothing to say
        nullif(installations.os_name, '') as os_name,
        nullif(installations.os_version, '') as os_version,
        nullif(installations.device_manufacturer, '') as device_manufacturer,
        nullif(installations.device_model, '') as device_model,
        nullif(installations.device_type, '') as device_type,
        nullif(installations.operator_name, '') as device_carrier,
        nullif(installations.device_locale, '') as language,
        nullif(installations.app_version_name, '') as version_name,
        nullif(installations.city, '') as city,
        nullif(installations.country_iso_code, '') as country,
        nullif(installations.install_ipv6, '') as ip_address,
        nullif(installations.tracker_name, '') as tracker_name,
        nullif(installations.publisher_name, '') as publisher_name,
        nullif(installations.match_type, '') as match_type,

        -- booleans
        installations.is_reattribution,
        installations.is_reinstallation,

        -- timestamps
        to_timestamp(installations.install_receive_timestamp) as server_received_time,
        coalesce(
            to_timestamp(installations.install_timestamp),
            to_timestamp(installations.install_receive_timestamp),
            'epoch'::timestamptz
        ) as event_time
    from installations
    inner join loads on installations.load_id = loads.load_id

)

select * from renamed
