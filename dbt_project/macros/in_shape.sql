{#
    One arm of a union: the rows of a relation, of one kind, in a shape that all arms share.
    shape: column -> type, in order. same: columns that the relation has under the same name.
    others: column -> SQL. All further columns of the shape are null.
#}
{% macro in_shape(shape, relation, kind, same, others) -%}
    select
        {{ text_literal(kind) }} as kind
        {%- for column, type in shape.items() %},
        {%- if column in others %}
        {{ others[column] }} as {{ column }}
        {%- elif column in same %}
        {{ column }}
        {%- else %}
        null::{{ type }} as {{ column }}
        {%- endif %}
        {%- endfor %}
    from {{ relation }}
{%- endmacro %}
