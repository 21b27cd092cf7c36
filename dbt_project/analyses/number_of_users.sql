-- How many users the CRM has, and how many of them ever used a prosthesis.
select
    count(*) as users,
    count(*) filter (where users.user_id in (select daily.user_id from {{ ref('user_prosthesis_daily') }} as daily))
        as users_with_telemetry
from {{ ref('users') }} as users
