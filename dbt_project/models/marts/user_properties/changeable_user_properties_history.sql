{{ config(
    incremental_strategy='changed_only',
    unique_key=['ehr_id', 'valid_from', 'uuid'],
    pre_hook=["{{ require_checked_mapping() }}", "{{ delete_affected_versions('ehr_id') }}"],
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_property_runs'},
    indexes=[{'columns': ['ehr_id', 'valid_from', 'uuid'], 'unique': true}],
) }}

-- Every version of each ehr_id, valid_from <= t < valid_to.
with runs as (

    select runs.*
    from {{ ref('int_property_runs') }} as runs
    {%- if is_incremental() %}
    inner join ({{ affected_groups() }}) as affected
        on runs.ehr_key = affected.ehr_key
        -- the run before the earliest change may have got another end
        and (runs.valid_to is null or runs.valid_to >= affected.since)
    {%- endif %}
    where runs.ehr_key <> ''

),

properties as (

    select
        ehr_key as ehr_id,
        {%- for column in property_columns('changeable') %}
        {{ internal_name(column) }}::{{ column.type }} as {{ adapter.quote(column.name) }},
        {%- endfor %}
        source,
        uuid,
        valid_from,
        valid_to,
        load_id,
        line_number
    from runs

)

select * from properties
