with direct_rows as (

    select * from {{ source('direct', 'direct_rows') }}

),

loads as (

    select * from {{ source('raw', 'loads') }}

),

renamed as (

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

        -- nested objects
        direct_rows.row_values as typed_properties,

        -- timestamps
        direct_rows.event_time,
        direct_rows.put_in_at
    from direct_rows
    inner join loads on direct_rows.load_id = loads.load_id
    where direct_rows.table_name = 'permanent_user_properties'

)

select * from renamed
