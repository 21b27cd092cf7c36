{#
    Who may read and own what production is made of. Run as the build begins and as it ends, whatever became of
    it; the roles and the rights on raw come from the migrations (raw.grant_rights). dbt's own `grants` do not
    reach the tables of stored test failures, and hold for a table only after it was swapped in. Here:

    - default privileges: whatever the builder creates in a schema that analysts read is readable from its first
      moment on: new tables, tables swapped in by a full refresh, stored failures; not in `reports`, whose models
      grant column by column (grant_to_analysts);
    - what was made before that, or by a builder of before the roles, is granted one by one;
    - a builder that is a member of dwh_transformer hands over what it made, so that other members, and not it
      alone, can build on.

    Without the roles (an administrator has yet to make them) nothing is done.
#}
{% macro settle_rights() -%}
    {%- if execute and target.name == 'prod' and flags.WHICH in ('run', 'build', 'test', 'seed', 'snapshot', 'retry') -%}
    do $rights$
    declare
        area record;
        made record;
    begin
        if to_regrole('dwh_transformer') is null or to_regrole('dwh_analyst') is null
            or to_regclass('{{ build_turn() }}') is null
        then
            return;
        end if;
        if not {{ has_turn() }} then
            return;
        end if;
        for area in
            select
                nspname as name,
                nspname not in ('staging', 'intermediate') as is_read,
                pg_has_role(nspowner, 'usage') as is_own
            from pg_namespace
            where nspname in ('staging', 'intermediate', 'dwh', 'product', 'reports', 'audit')
                and has_schema_privilege(oid, 'create')
        loop
            if area.is_own then
                execute format('grant usage, create on schema %I to dwh_transformer', area.name);
            end if;
            if area.is_own and area.is_read then
                execute format('grant usage on schema %I to dwh_analyst', area.name);
            end if;
            if area.name = 'reports' then
                execute 'alter default privileges in schema reports revoke select on tables from dwh_analyst';
            elsif area.is_read then
                execute format(
                    'alter default privileges in schema %I grant select on tables to dwh_analyst', area.name
                );
            end if;
        end loop;
        for made in
            select
                relations.oid::regclass as name,
                areas.nspname not in ('staging', 'intermediate')
                    and not has_any_column_privilege('dwh_analyst', relations.oid, 'select') as is_hidden,
                relations.relowner <> to_regrole('dwh_transformer')
                    and pg_has_role('dwh_transformer', 'set')
                    and has_schema_privilege('dwh_transformer', areas.oid, 'create') as is_to_be_handed_over
            from pg_class as relations
            inner join pg_namespace as areas on relations.relnamespace = areas.oid
            where areas.nspname in ('staging', 'intermediate', 'dwh', 'product', 'reports', 'audit')
                and relations.relkind in ('r', 'p', 'v', 'm')
                and pg_has_role(relations.relowner, 'usage')
        loop
            if made.is_hidden then
                execute format('grant select on table %s to dwh_analyst', made.name);
            end if;
            if made.is_to_be_handed_over then
                execute format('alter table %s owner to dwh_transformer', made.name);
            end if;
        end loop;
    end
    $rights$
    {%- endif -%}
{%- endmacro %}
