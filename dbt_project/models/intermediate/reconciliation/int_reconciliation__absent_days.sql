{%- set daily_tables = ['', 'events', 'installations', 'sessions_starts'] %}

-- Days that ought to be archived and are not.
with windows as (

    select * from {{ ref('int_reconciliation__windows') }}

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

)

select * from absent_days
