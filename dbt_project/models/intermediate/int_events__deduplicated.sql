{{ config(
    incremental_strategy='versioned',
    unique_key=['uuid', 'part'],
    post_hook=["{{ analyze_changes() }}", "{{ set_mark() }}"],
    meta={'upstream': 'int_loads__validated', 'later_columns': ['part']},
    indexes=[
        {'columns': ['uuid']},
        {'columns': ['session_key']},
        {'columns': ['added_batch']},
        {'columns': ['removed_batch']},
    ],
) }}

-- Which line of which file speaks for an event: the newest upload of its uuid among the admitted loads, or,
-- where a source knows no uploads, the earliest event; ties break on content, then on the place in the
-- archive, never on the order of loading. Rows that people put in directly speak for a part of an event each
-- (a location, a record), of one id the newest; where a vendor or a file has the event, they do not count.
{%- set removed_loads = loads_removed_since_mark() if is_incremental() else [] %}
{%- set has_parts = has_direct_loads() %}

with loads as (

    select * from {{ ref('int_loads__validated') }}

),

batch as (

    select coalesce(max(greatest(admitted_batch, removed_batch)), 0) as batch
    from loads

),

added_loads as (

    select load_id
    from loads
    where removed_batch is null
        {%- if is_incremental() %}
        and admitted_batch > {{ mark() }}
        {%- endif %}

),

added as (

    select
        uuid,
        part,
        load_id,
        line_number,
        source,
        file_key,
        uploaded_at,
        earliest_wins_at,
        content_hash,
        session_key
    from {{ ref('int_events__unioned') }}
    where load_id in (select added_loads.load_id from added_loads)

),

{% if is_incremental() -%}
orphans as (

    -- events whose line stood in a load that is gone
    select
        uuid,
        part
    from {{ this }}
    where removed_batch is null
        {%- if removed_loads %}
        and load_id in ({{ removed_loads | join(', ') }})
        {%- else %}
        and false
        {%- endif %}

),

present as (

    select
        present.uuid,
        present.part,
        present.load_id,
        present.line_number,
        present.source,
        present.file_key,
        present.uploaded_at,
        present.earliest_wins_at,
        present.content_hash,
        present.session_key
    from {{ this }} as present
    where present.removed_batch is null
        and present.uuid in (select added.uuid from added)
        {%- if removed_loads %}
        and present.load_id not in ({{ removed_loads | join(', ') }})
        {%- endif %}

),

candidates as (

    select * from added
    union all
    select * from present
    {%- if removed_loads %}
    union all
    -- copies in older loads that had lost to the line that is gone; rare, so it may read all of raw
    select
        uuid,
        part,
        load_id,
        line_number,
        source,
        file_key,
        uploaded_at,
        earliest_wins_at,
        content_hash,
        session_key
    from {{ ref('int_events__unioned') }}
    where uuid in (select orphans.uuid from orphans)
        and load_id in (select loads.load_id from loads where loads.removed_batch is null)
    {%- endif %}

),

{% else -%}
candidates as (

    select * from added

),

{% endif -%}
winners as (

    select distinct on (uuid, part) *
    from candidates
    order by
        uuid,
        part,
        uploaded_at desc nulls last,
        earliest_wins_at nulls last,
        content_hash,
        source,
        file_key,
        line_number

),

{% if has_parts -%}
-- in the order that they have already; an event as a whole sorts before its parts
placed as (

    select
        *,
        first_value(part) over (partition by uuid order by part) as first_part
    from winners

),

standing as (

    select *
    from placed
    where part = ''
        or first_part <> ''

)

{% else -%}
standing as (

    select * from winners

)

{% endif -%}

select
    standing.uuid,
    standing.part,
    standing.source,
    standing.file_key,
    standing.load_id,
    standing.line_number,
    standing.uploaded_at,
    standing.earliest_wins_at,
    standing.content_hash,
    standing.session_key,
    batch.batch as added_batch,
    null::bigint as removed_batch
from standing
cross join batch
{%- if is_incremental() and (removed_loads or has_parts) %}

union all

-- what none speaks for any more: its line is gone, or the event has come from elsewhere
select
    gone.uuid,
    gone.part,
    null as source,
    null as file_key,
    null as load_id,
    null as line_number,
    null as uploaded_at,
    null as earliest_wins_at,
    null as content_hash,
    null as session_key,
    batch.batch as added_batch,
    null as removed_batch
from (
    select
        uuid,
        part
    from orphans

    {%- if has_parts %}

    union

    select
        uuid,
        part
    from present
    where part <> ''
    {%- endif %}
) as gone
cross join batch
where not exists (
    select
    from standing
    where standing.uuid = gone.uuid
        and standing.part = gone.part
)
{%- endif %}
