-- One user in detail, by month and prosthesis type: dbt compile --select report_of_user --vars '{user_id: 7}'
-- Whole days only; report_user (the flow) counts to the second.
select
    users.user_id,
    users.country,
    users.age,
    date_trunc('month', daily.day)::date as month,
    daily.prosthesis_type,
    sum(daily.events) as events,
    sum(daily.duration_ms) as duration_ms,
    round(sum(daily.amplitude_sum) / nullif(sum(daily.amplitude_count), 0), 3) as mean_amplitude,
    round(sum(daily.frequency_sum_hz) / nullif(sum(daily.frequency_count), 0), 3) as mean_hz
from {{ ref('users') }} as users
inner join {{ ref('user_prosthesis_daily') }} as daily on users.user_id = daily.user_id
where users.user_id = {{ var('user_id', 1) | int }}
group by 1, 2, 3, 4, 5
order by 4, 5
