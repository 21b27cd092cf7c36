{{ config(materialized='view') }}

-- Distinct users of any span and set of events can be counted here and nowhere else: those of days do not add up.
select
    uuid,
    source,
    user_key,
    event_type,
    day
from {{ ref('int_events__attributed') }}
where removed_batch is null
