-- Events, active users and hours of signals by month (UTC).
select
    date_trunc('month', day)::date as month,
    sum(events) as events,
    count(distinct user_id) as users,
    round(sum(duration_ms) / 3600000.0, 2) as hours
from {{ ref('user_prosthesis_daily') }}
group by 1
order by 1
