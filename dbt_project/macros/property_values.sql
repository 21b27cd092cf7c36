{#
    One property value, from the key in the JSON object to the typed column: SQL for its text, for what is
    wrong with it, and for the typed value. They need `properties` (jsonb, always an object) in scope and the
    record `property` of from_properties(). Nothing depends on the session's DateStyle or TimeZone.
#}

{# All mapped keys of the object in one pass: jsonb_to_record reads the object once, ->> once per key. #}
{% macro from_properties(columns) -%}
    {%- set keys = [] -%}
    {%- for column in columns -%}{%- for key in column['keys'] -%}
        {%- do keys.append(key) if fits_identifier(key) -%}
    {%- endfor -%}{%- endfor -%}
    cross join lateral jsonb_to_record(properties) as property (
        {%- for key in (keys | unique(case_sensitive=true)) or ['ehr_id'] -%}
        "{{ key | replace('"', '""') }}" text{{ ', ' if not loop.last }}
        {%- endfor -%}
    )
{%- endmacro %}

{# PostgreSQL cuts identifiers at 63 bytes, and an empty one is none. #}
{% macro fits_identifier(key) -%}
    {{ return(0 < (key.encode('utf-8') | length) <= 63) }}
{%- endmacro %}

{% macro sent_text(key) -%}
    {%- if fits_identifier(key) -%}
        property."{{ key | replace('"', '""') }}"
    {%- else -%}
        (properties ->> {{ text_literal(key) }})
    {%- endif -%}
{%- endmacro %}

{# True where the value means nothing. AppMetrica has no other word for it than the empty text. #}
{% macro means_nothing(column, key) -%}
    {%- set sent = sent_text(key) -%}
    {{ sent }} is null or ({{ sent }} = '' and source = 'appmetrica')
    {%- if column.null_values %} or {{ sent }} = any({{ text_array(column.null_values) }}){% endif -%}
    {%- if column.name == 'ehr_id' %} or btrim({{ sent }}) = ''{% endif -%}
{%- endmacro %}

{# The text after regex and value_map, for a value that means something and has no problem. #}
{% macro picked_text(column, key) -%}
    {%- if column.regex -%}
        (regexp_match({{ sent_text(key) }}, {{ text_literal(column.regex) }}))[1]
    {%- else -%}
        {{ sent_text(key) }}
    {%- endif -%}
{%- endmacro %}

{% macro mapped_text(column, key) -%}
    {%- if column.value_map is not none -%}
        case {{ picked_text(column, key) }}
        {%- for text, value in column.value_map.items() %}
            when {{ text_literal(text) }} then {{ 'null' if value is none else text_literal(value) }}
        {%- endfor %} end
    {%- else -%}
        {{ picked_text(column, key) }}
    {%- endif -%}
{%- endmacro %}

{% macro property_problem(column, key) -%}
    {%- set picked = picked_text(column, key) -%}
    {%- set mapped = mapped_text(column, key) -%}
    case
        {%- if sources_of(column, key) %}
        when source <> all({{ text_array(sources_of(column, key)) }}) then null
        {%- endif %}
        when {{ means_nothing(column, key) }} then null
        {%- if column.type != 'jsonb' %}
        when left({{ sent_text(key) }}, 1) in ('{', '[')
            and jsonb_typeof(properties -> {{ text_literal(key) }}) in ('object', 'array') then 'nested_value'
        {%- endif %}
        when is_repaired and strpos({{ sent_text(key) }}, U&'\FFFD') > 0 then 'unstorable_text'
        {%- if column.regex %}
        when regexp_match({{ sent_text(key) }}, {{ text_literal(column.regex) }}) is null then 'no_regex_match'
        {%- endif %}
        {%- if column.value_map is not none %}
        when {{ picked }} <> all({{ text_array(column.value_map.keys()) }}) then 'outside_value_map'
        {%- endif %}
        {%- if type_family(column.type) not in ('text', 'jsonb') %}
        when {{ mapped }} is not null and not ({{ text_is_valid(mapped, column.type) }}) then 'invalid_{{ type_family(column.type) }}'
        {%- endif %}
    end
{%- endmacro %}

{# The typed value: the first key that means something. #}
{% macro property_value(column) -%}
    {%- if column.sources %}case when source = any({{ text_array(column.sources) }}) then {% endif -%}
    coalesce(
        {%- for key in column['keys'] %}
        case when not ({{ means_nothing(column, key) }})
            {%- if key in (column.get('key_sources') or {}) %}
            and source = any({{ text_array(column.key_sources[key]) }})
            {%- endif %} then
            {% if column.type == 'jsonb' -%} properties -> {{ text_literal(key) }}
            {%- else -%} {{ text_as_type(mapped_text(column, key), column.type) }} {%- endif %} end
            {{- ',' if not loop.last }}
        {%- endfor %}
    )
    {%- if column.sources %} end{% endif -%}
{%- endmacro %}

{#
    The same for a record that was put in directly: its keys are the names of columns, its values typed already.
    What a column took once it may not take any more, for the mapping can change.
#}
{% macro named_text(object, column) -%}
    ({{ object }} ->> {{ text_literal(column.name) }})
{%- endmacro %}

{% macro named_problem(object, column) -%}
    {%- set sent = named_text(object, column) -%}
    case
        when {{ sent }} is null then null
        {%- if column.type != 'jsonb' %}
        when jsonb_typeof({{ object }} -> {{ text_literal(column.name) }}) in ('object', 'array') then 'nested_value'
        {%- endif %}
        {%- if type_family(column.type) not in ('text', 'jsonb') %}
        when not ({{ text_is_valid(sent, column.type) }}) then 'invalid_{{ type_family(column.type) }}'
        {%- endif %}
    end
{%- endmacro %}

{% macro named_value(object, column) -%}
    {%- if column.type == 'jsonb' -%}
    ({{ object }} -> {{ text_literal(column.name) }})::jsonb
    {%- else -%}
    {{ text_as_type(named_text(object, column), column.type) }}
    {%- endif -%}
{%- endmacro %}
