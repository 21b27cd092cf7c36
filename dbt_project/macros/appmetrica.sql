{#
    AppMetrica gives no ids, and equal rows can be two events: the id is made of the row's content, of how
    many equal rows stand before it in its file, and of a snapshot's time where the row is one of a snapshot.
#}
{% macro appmetrica_uuid(row, snapshot_time=none) -%}
    {%- if snapshot_time -%}
    md5({{ row }}.content_hash || ':' || {{ row }}.ordinal || ':' || extract(epoch from {{ snapshot_time }}))::uuid
    {%- else -%}
    case {{ row }}.ordinal
        when 0 then {{ row }}.content_hash
        else md5({{ row }}.content_hash || ':' || {{ row }}.ordinal)::uuid
    end
    {%- endif -%}
{%- endmacro %}

{# What the vendor itself says in each profile, beside the app's custom attributes. #}
{% macro own_profile_fields() -%}
    {{ return([
        'appmetrica_gender', 'appmetrica_birth_date', 'appmetrica_name', 'appmetrica_notifications_enabled',
        'appmetrica_crashes', 'appmetrica_errors', 'appmetrica_first_session_date',
        'appmetrica_last_start_date', 'appmetrica_push_opens', 'appmetrica_push_send_count',
        'appmetrica_sdk_version', 'appmetrica_sessions', 'profile_id',
    ]) }}
{%- endmacro %}

{#
    What a profile says about its user, as one JSON object. The custom attributes stand as they were sent;
    the vendor's own join them where a column of the mapping takes them.
#}
{% macro profile_properties(row) -%}
    {%- set own = own_profile_fields() | select('in', mapped_keys()) | list -%}
    {%- if own -%}
    {{ joined_objects(row ~ '.unknown_fields', 'json_build_object(' ~ own_members(row, own) ~ ')') }}
    {%- else -%}
    {{ row }}.unknown_fields
    {%- endif -%}
{%- endmacro %}

{% macro own_members(row, fields) -%}
    {%- for field in fields -%}
    '{{ field }}', {{ row }}.{{ field }}{{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}
