-- Rows of the marts, by the day of their line; a null day: of no archived line.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

),

loads as (

    select * from {{ ref('int_reconciliation__loads') }}

),

mart_rows as (

    select * from {{ ref('int_reconciliation__mart_rows') }}

),

mart_places as (

    select
        coalesce(loads.source, mart_rows.source) as source,
        loads.file_key,
        mart_rows.line_number,
        coalesce(loads.is_file_pending, false) as is_file_pending
    from mart_rows
    left join loads on mart_rows.load_id = loads.load_id
    where mart_rows.source in (select windows.source from windows)
        -- until the next build what was superseded or withdrawn stands where it stood
        and coalesce(loads.standing, 'unknown') not in ('old', 'withdrawn')

),

mart_counts as (

    select
        mart_places.source,
        windows.table_name,
        windows.day,
        count(*) as rows_in_marts
    from mart_places
    left join windows
        on mart_places.file_key = windows.file_key
        and windows.is_loaded
        and mart_places.line_number >= windows.first_line
        and mart_places.line_number < windows.end_line
    where windows.file_key is not null
        or not mart_places.is_file_pending
    group by mart_places.source, windows.table_name, windows.day

)

select * from mart_counts
