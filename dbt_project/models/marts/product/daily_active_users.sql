{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_changed_spans() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__attributed'},
    indexes=[{'columns': ['day', 'source'], 'unique': true}],
) }}

-- How many users were active on a day, and within the last 7 and 30. A day on which anything came or went is counted
-- anew, and the 29 behind it.
with sightings as (

    select distinct
        origin.source,
        events.user_key,
        events.day
    from {{ ref('int_events__attributed') }} as events
    cross join lateral (values (events.source), ('all')) as origin (source)
    where events.removed_batch is null
        and events.user_key is not null
        {%- if is_incremental() %}
        and (
            events.day in ({{ days_near_changes(-29, 29) }})
            or events.day > coalesce((select max(day) from {{ this }}), '-infinity') - 30
        )
        {%- endif %}

),

-- Someone seen on a day counts for that one and 29 more, or until seen again: spans of one user never meet, so that
-- users are counted once in every window.
reaches as (

    select
        source,
        day,
        coalesce(
            least(lead(day) over (partition by source, user_key order by day) - day, 30), 30
        ) as reach
    from sightings

),

counted as (

    select
        source,
        day,
        reach,
        count(*) as users
    from reaches
    group by 1, 2, 3

),

days as (

    select
        counted.day + distance.days as day,
        counted.source,
        sum(counted.users) filter (where distance.days = 0) as users,
        sum(counted.users) filter (where distance.days < 7) as users_7_days,
        sum(counted.users) as users_30_days
    from counted
    cross join generate_series(0, counted.reach - 1) as distance (days)
    group by 1, 2

)

select
    day,
    source,
    coalesce(users, 0)::bigint as active_users,
    coalesce(users_7_days, 0)::bigint as active_users_7_days,
    users_30_days::bigint as active_users_30_days
from days
where day <= {{ last_active_day() }}
    {%- if is_incremental() %}
    and (
        day in ({{ days_near_changes(0, 29) }})
        -- days that were still to come
        or day > coalesce((select max(day) from {{ this }}), '-infinity')
    )
    {%- endif %}
