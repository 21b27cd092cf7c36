-- The place in raw of each row of the marts; what people put in directly is of no archive that was asked for.
select uuid, load_id, line_number, source from {{ ref('events_part') }} where source <> 'direct'
union all
select uuid, load_id, line_number, source from {{ ref('int_app_reports') }} where source <> 'direct'
union all
-- profiles stand in no mart row by row: the line that speaks for them does
select uuid, load_id, line_number, source
from {{ ref('int_events__deduplicated') }}
where removed_batch is null
    and load_id in (
        select profiles.load_id
        from {{ ref('stg_appmetrica__profiles') }} as profiles
    )
