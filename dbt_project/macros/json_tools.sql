{% macro text_literal(value) -%}
    '{{ value | string | replace("'", "''") }}'
{%- endmacro %}

{% macro text_array(values) -%}
    array[{% for value in values %}{{ text_literal(value) }}{{ ', ' if not loop.last }}{% endfor %}]::text[]
{%- endmacro %}

{#
    JSON text that jsonb can hold. json text may hold what jsonb refuses: the escape of the NUL character and
    halves of surrogate pairs become U+FFFD, the replacement character; text that jsonb still refuses (a
    number of a million digits) becomes a JSON string of itself, so that nothing is lost and the gate sees
    that it is no object. raw keeps what was sent.
#}
{% macro storable_json(json_text) -%}
    case
        when pg_input_is_valid({{ json_text }}, 'jsonb') then {{ json_text }}
        when pg_input_is_valid({{ repaired_json(json_text) }}, 'jsonb') then {{ repaired_json(json_text) }}
        else to_json({{ json_text }})::text
    end
{%- endmacro %}

{# The look-behind counts backslashes: an escaped backslash before "u0000" is plain text. #}
{% macro repaired_json(json_text) -%}
    regexp_replace(regexp_replace(regexp_replace(
        {{ json_text }},
        '(?<!\\)((?:\\\\)*)\\u0000', '\1\ufffd', 'g'),
        '(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})', '\1\ufffd', 'g'),
        '(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(?<!\\)((?:\\\\)*)\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\1\ufffd', 'g')
{%- endmacro %}

{% macro to_jsonb(json_column) -%}
    ({{ storable_json(json_column ~ '::text') }})::jsonb
{%- endmacro %}

{# Two JSON objects as one, text as it stands; the second has members, the first may be null
   and ends with its bracket. #}
{% macro joined_objects(first, second) -%}
    case
        when coalesce({{ first }}::text, '{}') = '{}' then {{ second }}
        else (left({{ first }}::text, -1) || ', ' || substr({{ second }}::text, 2))::json
    end
{%- endmacro %}
