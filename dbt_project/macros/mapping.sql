{#
    field_mappings.yaml as data: one entry per column of the two user-property marts that has source keys.
    {model: permanent|changeable, name, type, keys, key_sources, regex, value_map, null_values, sources}
    Nothing else in the project lists property names. Unit tests override this macro.
#}
{% macro mapped_columns() -%}
    {%- if not execute -%}{{ return([]) }}{%- endif -%}
    {#- every mark holds the mapping: it is read out of the project once a build, and kept beside its graph -#}
    {%- if 'mapped_columns' not in graph -%}
        {%- do graph.update({'mapped_columns': columns_in_mapping()}) -%}
    {%- endif -%}
    {{ return(graph['mapped_columns']) }}
{%- endmacro %}

{% macro columns_in_mapping() -%}
    {%- set columns = [] -%}
    {%- for kind in ('permanent', 'changeable') -%}
        {%- for column in mapping_model(kind).columns.values() -%}
            {%- set meta = column.get('config', {}).get('meta') or column.get('meta') or {} -%}
            {%- if meta.get('keys') -%}
                {%- do columns.append(mapped_column(kind, column, meta)) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(columns) }}
{%- endmacro %}

{# One entry, every leaf a text, so that it is the same before and after a trip through JSON. #}
{% macro mapped_column(kind, column, meta) -%}
    {%- set value_map = {} -%}
    {%- for text, value in (meta.get('value_map') or {}).items() -%}
        {%- do value_map.update({yaml_text(text): none if value is none else yaml_text(value)}) -%}
    {%- endfor -%}
    {%- set keys, key_sources = [], {} -%}
    {%- for entry in ([meta['keys']] if meta['keys'] is string or meta['keys'] is mapping else meta['keys']) -%}
        {%- set key = (entry['key'] if entry is mapping else entry) | string -%}
        {%- do keys.append(key) -%}
        {%- if entry is mapping and entry.get('sources') -%}
            {%- do key_sources.update({key: as_texts(entry['sources'])}) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return({
        'model': kind,
        'name': column['name'],
        'type': (column.get('data_type') or '') | lower | trim,
        'keys': keys,
        'key_sources': key_sources,
        'regex': meta.get('regex'),
        'value_map': value_map if meta.get('value_map') is not none else none,
        'null_values': as_texts(meta.get('null_values')),
        'sources': as_texts(meta.get('sources')),
    }) }}
{%- endmacro %}

{# The sources whose records a key of a column counts for; none named means all. #}
{% macro sources_of(column, key) -%}
    {{ return((column.get('key_sources') or {}).get(key) or column.get('sources') or []) }}
{%- endmacro %}

{% macro yaml_text(value) -%}
    {{ return((value | lower) if value is boolean else (value | string)) }}
{%- endmacro %}

{% macro as_texts(value) -%}
    {%- set texts = [] -%}
    {%- for entry in ([value] if value is string else (value or [])) -%}
        {%- do texts.append(yaml_text('' if entry is none else entry)) -%}
    {%- endfor -%}
    {{ return(texts) }}
{%- endmacro %}

{# Keys that are known and deliberately not stored. Unit tests override this macro. #}
{% macro ignored_keys() -%}
    {%- set keys = [] -%}
    {%- if execute -%}
        {%- for kind in ('permanent', 'changeable') -%}
            {%- set ignored = mapping_model(kind).config.meta.get('ignored_keys') or {} -%}
            {%- for entry in ignored -%}
                {%- do keys.append((entry['key'] if entry is mapping else entry) | string) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(keys) }}
{%- endmacro %}

{% macro mapping_model(kind) -%}
    {{ return(graph.nodes.values()
        | selectattr('resource_type', 'equalto', 'model')
        | selectattr('name', 'equalto', kind ~ '_user_properties') | first) }}
{%- endmacro %}

{# The columns of one mart, without ehr_id. #}
{% macro property_columns(kind) -%}
    {{ return(mapped_columns() | selectattr('model', 'equalto', kind) | rejectattr('name', 'equalto', 'ehr_id') | list) }}
{%- endmacro %}

{# Name of a property inside the intermediate models, where both marts' columns stand side by side. #}
{% macro internal_name(column) -%}
    {{ return(adapter.quote(column.model ~ '__' ~ column.name)) }}
{%- endmacro %}

{# Keys that some column takes. #}
{% macro mapped_keys() -%}
    {{ return(mapped_columns() | map(attribute='keys') | sum(start=[])) }}
{%- endmacro %}

{% macro known_keys() -%}
    {{ return((mapped_keys() + ignored_keys()) | unique(case_sensitive=true) | sort | list) }}
{%- endmacro %}

{# The mapping as one text: the marks keep it, and compare it. #}
{% macro mapping_json() -%}
    {{ return(tojson({'columns': mapped_columns(), 'ignored': ignored_keys() | sort}, sort_keys=true)) }}
{%- endmacro %}

{#
    Does the step from an older mapping to the present one touch records admitted under the older one?
    Those records hold only keys and values that the older one knew, so what is purely added does not:
    a column or a further key that nothing knew before, further entries of a value_map. A vendor's own
    fields stand in its records whether a mapping knows them or not. Records that people put in name columns,
    and hold a name that is none where it is ignored.
#}
{% macro mapping_change_concerns(older_json) -%}
    {%- if older_json is none -%}{{ return(true) }}{%- endif -%}
    {%- set older = fromjson(older_json) -%}
    {%- set older_keys = older['ignored'] + (older['columns'] | map(attribute='keys') | sum(start=[])) -%}
    {%- set held_keys = older_keys + own_profile_fields() -%}
    {%- set present = {} -%}
    {%- for column in mapped_columns() -%}{%- do present.update({column.model ~ '.' ~ column.name: column}) -%}{%- endfor -%}
    {%- set state = namespace(concerns=false, left=present.keys() | list) -%}
    {%- for was in older['columns'] -%}
        {%- set name = was.model ~ '.' ~ was.name -%}
        {%- set now = present.get(name) -%}
        {%- do state.left.remove(name) if name in state.left -%}
        {%- if now is none -%}
            {%- set state.concerns = true -%}
        {%- else -%}
            {%- set kept_keys = now['keys'] | select('in', held_keys) | list -%}
            {%- if kept_keys != was['keys'] or now.type != was.type or now.regex != was.regex
                or now.null_values != was.null_values or now.sources != was.sources
                or now.get('key_sources', {}) != was.get('key_sources', {})
                or (now.value_map is none) != (was.value_map is none) -%}
                {%- set state.concerns = true -%}
            {%- elif was.value_map is not none -%}
                {%- for text, value in was.value_map.items() -%}
                    {%- if text not in now.value_map or now.value_map[text] != value -%}
                        {%- set state.concerns = true -%}
                    {%- endif -%}
                {%- endfor -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for name in state.left -%}
        {%- if present[name]['keys'] | select('in', held_keys) | list or present[name].name in older['ignored'] -%}{%- set state.concerns = true -%}{%- endif -%}
    {%- endfor -%}
    {%- if older_keys | reject('in', known_keys()) | list -%}{%- set state.concerns = true -%}{%- endif -%}
    {{ return(state.concerns) }}
{%- endmacro %}
