{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_changed_telemetry_days() }}",
    meta={'clock': 'imports', 'imported_by': 'telemetry_events'},
    indexes=[{'columns': ['user_id', 'day', 'prosthesis_type'], 'unique': true}],
) }}

-- Sums are numeric: those of floating point would depend on the order of the rows, and a report adds days and the
-- edges of its span.
with events as (

    select * from {{ ref('telemetry_events') }}
    {% if is_incremental() -%}
    where {{ is_of_changed_days() }}
    {%- endif %}

)

select
    user_id,
    (event_timestamp at time zone 'UTC')::date as day,
    prosthesis_type,
    count(*) as events,
    coalesce(sum(signal_duration), 0)::bigint as duration_ms,
    coalesce(sum(signal_amplitude::numeric), 0) as amplitude_sum,
    count(signal_amplitude) as amplitude_count,
    coalesce(sum(signal_frequency::numeric), 0) as frequency_sum_hz,
    count(signal_frequency) as frequency_count
from events
group by 1, 2, 3
