{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_changed_cohorts() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': ['int_events__attributed', 'int_users__first_seen']},
    indexes=[{'columns': ['cohort_week', 'week_number'], 'unique': true}],
) }}

-- Of those who first came in a week, how many came again in each later one. Counted anew: weeks in which anything
-- came or went, for all cohorts, and cohorts that someone joined or left, in all weeks.
with users as (

    select
        user_key,
        {{ week_of('first_day') }} as cohort_week
    from {{ ref('int_users__first_seen') }}
    where removed_batch is null

),

sizes as (

    select
        cohort_week,
        count(*) as cohort_size
    from users
    group by cohort_week

),

visits as (

    {% if is_incremental() -%}
    select
        events.user_key,
        {{ week_of('events.day') }} as week
    from {{ ref('int_events__attributed') }} as events
    inner join ({{ changed_weeks() }}) as changed
        on events.day between changed.week and changed.week + 6
    where events.removed_batch is null

    union

    select
        events.user_key,
        {{ week_of('events.day') }} as week
    from {{ ref('int_events__attributed') }} as events
    inner join users on events.user_key = users.user_key
    where events.removed_batch is null
        and users.cohort_week in ({{ changed_cohorts() }})
    {%- else -%}
    select distinct
        user_key,
        {{ week_of('day') }} as week
    from {{ ref('int_events__attributed') }}
    where removed_batch is null
    {%- endif %}

),

cells as (

    select
        users.cohort_week,
        (visits.week - users.cohort_week) / 7 as week_number,
        count(*) as active_users
    from visits
    inner join users on visits.user_key = users.user_key
    group by 1, 2

)

select
    cells.cohort_week,
    cells.week_number,
    sizes.cohort_size,
    cells.active_users,
    round(cells.active_users::numeric / sizes.cohort_size, 4) as retention
from cells
inner join sizes on cells.cohort_week = sizes.cohort_week
