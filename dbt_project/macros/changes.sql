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

{# The rows of events that hold and are new to the model being built, from the union of the vendors. #}
{% macro winning_events(columns) -%}
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

{# Pre-hook of the marts with key uuid: what no longer holds goes, in the transaction that adds what now does. #}
{% macro delete_removed_events() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where uuid in (
            select removed.uuid
            from {{ intermediate_relation('int_events__deduplicated') }} as removed
            where removed.removed_batch > {{ mark() }}
        )
    {%- endif -%}
{%- endmacro %}

{# Devices whose row speaks of an event that went. #}
{% macro devices_of_removed_events() -%}
    select
        devices.source,
        devices.device_id
    from {{ this }} as devices
    inner join {{ intermediate_relation('int_events__deduplicated') }} as removed
        on removed.uuid in (devices.uuid, devices.first_uuid)
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
    {%- endif -%}
{%- endmacro %}
