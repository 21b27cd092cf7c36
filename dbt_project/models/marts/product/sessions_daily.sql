{{ config(
    incremental_strategy='changed_only',
    unique_key=['day', 'source'],
    pre_hook="{{ delete_days_without_sessions() }}",
    meta={'upstream': none},
    indexes=[{'columns': ['day', 'source'], 'unique': true}],
) }}

-- Sessions by the day on which they began. All are counted each time, as one row a session is soon read, and rows that
-- did not change stay: a session that a late event begins earlier moves to another day, and none of its rows tells
-- from which.
with sessions as (

    select
        origin.source,
        {{ local_day('sessions.started_at') }} as day,
        sessions.event_count,
        extract(epoch from sessions.duration) as duration_s
    from {{ ref('sessions') }} as sessions
    cross join lateral (values (sessions.source), ('all')) as origin (source)

)

select
    day,
    source,
    count(*) as sessions,
    sum(event_count)::bigint as events,
    round(avg(duration_s), 3) as mean_duration_s,
    round(percentile_cont(0.5) within group (order by duration_s)::numeric, 3) as median_duration_s
from sessions
group by 1, 2
