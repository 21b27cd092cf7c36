{#
    Lists what is wrong with the user properties of new loads, one row per finding: the first thousand of
    each load, key and kind, with the exact count beside them. Fails when there is any; everything below the
    model is then skipped, and nothing changes.
#}
{% test no_findings(model) %}

select
    checked.source,
    checked.file_key,
    sample.line_number,
    checked.key,
    sample.value,
    checked.reason,
    checked.finding_count,
    checked.load_id
from {{ model }} as checked
cross join lateral jsonb_to_recordset(checked.samples) as sample (line_number bigint, value text)
where checked.finding_count > 0
order by checked.load_seq, sample.line_number, checked.key

{% endtest %}
