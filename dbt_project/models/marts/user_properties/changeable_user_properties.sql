{{ config(
    incremental_strategy='changed_only',
    unique_key='ehr_id',
    pre_hook=["{{ require_checked_mapping() }}", "{{ delete_vanished(\"coalesce(present.ehr_id, '')\", 'not is_permanent_only') }}"],
    post_hook=["{{ set_mark() }}", "{{ mark_migrated() }}"],
    meta={'upstream': 'int_property_runs'},
    indexes=[{'columns': ['ehr_id'], 'unique': true}],
) }}

-- depends_on: {{ ref('tmp_user_properties') }}
-- The newest record of each ehr_id, taken whole; uuid and event_time name the first record of the last
-- unbroken run of equal values. One row, with ehr_id null, stands for all records without one.
with runs as (

    select *
    from {{ ref('int_property_runs') }}
    where valid_to is null
        {%- if is_incremental() %}
        and ehr_key in (select affected.ehr_key from ({{ affected_groups() }}) as affected)
        {%- endif %}

),

properties as (

    select
        nullif(ehr_key, '') as ehr_id,
        {%- for column in property_columns('changeable') %}
        {{ internal_name(column) }}::{{ column.type }} as {{ adapter.quote(column.name) }},
        {%- endfor %}
        source,
        uuid,
        valid_from as event_time,
        load_id,
        line_number
    from runs

)

select * from properties
