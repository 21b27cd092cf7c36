-- How many telemetry events there are, of whom, and of which days. The daily table has the sums already.
select
    sum(events) as events,
    count(distinct user_id) as users,
    min(day) as first_day,
    max(day) as last_day
from {{ ref('user_prosthesis_daily') }}
