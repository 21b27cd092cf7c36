{{ config(
    incremental_strategy='versioned',
    unique_key='uuid',
    post_hook=["{{ analyze_changes() }}", "{{ set_mark() }}"],
    meta={
        'upstream': 'int_events__deduplicated',
        'version': ['day', 'source', 'user_key', 'event_type'],
        'is_zoned': true,
    },
    indexes=[
        {'columns': ['uuid']},
        {'columns': ['day']},
        {'columns': ['user_key', 'day']},
        {'columns': ['added_batch']},
        {'columns': ['removed_batch']},
    ],
) }}

-- Who did it, and on which day: the one place that says who a user is and when a day begins.
-- Analyzed, as models below look up users and days in it within the same build: a first load of 100,000 events
-- took one of them a minute without, and a second with it.
with events as (

    {{ winning_events([
        'uuid',
        'source',
        'user_id',
        'device_id',
        'event_type',
        'event_time',
    ], ['event', 'events_part']) }}

),

batch as (

    select batch
    from {{ model_marks() }}
    where model = 'int_events__deduplicated'

),

attributed as (

    select
        uuid,
        source,
        -- the prefix keeps a device from being taken for a user of the same name
        case
            when user_id <> '' then 'user:' || user_id
            when device_id <> '' then 'device:' || device_id
        end as user_key,
        nullif(event_type, '') as event_type,
        {{ local_day('event_time') }} as day
    from events

)

select
    attributed.uuid,
    attributed.source,
    attributed.user_key,
    attributed.event_type,
    attributed.day,
    batch.batch as added_batch,
    null::bigint as removed_batch
from attributed
cross join batch
{%- if is_incremental() %}

union all

-- events that are gone
select distinct
    gone.uuid,
    null as source,
    null as user_key,
    null as event_type,
    null::date as day,
    batch.batch as added_batch,
    null::bigint as removed_batch
from {{ ref('int_events__deduplicated') }} as gone
cross join batch
where gone.removed_batch > {{ mark() }}
    and gone.part in ('', 'events_part')
    and not exists (
        select
        from attributed
        where attributed.uuid = gone.uuid
    )
{%- endif %}
