{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('tmp_event_properties') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated'},
    indexes=[
        {'columns': ['uuid'], 'unique': true},
    ],
) }}

-- What an event says about itself, for events that say anything.
with events as (

    {{ winning_events([
        'uuid',
        'source',
        'event_type',
        'event_properties',
        'event_time',
    ], ['event', 'tmp_event_properties']) }}

),

parsed as (

    select
        uuid,
        source,
        event_type,
        {{ to_jsonb('event_properties') }} as event_properties,
        event_time,
        load_id,
        line_number
    from events
    where event_properties is not null

)

select *
from parsed
where event_properties not in ('{}'::jsonb, 'null'::jsonb)
