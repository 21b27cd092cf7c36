-- The twenty users with the most events, and on how many days they had any.
select
    users.user_id,
    users.country,
    users.age,
    sum(daily.events) as events,
    count(distinct daily.day) as active_days,
    round(sum(daily.duration_ms) / 3600000.0, 2) as hours
from {{ ref('users') }} as users
inner join {{ ref('user_prosthesis_daily') }} as daily on users.user_id = daily.user_id
group by 1, 2, 3
order by 4 desc, 1
limit 20
