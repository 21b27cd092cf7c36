{{ config(severity='warn', store_failures=true, alias='permanent_property_conflicts') }}

-- Rule: a permanent property of one ehr_id is said in one way. Guards permanent_user_properties, where the
-- first value stands and every later other one is passed over: without this list nobody would learn of a
-- corrected date of birth, or of two patients under one ehr_id. Warns; one row for each other value, with
-- the first record that says it and the record whose value stands.
{%- set columns = property_columns('permanent') %}

with conflicting as (

    select distinct records.ehr_key
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

said as (

    select
        records.ehr_key as ehr_id,
        property.name as property,
        property.value,
        records.event_time,
        records.uuid,
        records.load_id,
        records.line_number
    from {{ ref('int_property_records') }} as records
    inner join conflicting on records.ehr_key = conflicting.ehr_key
    cross join lateral (
        values
        (null::text, null::text)
        {%- for column in columns %},
        ({{ text_literal(column.name) }}, records.{{ internal_name(column) }}::text)
        {%- endfor %}
    ) as property (name, value)
    where records.removed_batch is null
        and property.value is not null

),

compared as (

    select
        *,
        first_value(value) over in_order as standing_value,
        first_value(load_id) over in_order as standing_load_id,
        first_value(line_number) over in_order as standing_line_number,
        count(*) over (partition by ehr_id, property, value) as record_count
    from said
    window in_order as (partition by ehr_id, property order by event_time, uuid)

),

others as (

    select distinct on (ehr_id, property, value) *
    from compared
    where value <> standing_value
    order by ehr_id, property, value, event_time, uuid

)

select
    others.ehr_id,
    others.property,
    others.standing_value,
    standing_loads.source as standing_source,
    standing_loads.file_key as standing_file_key,
    others.standing_line_number,
    others.value as other_value,
    others.record_count,
    loads.source,
    loads.file_key,
    others.line_number
from others
inner join {{ ref('int_loads__validated') }} as loads
    on others.load_id = loads.load_id
inner join {{ ref('int_loads__validated') }} as standing_loads
    on others.standing_load_id = standing_loads.load_id
