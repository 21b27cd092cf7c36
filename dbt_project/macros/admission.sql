{#
    Loads that the gate has to look at: those not yet admitted; all of them when the mapping changed in a way
    that concerns admitted records, or when everything is refreshed. Unit tests override this macro.
#}
{% macro load_needs_check(load_id) -%}
    {%- set validated = intermediate_relation('int_loads__validated') -%}
    {%- if not execute or load_relation(validated) is none or flags.FULL_REFRESH
        or mapping_change_concerns(checked_mapping()) -%}
        true
    {%- else -%}
        not exists (
            select from {{ validated }} as admitted
            where admitted.load_id = {{ load_id }} and admitted.removed_batch is null
        )
    {%- endif -%}
{%- endmacro %}

{# The mapping that all admitted loads were checked with, as text; none before the first admission. #}
{% macro checked_mapping() -%}
    {%- set answer = run_query(
        "select mapping::text as mapping from " ~ model_marks() ~ " where model = 'int_loads__validated'"
    ).rows -%}
    {{ return(answer[0]['mapping'] if answer | length else none) }}
{%- endmacro %}

{# The verdict was given with the mapping as it is now. Unit tests override this macro. #}
{% macro verdict_is_current() -%}
    exists (
        select
        from {{ model_marks() }} as verdict
        where verdict.model = 'int_loads__checked'
            and verdict.mapping = {{ text_literal(mapping_json()) }}::jsonb
    )
{%- endmacro %}

{# The loads that take the place of one: its successor, that one's successor, and so on to the newest. #}
{% macro successors(load_id, loads) -%}
    (
        with recursive later as (
            select replaced.superseded_by as load_id
            from {{ loads }} as replaced
            where replaced.load_id = {{ load_id }}

            union all

            select next_ones.superseded_by
            from later
            inner join {{ loads }} as next_ones
                on later.load_id = next_ones.load_id
        )

        select later.load_id
        from later
        where later.load_id is not null
    )
{%- endmacro %}
