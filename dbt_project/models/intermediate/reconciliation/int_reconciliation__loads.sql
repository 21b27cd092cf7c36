-- Where the rows of each load stand.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

),

-- admitted, and taken in by the models that rows are counted in
built_loads as (

    select load_id
    from {{ ref('int_loads__validated') }}
    where removed_batch is null
        and admitted_batch <= (
            select min(marks.batch)
            from {{ model_marks() }} as marks
            where marks.model in ('int_events__deduplicated', 'events_part', 'int_app_reports')
        )

),

loads as (

    select
        loads.*,
        case
            when loads.superseded_by is not null or loads.status = 'superseded' then 'old'
            when loads.status = 'withdrawn' then 'withdrawn'
            when loads.load_seq is null then 'partial'
            when built_loads.load_id is not null then 'built'
            else 'held back'
        end as standing,
        -- its newest content is not loaded yet: the rows of the older one are no surplus
        loads.file_key in (
            select windows.file_key
            from windows
            where windows.archived_at is not null
                and not windows.is_loaded
        ) as is_file_pending
    from {{ source('raw', 'loads') }} as loads
    left join built_loads on loads.load_id = built_loads.load_id
    where loads.source in (select windows.source from windows)

)

select * from loads
