{{ config(materialized='table', schema='audit', tags=['reconciliation']) }}

-- Does every archived event stand in the tables, once, or is it known why not? Counts what is there: lines
-- of the archive by its own index, rows of raw, rows of the marts. Reads all of them, so transform leaves it
-- to the flow `reconcile`; being one statement (what it counts is ephemeral), it sees one moment.

with archive_counts as (

    select * from {{ ref('int_reconciliation__archive_counts') }}

),

raw_counts as (

    select * from {{ ref('int_reconciliation__raw_counts') }}

),

mart_counts as (

    select * from {{ ref('int_reconciliation__mart_counts') }}

),

absent_days as (

    select * from {{ ref('int_reconciliation__absent_days') }}

),

held_back_reasons as (

    select * from {{ ref('int_reconciliation__held_back') }}

),

places as (

    select source, table_name, day from archive_counts
    union
    select source, coalesce(table_name, ''), day from raw_counts
    union
    select source, coalesce(table_name, ''), day from mart_counts
    union
    select source, table_name, day from absent_days

),

counted as (

    select
        places.source,
        places.table_name,
        places.day,
        coalesce(archive_counts.events_archived, 0) as events_archived,
        coalesce(raw_counts.rows_loaded, 0) as rows_loaded,
        coalesce(mart_counts.rows_in_marts, 0) as rows_in_marts,
        coalesce(raw_counts.duplicates_removed, 0) as duplicates_removed,
        coalesce(raw_counts.rows_held_back, 0) as rows_held_back,
        coalesce(archive_counts.rows_withdrawn, 0) as rows_withdrawn,
        coalesce(raw_counts.rows_without_mart, 0) as rows_without_mart,
        coalesce(archive_counts.rows_not_loaded, 0) as rows_not_loaded,
        greatest(
            coalesce(archive_counts.events_archived, 0)
            - coalesce(archive_counts.rows_not_loaded, 0)
            - coalesce(archive_counts.rows_withdrawn, 0)
            - coalesce(raw_counts.lines_loaded, 0),
            0
        ) as missing_in_raw,
        coalesce(raw_counts.rows_missing, 0) as missing_in_marts,
        case
            when places.day is null then coalesce(raw_counts.rows_loaded, 0)
            else coalesce(raw_counts.rows_loaded - raw_counts.lines_loaded, 0)
        end as surplus_in_raw,
        -- each line in the marts is one row of them: the others are of no line
        coalesce(mart_counts.rows_in_marts, 0)
        - case when places.day is null then 0 else coalesce(raw_counts.lines_in_marts, 0) end
            as surplus_in_marts,
        coalesce(archive_counts.is_overdue, false) as is_overdue,
        archive_counts.failed_load_id,
        absent_days.ask_count as absent_ask_count,
        held_back_reasons.reason as held_back_reason
    from places
    left join archive_counts
        on places.source = archive_counts.source
        and places.table_name = archive_counts.table_name
        and places.day = archive_counts.day
    left join raw_counts
        on places.source = raw_counts.source
        and places.table_name = coalesce(raw_counts.table_name, '')
        and places.day is not distinct from raw_counts.day
    left join mart_counts
        on places.source = mart_counts.source
        and places.table_name = coalesce(mart_counts.table_name, '')
        and places.day is not distinct from mart_counts.day
    left join absent_days
        on places.source = absent_days.source
        and places.table_name = absent_days.table_name
        and places.day = absent_days.day
    left join held_back_reasons
        on places.source = held_back_reasons.source
        and places.table_name = held_back_reasons.table_name
        and places.day = held_back_reasons.day

)

select
    source,
    table_name,
    day,
    case
        when missing_in_raw + missing_in_marts > 0 or is_overdue or absent_ask_count is not null
            then 'hole'
        when surplus_in_raw + surplus_in_marts > 0 then 'surplus'
        when rows_not_loaded > 0 then 'waiting'
        when rows_held_back > 0 then 'held back'
        else 'complete'
    end as verdict,
    concat_ws(
        '; ',
        case
            when absent_ask_count = 0 then 'never asked'
            when absent_ask_count > 0 then 'not archived, asked ' || absent_ask_count || ' times'
        end,
        case
            when rows_not_loaded > 0 then
                rows_not_loaded || ' archived events are not loaded'
                || coalesce(': load ' || failed_load_id || ' failed', '')
        end,
        case when missing_in_raw > 0 then missing_in_raw || ' loaded lines are gone from raw' end,
        case when missing_in_marts > 0 then missing_in_marts || ' rows of raw are in no mart' end,
        case
            when surplus_in_raw > 0 and day is null
                then surplus_in_raw || ' rows of raw are of no archived line'
            when surplus_in_raw > 0
                then surplus_in_raw || ' rows of raw are of a line that is there already'
        end,
        case
            when surplus_in_marts > 0
                then surplus_in_marts || ' rows of the marts are of no row of raw'
        end,
        case
            when rows_held_back > 0
                then rows_held_back || ' rows are held back: ' || held_back_reason
        end,
        case when rows_withdrawn > 0 then rows_withdrawn || ' rows were withdrawn' end,
        case
            when rows_without_mart > 0
                then rows_without_mart || ' rows are of a table without mart'
        end,
        case when duplicates_removed > 0 then duplicates_removed || ' duplicates were removed' end
    ) as reasons,
    events_archived,
    rows_loaded,
    rows_in_marts,
    duplicates_removed,
    rows_held_back,
    rows_withdrawn,
    rows_without_mart,
    rows_not_loaded,
    missing_in_raw + missing_in_marts as rows_missing,
    surplus_in_raw + surplus_in_marts as rows_surplus,
    now() as checked_at
from counted
