-- What was archived, by day, and what of it is not loaded or was withdrawn.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

),

loads as (

    select * from {{ ref('int_reconciliation__loads') }}

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
failed_loads as (

    select
        file_key,
        max(load_id) as load_id
    from loads
    where standing = 'partial'
        and status = 'failed'
    group by file_key

),

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
            and (archived_at < now() - interval '24 hours' or failed_loads.load_id is not null)
        ) as is_overdue,
        max(failed_loads.load_id) as failed_load_id
    from windows
    left join failed_loads on windows.file_key = failed_loads.file_key
    where archived_at is not null
    group by windows.source, windows.table_name, windows.day

)

select
    archive_counts.*,
    coalesce(withdrawn_counts.rows_withdrawn, 0) as rows_withdrawn
from archive_counts
left join withdrawn_counts
    on archive_counts.source = withdrawn_counts.source
    and archive_counts.table_name = withdrawn_counts.table_name
    and archive_counts.day = withdrawn_counts.day
