{{ config(
    incremental_strategy='changed_only',
    unique_key='session_key',
    pre_hook="{{ delete_vanished_sessions() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': ['events_part', 'int_app_reports']},
    indexes=[
        {'columns': ['session_key'], 'unique': true},
        {'columns': ['started_at'], 'type': 'brin'},
    ],
) }}

-- One row per session. A session is read again whole when anything of it came or went, however late.
-- A build of parts may find rows of an older state upstream: each counts for the session that it names.
with winners as (

    select
        uuid,
        session_key
    from {{ ref('int_events__deduplicated') }}
    where removed_batch is null
        and session_key is not null
        {%- if is_incremental() %}
        and session_key in ({{ changed_sessions() }})
        {%- endif %}

),

moments as (

    select
        uuid,
        source,
        user_id,
        device_id,
        session_id,
        {{ session_key() }} as session_key,
        event_time,
        load_id,
        line_number,
        1 as events
    from {{ ref('events_part') }}

    union all

    select
        uuid,
        source,
        user_id,
        device_id,
        session_id,
        {{ session_key() }} as session_key,
        event_time,
        load_id,
        line_number,
        0 as events
    from {{ ref('int_app_reports') }}

),

sessions as (

    select
        winners.session_key,
        moments.source,
        coalesce(moments.device_id, moments.user_id) as device_or_user_id,
        moments.session_id,
        -- a user may sign in within a session
        (
            array_agg(moments.user_id order by moments.event_time desc, moments.uuid desc)
            filter (where moments.user_id is not null)
        )[1] as user_id,
        min(moments.event_time) as started_at,
        max(moments.event_time) as ended_at,
        sum(moments.events) as event_count,
        (array_agg(moments.load_id order by moments.event_time, moments.uuid))[1] as load_id,
        (array_agg(moments.line_number order by moments.event_time, moments.uuid))[1] as line_number
    from winners
    inner join moments
        on winners.uuid = moments.uuid
        and winners.session_key = moments.session_key
    group by 1, 2, 3, 4

)

select
    session_key,
    source,
    device_or_user_id,
    session_id,
    user_id,
    started_at,
    ended_at,
    ended_at - started_at as duration,
    event_count,
    load_id,
    line_number
from sessions
