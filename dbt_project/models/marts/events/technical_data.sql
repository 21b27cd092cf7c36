{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('technical_data') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated'},
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['device_id', 'source']},
    ],
) }}

-- On what an event happened: device, system, app version.
with events as (

    {{ winning_events([
        'uuid',
        'source',
        'device_id',
        'adid',
        'idfa',
        'platform',
        'os_name',
        'os_version',
        'device_brand',
        'device_manufacturer',
        'device_model',
        'device_type',
        'device_family',
        'device_carrier',
        'language',
        'library',
        'version_name',
        'start_version',
        'ip_address',
        'event_time',
    ], ['event', 'technical_data']) }}

)

select * from events
