{{ config(
    incremental_strategy='append',
    pre_hook="{{ delete_changed_days() }}",
    post_hook="{{ set_mark() }}",
    meta={'upstream': 'int_events__attributed'},
    indexes=[{'columns': ['day', 'source', 'event_type']}],
) }}

-- How often each event happened on a day, and to how many. Days that anything came to or went from are counted anew.
select
    day,
    source,
    event_type,
    count(*) as events,
    count(distinct user_key) as users
from {{ ref('int_events__attributed') }}
where removed_batch is null
    {%- if is_incremental() %}
    and day in ({{ changed_days() }})
    {%- endif %}
group by 1, 2, 3
