{{ config(
    incremental_strategy='changed_only',
    unique_key=['ehr_key', 'valid_from', 'uuid'],
    pre_hook=["{{ require_checked_mapping() }}", "{{ delete_affected_versions('ehr_key') }}"],
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_property_records'},
    indexes=[{'columns': ['ehr_key', 'valid_from', 'uuid'], 'unique': true}],
) }}

-- Changeable properties over time: one row per unbroken run of records with equal values. A build takes up
-- each affected group from the last run before the earliest change, so it costs by what is new.
{%- set columns = property_columns('changeable') %}
{%- set source_sets = [] %}
{%- for column in columns if column.sources and column.sources not in source_sets %}
    {%- do source_sets.append(column.sources) %}
{%- endfor %}

with {% if is_incremental() -%}
affected as (

    {{ affected_groups() }}

),

-- the run that was in effect just before, standing in for all the records before it. A column that the
-- mapping has just gained is not in the table yet: its name then finds the null of `gained`
anchors as (

    select distinct on (held.ehr_key) held.*
    from (
        select
            {%- for column in columns %}
            null::{{ column.type }} as {{ internal_name(column) }},
            {%- endfor %}
            true as is_anchor
    ) as gained
    cross join lateral (
        select
            runs.ehr_key,
            runs.valid_from,
            runs.uuid,
            runs.source,
            runs.load_id,
            runs.line_number
            {%- for column in columns %},
            {{ internal_name(column) }}
            {%- endfor %}
        from {{ this }} as runs
        inner join affected on runs.ehr_key = affected.ehr_key
    ) as held
    order by held.ehr_key, held.valid_from desc, held.uuid desc

),

{% endif -%}
records as (

    select
        records.ehr_key,
        records.event_time,
        records.uuid,
        records.source,
        records.load_id,
        records.line_number,
        {%- for column in columns %}
        records.{{ internal_name(column) }},
        {%- endfor %}
        false as is_anchor
    from {{ ref('int_property_records') }} as records
    {%- if is_incremental() %}
    inner join affected
        on records.ehr_key = affected.ehr_key
        and records.event_time >= affected.since
    {%- endif %}
    where records.removed_batch is null
        -- what people say of permanent properties alone does not blank the changeable ones
        and not records.is_permanent_only
    {%- if is_incremental() %}

    union all

    select
        ehr_key,
        valid_from as event_time,
        uuid,
        source,
        load_id,
        line_number,
        {%- for column in columns %}
        {{ internal_name(column) }},
        {%- endfor %}
        true as is_anchor
    from anchors
    {%- endif %}

),

{% if source_sets -%}
-- a column that names its sources keeps the value of their newest record until their next one
numbered as (

    select
        *
        {%- for sources in source_sets %},
        count(*) filter (where is_anchor or source = any({{ text_array(sources) }})) over (
            partition by ehr_key order by event_time, uuid
        ) as source_set_{{ loop.index }}
        {%- endfor %}
    from records

),

carried as (

    select
        ehr_key,
        event_time,
        uuid,
        source,
        load_id,
        line_number
        {%- for column in columns %},
        {%- if column.sources %}
        first_value({{ internal_name(column) }}) over (
            partition by ehr_key, source_set_{{ source_sets.index(column.sources) + 1 }}
            order by event_time, uuid
        ) as {{ internal_name(column) }}
        {%- else %}
        {{ internal_name(column) }}
        {%- endif %}
        {%- endfor %}
    from numbered

),

{% else -%}
carried as (

    select * from records

),

{% endif -%}
compared as (

    select
        *,
        (
            row_number() over records_in_order = 1
            {%- for column in columns %}
            or {{ internal_name(column) }}
                is distinct from lag({{ internal_name(column) }}) over records_in_order
            {%- endfor %}
        ) as is_start
    from carried
    window records_in_order as (partition by ehr_key order by event_time, uuid)

),

runs as (

    select
        *,
        lead(event_time) over (partition by ehr_key order by event_time, uuid) as valid_to
    from compared
    where is_start

)

select
    ehr_key,
    uuid,
    source,
    load_id,
    line_number,
    event_time as valid_from,
    valid_to
    {%- for column in columns %},
    {{ internal_name(column) }}
    {%- endfor %}
from runs
