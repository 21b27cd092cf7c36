{#
    How incremental models know what is new.

    int_loads__validated counts admissions in batches. Every row of the versioned models below it says in
    which batch it came and in which it went. A model's mark is the last batch it has taken in; it stands in
    intermediate.model_marks and moves in the transaction that writes the model, so a killed build repeats
    exactly what it had not committed. The mark also holds the oids of the model's table and of the tables it
    reads: when one is another table than the mark knows (a full refresh, a drop, a restore), when the
    mapping changed for records already admitted, when the time zone of days is another one, or when the
    table is of a version that lacks one of config.meta.later_columns, the model rebuilds itself.
#}

{% macro intermediate_relation(name) -%}
    {{ return(api.Relation.create(
        database=target.database,
        schema=generate_schema_name('intermediate', none) | trim,
        identifier=name
    )) }}
{%- endmacro %}

{# Intermediate models and marts, by name: hooks cannot ref(). #}
{% macro upstream_relation(name) -%}
    {{ return(api.Relation.create(
        database=target.database,
        schema=generate_schema_name('intermediate' if name.startswith('int_') else 'dwh', none) | trim,
        identifier=name
    )) }}
{%- endmacro %}

{% macro state_schema() -%}
    {{ return(generate_schema_name('intermediate', none) | trim) }}
{%- endmacro %}

{% macro model_marks() -%}
    {{ return(intermediate_relation('model_marks')) }}
{%- endmacro %}

{# The last batch that the model being built has taken in, as SQL. #}
{% macro mark() -%}
    (select marks.batch from {{ model_marks() }} as marks where marks.model = '{{ this.identifier }}')
{%- endmacro %}

{# config.meta.upstream: the model or models that this one reads, as a list. #}
{% macro upstream_names() -%}
    {%- set upstream = config.get('meta', {}).get('upstream') if execute else none -%}
    {{ return(none if upstream is none else [upstream] if upstream is string else upstream) }}
{%- endmacro %}

{# Their tables as an array of oids, in SQL. #}
{% macro upstream_oids(names) -%}
    array[
        {%- for name in names -%}
        to_regclass('{{ upstream_relation(name) }}')::oid{{ ', ' if not loop.last }}
        {%- endfor -%}
    ]
{%- endmacro %}

{#
    Post-hook in front of set_mark, for models with added_batch and removed_batch that others below join within
    the same build: autovacuum comes too late for those. Where nothing came or went it does nothing.
#}
{% macro analyze_changes() -%}
    {%- if execute -%}
        {%- set query -%}
            select exists (select from {{ this }} where {{ is_changed() }}) as is_changed
        {%- endset -%}
        {%- if not is_incremental() or run_query(query).rows[0]['is_changed'] -%}
            analyze {{ this }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}

{# Post-hook of every model that has a mark. It has taken in what all of its upstream models have. #}
{% macro set_mark() -%}
    {%- if execute -%}
    {%- set upstream = upstream_names() -%}
    insert into {{ model_marks() }} (model, batch, own_oid, upstream_oids, time_zone, mapping)
    select
        '{{ this.identifier }}',
        {%- if this.identifier == 'int_loads__checked' %}
        0,
        '{{ this }}'::regclass::oid,
        null,
        null,
        {{ text_literal(mapping_json()) }}::jsonb
        {%- elif this.identifier == 'int_loads__validated' %}
        (select coalesce(max(greatest(admitted_batch, removed_batch)), 0) from {{ this }}),
        '{{ this }}'::regclass::oid,
        null,
        null,
        -- a verdict with findings changes nothing: what is admitted was checked with an older mapping
        case
            when exists (
                select from {{ intermediate_relation('int_loads__checked') }} where finding_count > 0
            ) then (select mapping from {{ model_marks() }} where model = 'int_loads__validated')
            else (select mapping from {{ model_marks() }} where model = 'int_loads__checked')
        end
        {%- else %}
        (select min(batch) from {{ model_marks() }} where model = any({{ text_array(upstream) }})),
        '{{ this }}'::regclass::oid,
        {{ upstream_oids(upstream) }},
        {{ text_literal(time_zone()) if config.get('meta').get('is_zoned') else 'null' }},
        {{ text_literal(mapping_json()) }}::jsonb
        {%- endif %}
    on conflict (model) do update set
        batch = excluded.batch,
        own_oid = excluded.own_oid,
        upstream_oids = excluded.upstream_oids,
        time_zone = excluded.time_zone,
        mapping = excluded.mapping
    {%- endif -%}
{%- endmacro %}

{# True when the model cannot go on from its mark. #}
{% macro needs_rebuild() -%}
    {%- if config.get('meta', {}).get('clock') == 'imports' -%}
        {{ return(import_is_lost()) }}
    {%- endif -%}
    {%- set upstream = upstream_names() -%}
    {%- if upstream is none or flags.WHICH not in ('run', 'build', 'retry') -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set meta = config.get('meta', {}) -%}
    {%- set query -%}
        select
            own_oid = to_regclass('{{ this }}')::oid
                and upstream_oids = {{ upstream_oids(upstream) }}
                {%- if meta.get('is_zoned') %}
                and coalesce(time_zone = {{ text_literal(time_zone()) }}, false)
                {%- endif %}
                {%- for column in meta.get('later_columns', []) %}
                and exists (
                    select
                    from pg_attribute
                    where attrelid = to_regclass('{{ this }}')
                        and attname = {{ text_literal(column) }}
                        and not attisdropped
                )
                {%- endfor %} as is_continuous,
            mapping::text as mapping
        from {{ model_marks() }}
        where model = '{{ this.identifier }}'
    {%- endset -%}
    {%- set marks = run_query(query).rows -%}
    {%- if marks | length == 0 or not marks[0]['is_continuous'] -%}
        {{ return(true) }}
    {%- endif -%}
    {{ return(meta.get('is_mapped', false) and mapping_change_concerns(marks[0]['mapping'])) }}
{%- endmacro %}

{#
    Overrides dbt's own: the incremental materialization asks it, and so does is_incremental(), up to ten
    times a model. The answer is that of the first time: nothing else writes the model meanwhile.
#}
{% macro should_full_refresh() -%}
    {%- set configured = config.get('full_refresh') -%}
    {%- if configured is not none -%}
        {{ return(configured) }}
    {%- endif -%}
    {%- if not execute -%}
        {{ return(flags.FULL_REFRESH) }}
    {%- endif -%}
    {%- if 'is_rebuilt' not in model -%}
        {%- do model.update({'is_rebuilt': flags.FULL_REFRESH or needs_rebuild()}) -%}
    {%- endif -%}
    {{ return(model['is_rebuilt']) }}
{%- endmacro %}

{# A changed mapping must have passed the gate before any property model is written with it. #}
{% macro require_checked_mapping() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry') -%}
        {%- set query -%}
            select mapping = {{ text_literal(mapping_json()) }}::jsonb as is_checked
            from {{ model_marks() }} where model = 'int_loads__validated'
        {%- endset -%}
        {%- set answer = run_query(query).rows -%}
        {%- if answer | length == 0 or not answer[0]['is_checked'] -%}
            {{ exceptions.raise_compiler_error('the mapping is not the one that the admitted loads were checked with: run `dbt build`') }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
