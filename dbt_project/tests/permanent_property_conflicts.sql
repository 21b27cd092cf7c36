{{ config(severity='warn', store_failures=true, alias='permanent_property_conflicts') }}

-- Rule: a permanent property of one ehr_id is said in one way. Guards permanent_user_properties, where the
-- first value stands and every later other one is passed over: without this list nobody would learn of a
-- corrected date of birth, or of two patients under one ehr_id. Warns; one row for each other value, with
-- the first record that says it.
{%- set columns = property_columns('permanent') %}

with conflicts as (

    select
        records.ehr_key as ehr_id,
        records.load_id,
        records.line_number,
        records.event_time,
        records.uuid
        {%- for column in columns %},
        properties.{{ adapter.quote(column.name) }}::text as standing_{{ loop.index }},
        records.{{ internal_name(column) }}::text as other_{{ loop.index }}
        {%- endfor %}
    from {{ ref('int_property_records') }} as records
    inner join {{ ref('permanent_user_properties') }} as properties
        on records.ehr_key = properties.ehr_id
    where records.removed_batch is null
        and (
            false
            {%- for column in columns %}
            or records.{{ internal_name(column) }} <> properties.{{ adapter.quote(column.name) }}
            {%- endfor %}
        )

),

listed as (

    select
        conflicts.ehr_id,
        property.name,
        property.standing_value,
        property.other_value,
        conflicts.load_id,
        conflicts.line_number,
        count(*) over same_value as record_count,
        row_number() over (same_value order by conflicts.event_time, conflicts.uuid) as nth
    from conflicts
    cross join lateral (
        values
        (null::text, null::text, null::text)
        {%- for column in columns %},
        ({{ text_literal(column.name) }}, standing_{{ loop.index }}, other_{{ loop.index }})
        {%- endfor %}
    ) as property (name, standing_value, other_value)
    where property.other_value <> property.standing_value
    window same_value as (
        partition by conflicts.ehr_id, property.name, property.other_value
    )

)

select
    listed.ehr_id,
    listed.name as property,
    listed.standing_value,
    listed.other_value,
    listed.record_count,
    loads.source,
    loads.file_key,
    listed.line_number
from listed
inner join {{ ref('int_loads__validated') }} as loads
    on listed.load_id = loads.load_id
where listed.nth = 1
