-- The last hundred events of one user: dbt compile --select events_of_user --vars '{user_id: 7}'
select
    event_timestamp,
    prosthesis_type,
    muscle_group,
    signal_frequency as frequency_hz,
    signal_duration as duration_ms,
    signal_amplitude as amplitude
from {{ ref('telemetry_events') }}
where user_id = {{ var('user_id', 1) | int }}
order by event_timestamp desc, id desc
limit 100
