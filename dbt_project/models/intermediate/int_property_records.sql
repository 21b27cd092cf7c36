{{ config(
    incremental_strategy='versioned',
    unique_key='uuid',
    pre_hook=["set local jit = off", "{{ require_checked_mapping() }}"],
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__deduplicated', 'is_mapped': true},
    indexes=[
        {'columns': ['uuid']},
        {'columns': ['ehr_key', 'event_time', 'uuid']},
        {'columns': ['added_batch']},
        {'columns': ['removed_batch']},
    ],
) }}

-- One record, typed by the mapping. The values have passed the gate, so no cast can fail.
{%- set columns = property_columns('permanent') + property_columns('changeable') %}
{%- set ehr_id = (mapped_columns() | selectattr('name', 'equalto', 'ehr_id') | list)[0] %}

with events as (

    {{ winning_events(['uuid', 'source', 'event_time', 'user_properties']) }}

),

batch as (

    select batch
    from {{ model_marks() }}
    where model = 'int_events__deduplicated'

),

parsed as (

    select
        uuid,
        source,
        event_time,
        load_id,
        line_number,
        {{ to_jsonb('user_properties') }} as properties
    from events
    where user_properties is not null
    -- a fence: each object is parsed once
    offset 0

),

-- an empty object says nothing about anyone
records as (

    select *
    from parsed
    where properties not in ('{}'::jsonb, 'null'::jsonb)

),

typed_by_mapping as (

    select
        uuid,
        {{ property_value(ehr_id) if ehr_id else 'null::text' }} as ehr_id,
        source,
        event_time,
        load_id,
        line_number,
        false as is_permanent_only
        {%- for column in columns %},
        {{ property_value(column) }} as {{ internal_name(column) }}
        {%- endfor %}
    from records
    {{ from_properties(columns + ([ehr_id] if ehr_id else [])) }}

),

-- put in directly, under the names of the permanent mart's columns: no rule of the mapping applies
direct_records as (

    {{ winning_events(['uuid', 'source', 'event_time', 'typed_properties']) }}

),

typed_by_name as (

    select
        uuid,
        nullif(btrim(typed_properties ->> 'ehr_id'), '') as ehr_id,
        source,
        event_time,
        load_id,
        line_number,
        true as is_permanent_only
        {%- for column in columns %},
        {% if column.model == 'permanent' -%}
        {{ named_value('typed_properties', column) }}
        {%- else -%}
        null::{{ column.type }}
        {%- endif %} as {{ internal_name(column) }}
        {%- endfor %}
    from direct_records
    where typed_properties is not null

),

typed as (

    select * from typed_by_mapping
    union all
    select * from typed_by_name

)

select
    typed.uuid,
    -- all records without an ehr_id are one group; an ehr_id is never blank
    coalesce(typed.ehr_id, '') as ehr_key,
    typed.source,
    typed.event_time,
    typed.load_id,
    typed.line_number,
    typed.is_permanent_only,
    batch.batch as added_batch,
    null::bigint as removed_batch
    {%- for column in columns %},
    typed.{{ internal_name(column) }}
    {%- endfor %}
from typed
cross join batch
{%- if is_incremental() %}

union all

-- records whose event went, or came back without properties
select
    gone.uuid,
    null as ehr_key,
    null as source,
    null as event_time,
    null as load_id,
    null as line_number,
    null as is_permanent_only,
    batch.batch as added_batch,
    null as removed_batch
    {%- for column in columns %},
    null as {{ internal_name(column) }}
    {%- endfor %}
from (
    select distinct uuid
    from {{ ref('int_events__deduplicated') }}
    where removed_batch > {{ mark() }}
        and part in ('', 'records')
) as gone
cross join batch
where not exists (
    select
    from typed
    where typed.uuid = gone.uuid
)
{%- endif %}
