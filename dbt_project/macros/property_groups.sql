{# Whose records came or went since the model's mark, and since when (event time) they may read otherwise. #}
{% macro affected_groups() -%}
    select
        records.ehr_key,
        min(records.event_time) as since
    from {{ intermediate_relation('int_property_records') }} as records
    where records.added_batch > {{ mark() }}
        or records.removed_batch > {{ mark() }}
    group by records.ehr_key
{%- endmacro %}

{# Pre-hook of the models that hold versions: what may read otherwise goes; the model writes it anew. #}
{% macro delete_affected_versions(key) -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as versions
        using ({{ affected_groups() }}) as affected
        where versions.{{ key }} = affected.ehr_key
            and versions.valid_from >= affected.since
    {%- endif -%}
{%- endmacro %}

{#
    Pre-hook of the marts with one row for each ehr_id: rows whose records all went.
    condition: SQL, which records count.
#}
{% macro delete_vanished(key, condition='true') -%}
    {%- if is_incremental() -%}
        delete from {{ this }} as present
        using (
            select distinct records.ehr_key
            from {{ intermediate_relation('int_property_records') }} as records
            where records.removed_batch > {{ mark() }}
        ) as affected
        where {{ key }} = affected.ehr_key
            and not exists (
                select
                from {{ intermediate_relation('int_property_records') }} as left_over
                where left_over.ehr_key = affected.ehr_key
                    and left_over.removed_batch is null
                    and {{ condition }}
            )
    {%- endif -%}
{%- endmacro %}
