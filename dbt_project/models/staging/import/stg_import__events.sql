with events as (

    select * from {{ source('import', 'import_events') }}

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
        events.event_id as uuid,
        events.content_hash,
        events.user_id,

        -- text
        events.event_type,

        -- nested objects, text as sent
        events.properties as event_properties,

        -- timestamps
        events.occurred_at as event_time
    from events
    inner join loads on events.load_id = loads.load_id
    where events.rejected_reason is null

)

select * from renamed
