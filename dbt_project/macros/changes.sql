{# Loads that went since the model's mark, as a list of load_ids: known before the SQL is written, because
   the case is rare and its arm of the query is dear. #}
{% macro loads_removed_since_mark() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select load_id
        from {{ intermediate_relation('int_loads__validated') }}
        where removed_batch > {{ mark() }} and admitted_batch <= {{ mark() }}
        order by load_id
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{%- endmacro %}

{# Whether any row was ever put in directly: only then events have parts, and looking for them has a price. #}
{% macro has_direct_loads() -%}
    {%- set validated = intermediate_relation('int_loads__validated') -%}
    {%- if not execute or load_relation(validated) is none -%}{{ return(true) }}{%- endif -%}
    {%- set query -%}
        select exists (select from {{ validated }} where source = 'direct') as has_any
    {%- endset -%}
    {{ return(run_query(query).rows[0]['has_any']) }}
{%- endmacro %}

{#
    The rows that hold and are new to the model being built, from the union of the vendors.
    kinds: of which kinds (event, session_start, installation, profile, or the table that a row was put into
    directly), all of them where none is named.
#}
{% macro winning_events(columns, kinds=[]) -%}
    select
        {%- for column in columns %}
        events.{{ column }},
        {%- endfor %}
        events.load_id,
        events.line_number
    from {{ ref('int_events__unioned') }} as events
    inner join {{ ref('int_events__deduplicated') }} as winners
        on events.load_id = winners.load_id
        and events.line_number = winners.line_number
    where winners.removed_batch is null
        {%- if kinds %}
        and events.kind = any({{ text_array(kinds) }})
        {%- endif %}
        {%- if is_incremental() %}
        and winners.added_batch > {{ mark() }}
        and events.load_id in (
            select fresh.load_id
            from {{ ref('int_events__deduplicated') }} as fresh
            where fresh.added_batch > {{ mark() }}
                and fresh.removed_batch is null
        )
        {%- endif %}
{%- endmacro %}

{#
    Pre-hook of the marts with key uuid: what no longer holds goes, in the transaction that adds what now does.
    part: of the directly given rows that stand there; those of other tables come and go without it.
#}
{% macro delete_removed_events(part) -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where uuid in (
            select removed.uuid
            from {{ intermediate_relation('int_events__deduplicated') }} as removed
            where removed.removed_batch > {{ mark() }}
                and removed.part in ('', '{{ part }}')
        )
    {%- endif -%}
{%- endmacro %}

{# Devices whose row speaks of an event or report that went. #}
{% macro devices_of_removed_events() -%}
    select
        devices.source,
        devices.device_id
    from {{ this }} as devices
    inner join {{ intermediate_relation('int_events__deduplicated') }} as removed
        on removed.uuid in (devices.uuid, devices.first_uuid, devices.installation_uuid)
    where removed.removed_batch > {{ mark() }}
{%- endmacro %}

{# Pre-hook of mobile_devices: devices that no event speaks of any more. #}
{% macro delete_vanished_devices() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where (source, device_id) in ({{ devices_of_removed_events() }})
            and not exists (
                select
                from {{ upstream_relation('technical_data') }} as events
                where events.source = {{ this }}.source
                    and events.device_id = {{ this }}.device_id
                    and events.platform is distinct from 'Web'
            )
            and not exists (
                select
                from {{ upstream_relation('int_app_reports') }} as reports
                where reports.source = {{ this }}.source
                    and reports.device_id = {{ this }}.device_id
            )
    {%- endif -%}
{%- endmacro %}

{# Sessions of which anything came or went. #}
{% macro changed_sessions() -%}
    select changes.session_key
    from {{ intermediate_relation('int_events__deduplicated') }} as changes
    where changes.session_key is not null
        and (changes.added_batch > {{ mark() }} or changes.removed_batch > {{ mark() }})
{%- endmacro %}

{# Pre-hook of sessions: those of which nothing is left. #}
{% macro delete_vanished_sessions() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where session_key in ({{ changed_sessions() }})
            and session_key not in (
                select present.session_key
                from {{ intermediate_relation('int_events__deduplicated') }} as present
                where present.removed_batch is null
                    and present.session_key in ({{ changed_sessions() }})
            )
    {%- endif -%}
{%- endmacro %}
