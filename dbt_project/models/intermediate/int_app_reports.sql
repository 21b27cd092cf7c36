{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_removed_events('mobile_devices') }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated'},
    indexes=[
        {'columns': ['uuid'], 'unique': true},
        {'columns': ['device_id', 'source']},
    ],
) }}

-- What an app reports beside its events: installations and starts of sessions; and what people say of devices.
{{ winning_events([
    'uuid',
    'kind',
    'source',
    'user_id',
    'device_id',
    'session_id',
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
    'version_name',
    'tracker_name',
    'event_time',
], ['session_start', 'installation', 'mobile_devices']) }}
