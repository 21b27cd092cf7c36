{#
    One writer at a time, whoever started it. dbt closes every connection after a hook or a node, so no
    session spans a build, and no lock alone could. Instead a build has the turn:

    - it takes the turn in on-run-start, under the exclusive lock, and gives it back in on-run-end;
    - each model holds the lock, shared, through its transaction, and goes on only if the turn is still its
      build's (hold_turn): nobody can begin while a model is written, and no model is written out of turn;
    - a turn that was not given back is another build's at work, or a dead one's. Whoever comes looks for
      some seconds: under the exclusive lock a living build shows a session as soon as it starts a node.
#}
{% macro begin_build() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'seed', 'snapshot', 'retry') -%}
        {%- set lock -%}
            select pg_try_advisory_lock(hashtext('dwh_helper build'), hashtext('{{ target.schema }}')) as is_held,
                to_regclass('raw.windows') is not null as has_raw,
                to_regnamespace('{{ state_schema() }}') is not null as has_state,
                to_regclass('{{ model_marks() }}') is not null as has_marks,
                exists (
                    select from pg_attribute
                    where attrelid = to_regclass('{{ model_marks() }}') and attname = 'upstream_oids'
                        and not exists (
                            select from pg_attribute
                            where attrelid = to_regclass('{{ model_marks() }}') and attname = 'time_zone'
                        )
                ) as has_marks_without_zone
        {%- endset -%}
        {%- set answer = run_query(lock).rows[0] -%}
        {%- if not answer['is_held'] or other_build_lives() -%}
            {{ exceptions.raise_compiler_error('another build holds the warehouse; wait until it is done and run again') }}
        {%- elif not answer['has_raw'] -%}
            {{ exceptions.raise_compiler_error('schema raw is missing or older than this project: run `python -m flows.warehouse.migrate`, or load any archive') }}
        {%- endif -%}
        {%- do check_mapping() -%}
        {%- do check_time_zone(answer['has_marks']) -%}
        {#- `if not exists` would want the right to create schemas even where it exists -#}
        {%- if not answer['has_state'] %}
        create schema {{ state_schema() }};
        {%- endif %}
        create table if not exists {{ model_marks() }} (
            model text primary key,
            batch bigint not null,
            own_oid oid not null,
            upstream_oids oid[],
            time_zone text,
            mapping jsonb
        );
        {%- if answer['has_marks_without_zone'] %}
        alter table {{ model_marks() }} add column time_zone text;
        {%- endif %}
        create table if not exists {{ build_turn() }} (invocation_id text not null);
        delete from {{ build_turn() }};
        insert into {{ build_turn() }} (invocation_id) values ('{{ invocation_id }}')
    {%- endif -%}
{%- endmacro %}

{% macro build_turn() -%}
    {{ return(intermediate_relation('build_turn')) }}
{%- endmacro %}

{% macro has_turn() -%}
    exists (select from {{ build_turn() }} where invocation_id = '{{ invocation_id }}')
{%- endmacro %}

{# Is the build that did not give its turn back still at work? #}
{% macro other_build_lives() -%}
    {%- if not run_query("select to_regclass('" ~ build_turn() ~ "') is not null as is_made").rows[0]['is_made']
        or not run_query('select exists (select from ' ~ build_turn() ~ ') as is_taken').rows[0]['is_taken'] -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set sessions -%}
        select exists (
            select from pg_stat_activity
            where datname = current_database()
                and application_name = current_setting('application_name')
                and pid <> pg_backend_pid()
        ) as are_there
    {%- endset -%}
    {#- sessions of this very run, just closed, are gone by the first look -#}
    {%- for _ in range(8) -%}
        {%- do run_query('select pg_stat_clear_snapshot(), pg_sleep(0.4)') -%}
        {%- if run_query(sessions).rows[0]['are_there'] -%}{{ return(true) }}{%- endif -%}
    {%- endfor -%}
    {{ return(false) }}
{%- endmacro %}

{# Pre-hook of every model. #}
{% macro hold_turn() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry') -%}
        do $turn$
        begin
            perform pg_advisory_xact_lock_shared(hashtext('dwh_helper build'), hashtext('{{ target.schema }}'));
            if not {{ has_turn() }} then
                raise exception 'another build has taken over; run again when it is done';
            end if;
        end
        $turn$
    {%- endif -%}
{%- endmacro %}

{# Superseded raw rows go once a newer load of their file is admitted (production's word counts). #}
{% macro end_build(results) -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'test', 'seed', 'snapshot', 'retry') -%}
        delete from {{ build_turn() }} where invocation_id = '{{ invocation_id }}';
    {%- endif -%}
    {%- if execute and target.name == 'prod' and flags.WHICH in ('run', 'build') -%}
        {%- set validated = intermediate_relation('int_loads__validated') -%}
        {%- if load_relation(validated) is not none -%}
            select raw.retire_loads(array(
                select loads.load_id
                from raw.loads
                where loads.status = 'loaded'
                    and exists (
                        select
                        from {{ successors('loads.load_id', 'raw.loads') }} as successors
                        inner join {{ validated }} as admitted on successors.load_id = admitted.load_id
                    )
                {#- a load that models still hold is retired after they have let it go -#}
                    and not exists (
                        select from {{ validated }} as admitted
                        where admitted.load_id = loads.load_id
                            and (admitted.removed_batch is null
                            or admitted.removed_batch > (
                                select min(batch) from {{ model_marks() }} where model not like 'int_loads__%'
                            ))
                    )
            ));
            {#- what the models have taken in by now -#}
            select raw.mark_built_windows(array(
                select load_id
                from {{ validated }}
                where removed_batch is null
                    and admitted_batch <= (
                        select min(batch) from {{ model_marks() }} where model not like 'int_loads__%'
                    )
            ))
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
