{#
    What of the statistics has to be counted anew. int_events__attributed says which events came and went since
    the model's mark; whole days (or weeks, or cohorts) that they touch are deleted, and counted again.
#}
{% macro is_changed() -%}
    (added_batch > {{ mark() }} or removed_batch > {{ mark() }})
{%- endmacro %}

{% macro changed_days() -%}
    select day
    from {{ intermediate_relation('int_events__attributed') }}
    where {{ is_changed() }}
{%- endmacro %}

{# Days from `first` to `last` days behind the changed ones: before them where negative. #}
{% macro days_near_changes(first, last) -%}
    select distinct changed.day + distance.days as day
    from ({{ changed_days() }}) as changed
    cross join generate_series({{ first }}, {{ last }}) as distance (days)
{%- endmacro %}

{% macro changed_weeks() -%}
    select distinct {{ week_of('day') }} as week
    from {{ intermediate_relation('int_events__attributed') }}
    where {{ is_changed() }}
{%- endmacro %}

{# Cohorts that somebody joined or left: also by having come earlier than was known. #}
{% macro changed_cohorts() -%}
    select distinct {{ week_of('first_day') }} as cohort_week
    from {{ intermediate_relation('int_users__first_seen') }}
    where {{ is_changed() }}
{%- endmacro %}

{# The last day on which anyone was active. #}
{% macro last_active_day() -%}
    (
        select max(day)
        from {{ intermediate_relation('int_events__attributed') }}
        where removed_batch is null
            and user_key is not null
    )
{%- endmacro %}

{# Pre-hook of event_counts. #}
{% macro delete_changed_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where day in ({{ changed_days() }})
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of daily_active_users: a user counts for 30 days, and nothing is said of days behind the last. #}
{% macro delete_changed_spans() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where day in ({{ days_near_changes(0, 29) }})
            or day > {{ last_active_day() }}
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of weekly_cohorts. #}
{% macro delete_changed_cohorts() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where cohort_week in ({{ changed_cohorts() }})
            or cohort_week + 7 * week_number in ({{ changed_weeks() }})
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of sessions_daily. #}
{% macro delete_days_without_sessions() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where (day, source) not in (
            select {{ local_day('sessions.started_at') }}, origin.source
            from {{ upstream_relation('sessions') }} as sessions
            cross join lateral (values (sessions.source), ('all')) as origin (source)
        )
    {%- endif -%}
{%- endmacro %}
