{#
    Days and weeks of the statistics. A day is one of DWH_TIME_ZONE, an IANA name, UTC unless set; the models
    that cut time into days (config.meta.is_zoned) rebuild themselves when it is another one.
#}
{% macro time_zone() -%}
    {{ return(env_var('DWH_TIME_ZONE', '') or 'UTC') }}
{%- endmacro %}

{% macro local_day(column) -%}
    ({{ column }} at time zone {{ text_literal(time_zone()) }})::date
{%- endmacro %}

{# The week's Monday. #}
{% macro week_of(day) -%}
    date_trunc('week', {{ day }})::date
{%- endmacro %}

{#
    Before a build: the zone is one, and where the days that stand are of another one, somebody wants it so.
    A shell without the variable is no wish: it would cut all days anew, and the next flow would cut them back.
    has_marks: whether anything was built before.
    PostgreSQL also takes zones such as UTC+3, which lie west of Greenwich, and means them.
#}
{% macro check_time_zone(has_marks) -%}
    {%- if time_zone() != 'UTC' -%}
        {%- set query -%}
            select exists (select from pg_timezone_names where name = {{ text_literal(time_zone()) }}) as is_known
        {%- endset -%}
        {%- if not run_query(query).rows[0]['is_known'] -%}
            {{ exceptions.raise_compiler_error("DWH_TIME_ZONE '" ~ time_zone() ~ "' is no IANA time zone, such as Europe/Moscow") }}
        {%- endif -%}
    {%- endif -%}
    {%- if has_marks and flags.WHICH in ('run', 'build', 'retry') -%}
        {#- marks of before there were zones lack the column -#}
        {%- set query -%}
            select distinct to_jsonb(marks) ->> 'time_zone' as time_zone
            from {{ model_marks() }} as marks
            where to_jsonb(marks) ->> 'time_zone' <> {{ text_literal(time_zone()) }}
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- if env_var('DWH_TIME_ZONE', '') == '' -%}
                {{ exceptions.raise_compiler_error("DWH_TIME_ZONE is not set, and the statistics' days are of " ~ row['time_zone'] ~ ": set it to that in the environment of plain dbt and in .env, or to UTC where all days are to be made anew") }}
            {%- endif -%}
            {%- do exceptions.warn("DWH_TIME_ZONE is " ~ time_zone() ~ ", it was " ~ row['time_zone'] ~ ": the statistics are made anew; let it be the same wherever flows and plain dbt run") -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
