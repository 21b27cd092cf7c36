with profiles as (

    select * from {{ source('appmetrica', 'appmetrica_profiles') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

renamed as (

    select
        -- lineage
        profiles.load_id,
        profiles.line_number,
        loads.source,
        loads.file_key,

        -- ids
        {{ appmetrica_uuid('profiles', 'profiles.snapshot_time') }} as uuid,
        profiles.content_hash,
        profiles.appmetrica_device_id::text as device_id,
        nullif(profiles.profile_id, '') as user_id,
        nullif(profiles.google_aid, '') as adid,
        nullif(profiles.ios_ifa, '') as idfa,

        -- text, "" where the vendor has nothing to say
        nullif(profiles.os_name, '') as os_name,
        nullif(profiles.os_version, '') as os_version,
        nullif(profiles.device_manufacturer, '') as device_manufacturer,
        nullif(profiles.device_model, '') as device_model,
        nullif(profiles.device_type, '') as device_type,
        nullif(profiles.operator_name, '') as device_carrier,
        nullif(profiles.app_version_name, '') as version_name,
        nullif(profiles.city, '') as city,
        nullif(profiles.country_iso_code, '') as country,

        -- the custom attributes, text as sent, and those of the vendor's own that the mapping names
        {{ profile_properties('profiles') }} as user_properties,

        -- timestamps: the vendor keeps no history, so a snapshot tells how things were when it was taken
        profiles.snapshot_time as event_time
    from profiles
    inner join loads on profiles.load_id = loads.load_id

)

select * from renamed
