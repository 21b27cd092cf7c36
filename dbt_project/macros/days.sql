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

{# PostgreSQL also takes zones such as UTC+3, which lie west of Greenwich, and means them. #}
{% macro check_time_zone() -%}
    {%- if time_zone() != 'UTC' -%}
        {%- set query -%}
            select exists (select from pg_timezone_names where name = {{ text_literal(time_zone()) }}) as is_known
        {%- endset -%}
        {%- if not run_query(query).rows[0]['is_known'] -%}
            {{ exceptions.raise_compiler_error("DWH_TIME_ZONE '" ~ time_zone() ~ "' is no IANA time zone, such as Europe/Moscow") }}
        {%- endif -%}
    {%- endif -%}
{%- endmacro %}
