{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('events_part') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated'},
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['event_time'], 'type': 'brin'},
    ],
) }}

-- Who did what, when, in which session, from every source.
with events as (

    {{ winning_events([
        'uuid',
        'source',
        'user_id',
        'device_id',
        'session_id',
        'event_id',
        'insert_id',
        'amplitude_id',
        'app',
        'event_type',
        'event_time',
        'client_event_time',
        'client_upload_time',
        'server_received_time',
        'server_upload_time',
        'processed_time',
    ], ['event', 'events_part']) }}

)

select * from events
