{#
    Incremental strategy "versioned": rows are never changed or deleted, they only get the batch in which
    they went. The model gives, for each key that may have changed, the row that holds now. It is another one
    where a column of config.meta.version differs: by default the line that it comes from. A row whose first
    such column is null says that none holds any more.
#}
{% macro get_incremental_versioned_sql(arguments) -%}
    {%- set columns = arguments['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set keys = arguments['unique_key'] if arguments['unique_key'] is not string else [arguments['unique_key']] -%}
    {%- set version = config.get('meta').get('version', ['load_id', 'line_number']) -%}
    update {{ arguments['target_relation'] }} as present
    set removed_batch = candidates.added_batch
    from {{ arguments['temp_relation'] }} as candidates
    where {% for key in keys %}present.{{ key }} = candidates.{{ key }} and {% endfor %}present.removed_batch is null
        and (present.{{ version | join(', present.') }})
        is distinct from (candidates.{{ version | join(', candidates.') }});

    insert into {{ arguments['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arguments['temp_relation'] }} as candidates
    where candidates.{{ version[0] }} is not null
        and not exists (
            select
            from {{ arguments['target_relation'] }} as present
            where {% for key in keys %}present.{{ key }} = candidates.{{ key }} and {% endfor %}present.removed_batch is null
        )
{%- endmacro %}

{#
    Incremental strategy "changed_only": inserts new keys, rewrites a row only where a value differs.
    Key columns are compared with null equal to null, through an expression that can still hash.
#}
{% macro get_incremental_changed_only_sql(arguments) -%}
    {%- set keys = arguments['unique_key'] if arguments['unique_key'] is not string else [arguments['unique_key']] -%}
    {%- set columns = arguments['dest_columns'] -%}
    merge into {{ arguments['target_relation'] }} as present
    using {{ arguments['temp_relation'] }} as candidates
    on (
        {%- for key in keys %}
        coalesce(present.{{ key }}::text, '') = coalesce(candidates.{{ key }}::text, '') {{ 'and' if not loop.last }}
        {%- endfor %}
    )
    when matched and (
        {%- for column in columns %}
        present.{{ column.quoted }} is distinct from candidates.{{ column.quoted }} {{ 'or' if not loop.last }}
        {%- endfor %}
    ) then update set
        {%- for column in columns %}
        {{ column.quoted }} = candidates.{{ column.quoted }}{{ ',' if not loop.last }}
        {%- endfor %}
    when not matched then insert (
        {%- for column in columns %}{{ column.quoted }}{{ ', ' if not loop.last }}{% endfor -%}
    ) values (
        {%- for column in columns %}candidates.{{ column.quoted }}{{ ', ' if not loop.last }}{% endfor -%}
    )
{%- endmacro %}
