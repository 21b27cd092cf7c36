{#
    One writer: the lock lives in the session of dbt's main connection, which stays open from
    on-run-start to the end of the run, and falls with it, however the run ends.
#}
{% macro begin_build() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'seed', 'snapshot', 'retry') -%}
        {%- set lock -%}
            select pg_try_advisory_lock(hashtext('dwh_helper build'), hashtext('{{ target.schema }}')) as is_held,
                to_regclass('raw.loads') is not null as has_raw
        {%- endset -%}
        {%- set answer = run_query(lock).rows[0] -%}
        {%- if not answer['is_held'] -%}
            {{ exceptions.raise_compiler_error('another build holds the warehouse; wait until it is done and run again') }}
        {%- elif not answer['has_raw'] -%}
            {{ exceptions.raise_compiler_error('schema raw is missing: run `python -m flows.warehouse.migrate` once, or load any archive') }}
        {%- endif -%}
        {%- do check_mapping() -%}
        create schema if not exists {{ state_schema() }};
        create table if not exists {{ model_marks() }} (
            model text primary key,
            batch bigint not null,
            own_oid oid not null,
            upstream_oid oid,
            mapping jsonb
        )
    {%- endif -%}
{%- endmacro %}

{# Superseded raw rows go once a newer load of their file is admitted (production's word counts). #}
{% macro end_build(results) -%}
    {%- if execute and target.name == 'prod' and flags.WHICH in ('run', 'build') -%}
        {%- set validated = intermediate_relation('int_loads__validated') -%}
        {%- if load_relation(validated) is not none -%}
            select raw.retire_loads(array(
                select loads.load_id
                from raw.loads
                inner join {{ validated }} as successors
                    on loads.superseded_by = successors.load_id
                where loads.status = 'loaded'
                {#- a load that models still hold is retired after they have let it go -#}
                    and not exists (
                        select from {{ validated }} as admitted
                        where admitted.load_id = loads.load_id
                            and (admitted.removed_batch is null
                            or admitted.removed_batch > (
                                select min(batch) from {{ model_marks() }} where model not like 'int_loads__%'
                            ))
                    )
            ))
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
