{{ config(
    incremental_strategy='changed_only',
    unique_key='user_id',
    pre_hook="{{ delete_removed_users() }}",
    meta={'clock': 'imports', 'reads_raw': true},
    indexes=[{'columns': ['user_id'], 'unique': true}],
) }}

with users as (

    select * from {{ ref('stg_crm__users') }}

)

select
    user_id,
    user_uuid,
    name,
    email,
    phone,
    address,
    gender,
    country,
    age,
    registration_ts,
    registered_at,
    present_since_import
from users
