{{ config(materialized='table', schema='audit', tags=['reconciliation']) }}

-- Does every archived event stand in the tables, once, or is it known why not? Counts what is there: lines
-- of the archive by its own index, rows of raw, rows of the marts. Reads all of them, so transform leaves it
-- to the flow `reconcile`; being one statement, it sees one moment.
{%- set daily_tables = ['', 'events', 'installations', 'sessions_starts'] %}

with windows as (

    select
        *,
        window_start::date as day,
        first_line + event_count as end_line,
        loaded_at is not null as is_loaded
    from {{ source('raw', 'windows') }}

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
        end as standing
    from {{ source('raw', 'loads') }} as loads
    left join built_loads on loads.load_id = built_loads.load_id
    where loads.source in (select windows.source from windows)

),

-- files whose newest content is not loaded yet: the rows of their older content are no surplus
pending_files as (

    select distinct file_key
    from windows
    where archived_at is not null
        and not is_loaded

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

mart_rows as (

    select uuid, load_id, line_number, source from {{ ref('events_part') }}
    union all
    select uuid, load_id, line_number, source from {{ ref('int_app_reports') }}
    union all
    -- profiles stand in no mart row by row: the line that speaks for them does
    select uuid, load_id, line_number, source
    from {{ ref('int_events__deduplicated') }}
    where removed_batch is null
        and load_id in (
            select profiles.load_id
            from {{ ref('stg_appmetrica__profiles') }} as profiles
        )

),

raw_fates as (

    select
        loads.source,
        loads.file_key,
        raw_rows.line_number,
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
        or raw_fates.file_key not in (select pending_files.file_key from pending_files)
    group by raw_fates.source, windows.table_name, windows.day

),

mart_places as (

    select
        coalesce(loads.source, mart_rows.source) as source,
        loads.file_key,
        mart_rows.line_number
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
        or mart_places.file_key is null
        or mart_places.file_key not in (select pending_files.file_key from pending_files)
    group by mart_places.source, windows.table_name, windows.day

),

-- by lines, for of a load that was withdrawn half-way the rest never comes
withdrawn_counts as (

    select
        windows.source,
        windows.table_name,
        windows.day,
        sum(
            least(
                windows.end_line,
                case
                    when loads.load_seq is not null
                        then coalesce(loads.last_line + 1, loads.first_line)
                end
            ) - greatest(windows.first_line, loads.first_line)
        )::bigint as rows_withdrawn
    from windows
    inner join loads
        on windows.file_key = loads.file_key
        and loads.standing = 'withdrawn'
        and (loads.load_seq is not null or loads.etag = windows.etag)
        and loads.first_line < windows.end_line
        and (loads.load_seq is null or coalesce(loads.last_line, -1) >= windows.first_line)
    where windows.is_loaded
    group by windows.source, windows.table_name, windows.day

),

-- a load that failed will not come by itself; any other is waited for, a day long
archive_counts as (

    select
        windows.source,
        windows.table_name,
        windows.day,
        sum(event_count)::bigint as events_archived,
        coalesce(sum(event_count) filter (where not is_loaded), 0)::bigint as rows_not_loaded,
        bool_or(
            not is_loaded
            and event_count > 0
            and (archived_at < now() - interval '24 hours' or failed.load_id is not null)
        ) as is_overdue,
        max(failed.load_id) as failed_load_id
    from windows
    left join loads as failed
        on windows.file_key = failed.file_key
        and failed.standing = 'partial'
        and failed.status = 'failed'
    where archived_at is not null
    group by windows.source, windows.table_name, windows.day

),

-- every day between the first archived one and the last that had its second chance to come
expected_days as (

    select
        spans.source,
        spans.table_name,
        expected.day::date as day
    from (
        select
            source,
            table_name,
            min(day) as first_day
        from windows
        where archived_at is not null
            and table_name = any({{ text_array(daily_tables) }})
        group by source, table_name
    ) as spans
    cross join lateral generate_series(
        spans.first_day::timestamp,
        (now() at time zone 'UTC' - interval '36 hours')::date,
        interval '1 day'
    ) as expected (day)

),

absent_days as (

    select
        expected_days.*,
        coalesce(asked.ask_count, 0) as ask_count
    from expected_days
    left join lateral (
        select sum(windows.ask_count) as ask_count
        from windows
        where windows.source = expected_days.source
            and windows.table_name = expected_days.table_name
            and windows.day = expected_days.day
    ) as asked on true
    where not exists (
        select
        from windows
        where windows.source = expected_days.source
            and windows.table_name = expected_days.table_name
            and windows.archived_at is not null
            and expected_days.day >= windows.window_start
            and expected_days.day < windows.window_end
    )

),

findings as (

    select
        loads.file_key,
        sum(checked.finding_count) as finding_count
    from {{ ref('int_loads__checked') }} as checked
    inner join loads on checked.load_id = loads.load_id
    group by loads.file_key

),

held_back_reasons as (

    select
        windows.source,
        windows.table_name,
        windows.day,
        case
            when sum(findings.finding_count) > 0
                then sum(findings.finding_count) || ' findings in their file'
            when (select sum(findings.finding_count) from findings) > 0
                then 'the gate found something in another file'
            else 'they wait for a build'
        end as reason
    from windows
    inner join loads
        on windows.file_key = loads.file_key
        and loads.standing = 'held back'
    left join findings on windows.file_key = findings.file_key
    group by windows.source, windows.table_name, windows.day

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
        coalesce(withdrawn_counts.rows_withdrawn, 0) as rows_withdrawn,
        coalesce(raw_counts.rows_without_mart, 0) as rows_without_mart,
        coalesce(archive_counts.rows_not_loaded, 0) as rows_not_loaded,
        greatest(
            coalesce(archive_counts.events_archived, 0)
            - coalesce(archive_counts.rows_not_loaded, 0)
            - coalesce(withdrawn_counts.rows_withdrawn, 0)
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
    left join withdrawn_counts
        on places.source = withdrawn_counts.source
        and places.table_name = withdrawn_counts.table_name
        and places.day = withdrawn_counts.day
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
