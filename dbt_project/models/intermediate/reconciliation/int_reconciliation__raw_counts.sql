-- What became of the rows of raw, by the day of their line; a null day: of no archived line.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

),

loads as (

    select * from {{ ref('int_reconciliation__loads') }}

),

mart_rows as (

    select * from {{ ref('int_reconciliation__mart_rows') }}

),

raw_rows as (

    select
        load_id,
        line_number,
        uuid
    from {{ ref('int_events__unioned') }}

    union all

    -- tables that no model reads
    select
        load_id,
        line_number,
        null::uuid as uuid
    from {{ source('appmetrica', 'appmetrica_other') }}

),

raw_fates as (

    select
        loads.source,
        loads.file_key,
        raw_rows.line_number,
        loads.is_file_pending,
        case
            when loads.standing = 'held back' then 'held back'
            when raw_rows.uuid is null then 'without mart'
            when mart_rows.uuid is null then 'missing'
            when (mart_rows.load_id, mart_rows.line_number)
                = (raw_rows.load_id, raw_rows.line_number) then 'in mart'
            else 'duplicate'
        end as fate
    from raw_rows
    inner join loads
        on raw_rows.load_id = loads.load_id
        and loads.standing in ('built', 'held back')
    left join mart_rows on raw_rows.uuid = mart_rows.uuid

),

raw_counts as (

    select
        raw_fates.source,
        windows.table_name,
        windows.day,
        count(*) as rows_loaded,
        count(distinct row(raw_fates.file_key, raw_fates.line_number)) as lines_loaded,
        count(distinct row(raw_fates.file_key, raw_fates.line_number))
            filter (where fate = 'in mart') as lines_in_marts,
        count(*) filter (where fate = 'duplicate') as duplicates_removed,
        count(*) filter (where fate = 'held back') as rows_held_back,
        count(*) filter (where fate = 'without mart') as rows_without_mart,
        count(*) filter (where fate = 'missing') as rows_missing
    from raw_fates
    left join windows
        on raw_fates.file_key = windows.file_key
        and windows.is_loaded
        and raw_fates.line_number >= windows.first_line
        and raw_fates.line_number < windows.end_line
    where windows.file_key is not null
        or not raw_fates.is_file_pending
    group by raw_fates.source, windows.table_name, windows.day

)

select * from raw_counts
