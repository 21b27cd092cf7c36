{#
    One arm of a union: the rows of a relation, of one kind, in a shape that all arms share. The first columns
    are the kind, and the part that a row speaks for: an event as a whole, unless `others` says otherwise.
    shape: column -> type, in order. same: columns that the relation has under the same name.
    others: column -> SQL. All further columns of the shape are null.
#}
{% macro in_shape(shape, relation, kind, same, others) -%}
    select
        {{ others.get('kind', text_literal(kind)) }} as kind,
        {{ others.get('part', "''") }} as part
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
