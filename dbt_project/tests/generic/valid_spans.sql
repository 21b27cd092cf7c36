{#
    Validity spans of one key must follow each other without gap or overlap, valid_from <= t < valid_to, and
    only the last may be open. Lists the spans that do not. Spans may be empty: two records can bear the
    same time.
#}
{% test valid_spans(model, key, tie_breaker) %}

with spans as (

    select
        {{ key }},
        {{ tie_breaker }},
        valid_from,
        valid_to,
        lead(valid_from) over (
            partition by {{ key }} order by valid_from, {{ tie_breaker }}
        ) as next_valid_from
    from {{ model }}

)

select *
from spans
where valid_to is distinct from next_valid_from

{% endtest %}
