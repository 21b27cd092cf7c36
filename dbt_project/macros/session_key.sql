{# The key of a row's session; null outside of any, which Amplitude writes as -1. #}
{% macro session_key() -%}
    case
        when session_id <> -1 and coalesce(device_id, user_id) is not null
            then md5(concat_ws('|', source, coalesce(device_id, user_id), session_id))::uuid
    end
{%- endmacro %}
