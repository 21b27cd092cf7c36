{#
    tmp_user_properties.migrated: both property marts have taken the record's load in. Each mart says so in
    its own transaction; the lock lets the second one see the mark of the first. How far it has been said
    stands in the marks too, so that only new records are looked at.
#}
{% macro migrated_batch() -%}
    (
        select case when count(*) = 2 then min(marks.batch) else 0 end
        from {{ model_marks() }} as marks
        where marks.model in ('permanent_user_properties', 'changeable_user_properties')
    )
{%- endmacro %}

{% macro mark_migrated() -%}
    select pg_advisory_xact_lock(hashtext('dwh_helper migrated'), hashtext('{{ target.schema }}'));

    update {{ upstream_relation('tmp_user_properties') }} as waiting
    set migrated = true
    from {{ intermediate_relation('int_property_records') }} as records
    where waiting.uuid = records.uuid
        and not waiting.migrated
        and records.removed_batch is null
        and records.added_batch <= {{ migrated_batch() }}
        and records.added_batch > coalesce(
            (select batch from {{ model_marks() }} where model = 'migrated'), 0
        );

    insert into {{ model_marks() }} (model, batch, own_oid)
    values ('migrated', {{ migrated_batch() }}, 0)
    on conflict (model) do update set batch = excluded.batch
{%- endmacro %}
