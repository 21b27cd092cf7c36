-- How many users the CRM has, and how many of them ever used a prosthesis.
select
    count(*) as users,
    count(active.user_id) as users_with_telemetry
from {{ ref('users') }} as users
left join (
    select distinct user_id from {{ ref('user_prosthesis_daily') }}
) as active on users.user_id = active.user_id
