{{ config(
    incremental_strategy='versioned',
    unique_key='user_key',
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__attributed', 'version': ['first_day']},
    indexes=[
        {'columns': ['user_key']},
        {'columns': ['added_batch']},
        {'columns': ['removed_batch']},
    ],
) }}

-- The day on which a user was first active. A late event makes it an earlier one, a withdrawn one a later.
with batch as (

    select batch
    from {{ model_marks() }}
    where model = 'int_events__attributed'

),

{% if is_incremental() -%}
changed as (

    select distinct user_key
    from {{ ref('int_events__attributed') }}
    where {{ is_changed() }}
        and user_key is not null

),

first_days as (

    select
        changed.user_key,
        present.first_day
    from changed
    -- one look into the index for each user, not all that the user ever did
    cross join lateral (
        select min(events.day) as first_day
        from {{ ref('int_events__attributed') }} as events
        where events.user_key = changed.user_key
            and events.removed_batch is null
    ) as present

)

{% else -%}
first_days as (

    select
        user_key,
        min(day) as first_day
    from {{ ref('int_events__attributed') }}
    where removed_batch is null
        and user_key is not null
    group by user_key

)

{% endif -%}
select
    first_days.user_key,
    first_days.first_day,
    batch.batch as added_batch,
    null::bigint as removed_batch
from first_days
cross join batch
