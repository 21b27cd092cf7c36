-- Columns one by one, not `*`: an analyst may not read all of them.
with renamed as (

    select
        -- ids
        users.user_id,
        users.user_uuid,

        -- text
        {{ personal('name') }} as name,
        {{ personal('email') }} as email,
        {{ personal('phone') }} as phone,
        {{ personal('address') }} as address,
        users.gender,
        users.country,

        -- numerics
        users.age,

        -- timestamps
        users.registration_ts,
        users.registered_at,

        -- lineage
        users.present_since as present_since_import
    from {{ source('crm', 'crm_users') }} as users

)

select * from renamed
