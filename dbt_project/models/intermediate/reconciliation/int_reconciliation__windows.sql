-- What the archive's index tells of each day.
select
    *,
    window_start::date as day,
    first_line + event_count as end_line,
    loaded_at is not null as is_loaded
from {{ source('raw', 'windows') }}
