{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_changed_telemetry() }}",
    meta={'clock': 'imports', 'imported_by': 'users', 'reads_raw': true},
    indexes=[
        {'columns': ['id'], 'unique': true},
        {'columns': ['user_id', 'event_timestamp']},
        {'columns': ['event_timestamp'], 'type': 'brin'},
    ],
) }}

-- Days that an import touched are taken anew, whole. An import that comes between the users' build and this one may
-- have brought events of users who are not there yet: the mark is the users' own, so that its days are taken again.
with events as (

    select * from {{ ref('stg_telemetry__events') }}
    {% if is_incremental() -%}
    where {{ is_of_changed_days() }}
    {%- endif %}

),

users as (

    select * from {{ ref('users') }}

)

select
    events.id,
    events.user_id,
    events.prosthesis_type,
    events.muscle_group,
    events.signal_frequency,
    events.signal_duration,
    events.signal_amplitude,
    events.event_timestamp,
    events.saved_ts,
    events.import_id
from events
inner join users on events.user_id = users.user_id
