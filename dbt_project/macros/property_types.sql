{#
    The types that a property can have, and how a text becomes one. Exact: a text that a type would only
    take by rounding, guessing or looking at the clock ('today', '01/02/2024', 0x1F, NaN) is not valid.
#}
{% macro type_family(type) -%}
    {%- set name = modules.re.sub('\\s*\\([0-9, ]*\\)$', '', type) -%}
    {{ return({
        'text': 'text', 'varchar': 'text', 'character varying': 'text',
        'smallint': 'integer', 'integer': 'integer', 'int': 'integer', 'bigint': 'integer',
        'numeric': 'numeric', 'decimal': 'numeric',
        'boolean': 'boolean', 'bool': 'boolean',
        'date': 'date',
        'timestamp': 'timestamp', 'timestamp without time zone': 'timestamp',
        'timestamptz': 'timestamptz', 'timestamp with time zone': 'timestamptz',
        'jsonb': 'jsonb',
    }.get(name)) }}
{%- endmacro %}

{% macro text_is_valid(text, type) -%}
    {%- set family = type_family(type) -%}
    {%- if family == 'integer' -%}
        {{ text }} ~ '^\s*[+-]?[0-9]+(\.0+)?\s*$'
        and pg_input_is_valid(split_part(btrim({{ text }}, E' \t\r\n'), '.', 1), '{{ type }}')
    {%- elif family == 'numeric' -%}
        {{ text }} ~ '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\s*$'
        and pg_input_is_valid({{ text }}, '{{ type }}')
        {%- if '(' in type %}
        and case when pg_input_is_valid({{ text }}, '{{ type }}') then {{ text }}::numeric = {{ text }}::{{ type }} end
        {%- endif -%}
    {%- elif family == 'boolean' -%}
        lower(btrim({{ text }}, E' \t\r\n')) in ('true', 'false', 't', 'f', 'yes', 'no', 'y', 'n', 'on', 'off', '1', '0')
    {%- elif family == 'date' -%}
        {{ text }} ~ '^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]00:00(:00(\.0+)?)?(Z|[+-]00(:?00)?)?)?\s*$'
        and pg_input_is_valid({{ text }}, 'date')
    {%- else -%}
        {{ text }} ~ '^\s*[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?\s*([zZ]|[+-][0-9]{2}(:?[0-9]{2})?)?)?\s*$'
        and pg_input_is_valid({{ text }}, '{{ type }}')
    {%- endif -%}
{%- endmacro %}

{% macro text_as_type(text, type) -%}
    {%- set family = type_family(type) -%}
    {%- if family == 'text' -%}
        {{ text }}
    {%- elif family == 'integer' -%}
        split_part(btrim({{ text }}, E' \t\r\n'), '.', 1)::{{ type }}
    {%- elif family == 'timestamptz' -%}
        {#- a time without a zone is UTC, whatever the session's zone -#}
        ({{ text }} || case when {{ text }} ~ '([zZ]|[T ][0-9:.,]+\s*[+-][0-9:]+)\s*$' then '' else ' UTC' end)::{{ type }}
    {%- elif family == 'timestamp' -%}
        {#- a time with a zone is turned to UTC first -#}
        case when {{ text }} ~ '([zZ]|[T ][0-9:.,]+\s*[+-][0-9:]+)\s*$'
            then {{ text }}::timestamptz at time zone 'UTC' else {{ text }}::timestamp end
    {%- elif family == 'boolean' -%}
        btrim({{ text }}, E' \t\r\n')::boolean
    {%- else -%}
        {{ text }}::{{ type }}
    {%- endif -%}
{%- endmacro %}
