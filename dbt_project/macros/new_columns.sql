{#
    Overrides dbt's own, which lists the columns of both tables through information_schema and compares them in
    Jinja, for every model of every build. One look into the catalogue says whether any is new, and nearly
    always none is; dbt adds those that are.
#}
{% macro postgres__process_schema_changes(on_schema_change, source_relation, target_relation) -%}
    {%- set query -%}
        select
            fresh.attname::text as name,
            format_type(fresh.atttypid, fresh.atttypmod) as type,
            not exists (
                select
                from pg_attribute as standing
                where standing.attrelid = '{{ target_relation }}'::regclass
                    and standing.attname = fresh.attname
                    and not standing.attisdropped
            ) as is_new
        from pg_attribute as fresh
        where fresh.attrelid = '{{ source_relation }}'::regclass
            and fresh.attnum > 0
            and not fresh.attisdropped
        order by fresh.attnum
    {%- endset -%}
    {%- set columns = run_query(query).rows if on_schema_change == 'append_new_columns' else none -%}
    {%- if columns is none or columns | selectattr('is_new') | list -%}
        {{ return(default__process_schema_changes(on_schema_change, source_relation, target_relation)) }}
    {%- endif -%}
    {%- set found = [] -%}
    {%- for column in columns -%}
        {%- do found.append(api.Column(column['name'], column['type'])) -%}
    {%- endfor -%}
    {{ return(found) }}
{%- endmacro %}
