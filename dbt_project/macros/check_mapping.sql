{# Everything about the mapping that can be wrong before any data is read; each error names the column. #}
{% macro check_mapping() -%}
    {%- set problems = [] -%}
    {%- set owners = {} -%}
    {%- set with_ehr_id = [] -%}
    {%- for column in mapped_columns() -%}
        {%- set name = column.model ~ '_user_properties.' ~ column.name -%}
        {%- if column.name == 'ehr_id' -%}
            {%- do with_ehr_id.append(column.model) -%}
            {%- if type_family(column.type) != 'text' -%}{%- do problems.append(name ~ ': must be text') -%}{%- endif -%}
        {%- endif -%}
        {%- if type_family(column.type) is none or (type_family(column.type) == 'text' and '(' in column.type) -%}
            {%- do problems.append(name ~ ": unknown type '" ~ column.type ~ "'; known are text, smallint, integer, bigint, numeric, boolean, date, timestamp, timestamptz, jsonb") -%}
        {%- endif -%}
        {%- if column.name | length > 48 -%}{%- do problems.append(name ~ ': the name is longer than 48 characters') -%}{%- endif -%}
        {%- if column.type == 'jsonb' and (column.regex or column.value_map is not none) -%}
            {%- do problems.append(name ~ ': a jsonb column takes no regex and no value_map') -%}
        {%- endif -%}
        {%- for key in column['keys'] if column.name != 'ehr_id' -%}
            {%- for other in owners.get(key, []) -%}
                {%- set ours, theirs = sources_of(column, key), sources_of(other, key) -%}
                {%- if not ours or not theirs or ours | select('in', theirs) | list -%}
                    {%- do problems.append(name ~ ": key '" ~ key ~ "' already belongs to " ~ other.model ~ '_user_properties.' ~ other.name) -%}
                {%- endif -%}
            {%- endfor -%}
            {%- do owners.update({key: owners.get(key, []) + [column]}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if with_ehr_id | sort != ['changeable', 'permanent'] -%}
        {%- do problems.append('both marts need a column ehr_id with config.meta.keys') -%}
    {%- endif -%}
    {%- set patterns = mapped_columns() | selectattr('regex') | list -%}
    {%- if patterns and not problems -%}
        {%- do run_query("create or replace function pg_temp.is_regex(pattern text) returns boolean language plpgsql as
            $$ begin perform regexp_match('', pattern); return true; exception when others then return false; end $$") -%}
        {%- for column in patterns -%}
            {%- if not run_query('select pg_temp.is_regex(' ~ text_literal(column.regex) ~ ') as is_regex').rows[0]['is_regex'] -%}
                {%- do problems.append(column.model ~ '_user_properties.' ~ column.name ~ ": broken regex '" ~ column.regex ~ "'") -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if problems -%}
        {{ exceptions.raise_compiler_error('field_mappings.yaml: ' ~ problems | join('; ')) }}
    {%- endif -%}
{%- endmacro %}
