{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('user_locations') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated'},
    indexes=[
        {'columns': ['uuid'], 'unique': true},
    ],
) }}

-- Where an event happened, for events that say anything about it.
with events as (

    {{ winning_events([
        'uuid',
        'source',
        'user_id',
        'device_id',
        'latitude',
        'longitude',
        'city',
        'region',
        'country',
        'dma',
        'event_time',
    ], ['event', 'user_locations']) }}

)

select *
from events
where coalesce(
    latitude::text, longitude::text, city, region, country, dma
) is not null
