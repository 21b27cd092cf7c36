{{ config(
    incremental_strategy='changed_only',
    unique_key='ehr_id',
    pre_hook=["{{ require_checked_mapping() }}", "{{ delete_vanished('present.ehr_id') }}"],
    post_hook=["{{ set_mark() }}", "{{ mark_migrated() }}"],
    meta={'upstream': 'int_property_records'},
    indexes=[{'columns': ['ehr_id'], 'unique': true}],
) }}

-- depends_on: {{ ref('tmp_user_properties') }}
-- Each property is the first non-null value by (event_time, uuid); a later one never replaces it.
{%- set columns = property_columns('permanent') %}

with records as (

    select
        *,
        row_number() over (partition by ehr_key order by event_time, uuid) as nth
    from {{ ref('int_property_records') }}
    where removed_batch is null
        and ehr_key <> ''
        {%- if is_incremental() %}
        and ehr_key in (select affected.ehr_key from ({{ affected_groups() }}) as affected)
        {%- endif %}

),

firsts as (

    select
        ehr_key,
        {%- for column in columns %}
        (
            array_agg({{ internal_name(column) }} order by nth)
            filter (where {{ internal_name(column) }} is not null)
        )[1] as {{ internal_name(column) }},
        {%- endfor %}
        -- the record that said the last of them: with it the row was what it is now
        greatest(
            1
            {%- for column in columns %},
            min(nth) filter (where {{ internal_name(column) }} is not null)
            {%- endfor %}
        ) as nth
    from records
    group by ehr_key

),

properties as (

    select
        firsts.ehr_key as ehr_id,
        {%- for column in columns %}
        firsts.{{ internal_name(column) }}::{{ column.type }} as {{ adapter.quote(column.name) }},
        {%- endfor %}
        records.source,
        records.uuid,
        records.event_time,
        records.load_id,
        records.line_number
    from firsts
    inner join records
        on firsts.ehr_key = records.ehr_key
        and firsts.nth = records.nth

)

select * from properties
