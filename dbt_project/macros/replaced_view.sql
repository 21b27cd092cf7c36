{#
    Overrides dbt's own materialization, which makes each view anew and drops the old one with all that stands on
    it. Here a view is replaced where it stands, in one statement: what reads it goes on, and keeps its rights.
    Only a view whose columns are other ones (a further one at the end is none) is dropped and made.
#}
{% materialization view, adapter='postgres' -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- set view = this.incorporate(type='view') -%}
    {{ run_hooks(pre_hooks, inside_transaction=False) }}
    {{ run_hooks(pre_hooks, inside_transaction=True) }}
    {%- if existing is not none and not existing.is_view -%}
        {%- do adapter.drop_relation(existing) -%}
    {%- endif -%}
    {%- call statement('main') -%}
        do $replace_view$
        begin
            create or replace view {{ view }} as (
                {{ sql }}
            );
        exception when invalid_table_definition then
            drop view {{ view }} cascade;
            create view {{ view }} as (
                {{ sql }}
            );
        end
        $replace_view$
    {%- endcall -%}
    {%- do apply_grants(view, config.get('grants'), should_revoke=should_revoke(existing, full_refresh_mode=False)) -%}
    {%- do persist_docs(view, model) -%}
    {{ run_hooks(post_hooks, inside_transaction=True) }}
    {%- do adapter.commit() -%}
    {{ run_hooks(post_hooks, inside_transaction=False) }}
    {{ return({'relations': [view]}) }}
{%- endmaterialization %}
