{# prod writes the schemas of the design; any other target writes schemas of its own, side by side. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set name = custom_schema_name or target.schema -%}
    {{ name if target.name == 'prod' else target.schema ~ '_' ~ name }}
{%- endmacro %}
