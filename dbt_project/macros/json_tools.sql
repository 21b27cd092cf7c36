{% macro text_literal(value) -%}
    '{{ value | string | replace("'", "''") }}'
{%- endmacro %}

{% macro text_array(values) -%}
    array[{% for value in values %}{{ text_literal(value) }}{{ ', ' if not loop.last }}{% endfor %}]::text[]
{%- endmacro %}

{#
    JSON text that jsonb can hold. The escape of the NUL character and halves of surrogate pairs are legal
    in json text and not in jsonb: each becomes U+FFFD, the replacement character. raw keeps what was sent.
    The look-behind counts backslashes: an escaped backslash before "u0000" is plain text.
#}
{% macro storable_json(json_text) -%}
    case
        when strpos({{ json_text }}, '\u0000') > 0 or strpos({{ json_text }}, '\ud') > 0 or strpos({{ json_text }}, '\uD') > 0
            then regexp_replace(regexp_replace(regexp_replace(
                {{ json_text }},
                '(?<!\\)((?:\\\\)*)\\u0000', '\1\ufffd', 'g'),
                '(?<!\\)((?:\\\\)*)\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})', '\1\ufffd', 'g'),
                '(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(?<!\\)((?:\\\\)*)\\u[dD][c-fC-F][0-9a-fA-F]{2}', '\1\ufffd', 'g')
        else {{ json_text }}
    end
{%- endmacro %}

{% macro to_jsonb(json_column) -%}
    ({{ storable_json(json_column ~ '::text') }})::jsonb
{%- endmacro %}
