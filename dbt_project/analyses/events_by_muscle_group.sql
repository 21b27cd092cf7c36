-- Events, users and mean length of a signal by muscle group and prosthesis type. Reads all events.
select
    coalesce(muscle_group, '(not said)') as muscle_group,
    prosthesis_type,
    count(*) as events,
    count(distinct user_id) as users,
    round(avg(signal_duration), 1) as mean_duration_ms
from {{ ref('telemetry_events') }}
group by 1, 2
order by 3 desc, 1, 2
