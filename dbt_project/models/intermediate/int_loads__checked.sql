{{ config(
    materialized='table',
    pre_hook="set local jit = off",
    post_hook="{{ set_mark() }}",
    meta={'upstream': none},
) }}

-- The gate's verdict, in one statement and so one snapshot: which loads are new, and what is wrong with
-- them. The next model admits the loads named here and no others.
{%- set known = known_keys() %}
{%- set named_columns = mapped_columns() | selectattr('model', 'equalto', 'permanent') | list %}
{%- set columns = mapped_columns() | rejectattr('name', 'equalto', 'ehr_id') | list
    + (mapped_columns() | selectattr('name', 'equalto', 'ehr_id') | list)[:1] %}

with loads as (

    select * from {{ source('raw', 'loads') }}

),

new_loads as (

    -- complete, without a successor that would take their place, not yet checked with this mapping
    select
        load_id,
        load_seq,
        source,
        file_key
    from loads
    where status = 'loaded'
        and load_seq is not null
        and not exists (
            select
            from loads as successors
            where successors.load_id = loads.superseded_by
                -- one that was itself replaced, and retired, still stands in the way
                and successors.status in ('loaded', 'superseded')
                and successors.load_seq is not null
        )
        and {{ load_needs_check('loads.load_id') }}

),

records as (

    select
        load_id,
        line_number,
        source,
        user_properties::text as sent,
        {{ storable_json('user_properties::text') }} as storable
    from {{ ref('int_events__unioned') }}
    where load_id in (select new_loads.load_id from new_loads)
        and user_properties is not null
    -- a fence, here and below: each text is examined once and each object parsed once, not once for
    -- each of the hundred places that look at it
    offset 0

),

parsed as (

    select
        load_id,
        line_number,
        source,
        storable::jsonb as sent_properties,
        storable <> sent as is_repaired
    from records
    offset 0

),

objects as (

    select
        *,
        case
            when jsonb_typeof(sent_properties) = 'object' then sent_properties
            else '{}'::jsonb
        end as properties
    from parsed
    offset 0

),

suspects as materialized (

    select
        load_id,
        line_number,
        source,
        sent_properties,
        is_repaired,
        properties
    from objects
    {{ from_properties(columns) }}
    where jsonb_typeof(sent_properties) not in ('object', 'null')
        or properties - {{ text_array(known) }} <> '{}'::jsonb
        {%- for column in columns %}{% for key in column['keys'] %}
        or {{ property_problem(column, key) }} is not null
        {%- endfor %}{% endfor %}

),

-- records put in directly: their keys are names of columns, their values typed already
named_records as (

    select
        load_id,
        line_number,
        typed_properties::jsonb as properties
    from {{ ref('int_events__unioned') }}
    where load_id in (select new_loads.load_id from new_loads)
        and typed_properties is not null
    offset 0

),

findings as (

    select
        load_id,
        line_number,
        null::text as key,
        'not_an_object' as reason,
        sent_properties #>> '{}' as value
    from suspects
    where jsonb_typeof(sent_properties) not in ('object', 'null')

    union all

    select
        suspects.load_id,
        suspects.line_number,
        property.key,
        'unknown_key' as reason,
        property.value
    from suspects
    cross join lateral jsonb_each_text(suspects.properties - {{ text_array(known) }}) as property

    union all

    select
        suspects.load_id,
        suspects.line_number,
        problem.key,
        problem.reason,
        problem.value
    from suspects
    {{ from_properties(columns) }}
    cross join lateral (
        values
        (null::text, null::text, null::text)
        {%- for column in columns %}{% for key in column['keys'] %},
        ({{ text_literal(key) }}, {{ property_problem(column, key) }}, {{ sent_text(key) }})
        {%- endfor %}{% endfor %}
    ) as problem (key, reason, value)
    where problem.reason is not null

    union all

    select
        named_records.load_id,
        named_records.line_number,
        property.key,
        'unknown_key' as reason,
        property.value
    from named_records
    cross join lateral jsonb_each_text(
        named_records.properties - {{ text_array((named_columns | map(attribute='name') | list) + ignored_keys()) }}
    ) as property

    union all

    select
        named_records.load_id,
        named_records.line_number,
        problem.key,
        problem.reason,
        problem.value
    from named_records
    cross join lateral (
        values
        (null::text, null::text, null::text)
        {%- for column in named_columns %},
        (
            {{ text_literal(column.name) }},
            {{ named_problem('properties', column) }},
            {{ named_text('properties', column) }}
        )
        {%- endfor %}
    ) as problem (key, reason, value)
    where problem.reason is not null

),

numbered as (

    select
        *,
        row_number() over (
            partition by load_id, key, reason order by line_number
        ) as nth
    from findings

),

grouped as (

    select
        load_id,
        key,
        reason,
        count(*) as finding_count,
        min(line_number) as first_line_number,
        -- the first thousand of each kind, and a value's first kilobyte, are enough to mend it
        jsonb_agg(
            jsonb_build_object('line_number', line_number, 'value', left(value, 1000))
            order by line_number
        ) filter (where nth <= 1000) as samples
    from numbered
    group by load_id, key, reason

)

select
    new_loads.load_id,
    new_loads.load_seq,
    new_loads.source,
    new_loads.file_key,
    grouped.key,
    grouped.reason,
    coalesce(grouped.finding_count, 0) as finding_count,
    grouped.first_line_number,
    grouped.samples
from new_loads
left join grouped on new_loads.load_id = grouped.load_id
