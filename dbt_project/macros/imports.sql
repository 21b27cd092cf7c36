{#
    How the tables of schema reports know what is new.

    import_reports writes users and telemetry in one transaction, and raw.telemetry_days tells which import
    last touched a day. A model's mark is the last import that it has taken in whole. It stands in
    reports.import_marks and moves in the transaction that writes the model. Beside it stands the newest import
    that the model may show anything of: that is a later one where users were built before it, and not since.
    The mark also holds the oids of the model's table and of the raw one: when one is another table than the
    mark knows, the model rebuilds itself.

    A model holds a lock, shared, that an import needs to take effect: it sees one import, not two.
#}

{% macro import_marks() -%}
    {{ return(api.Relation.create(
        database=target.database,
        schema=generate_schema_name('reports', none) | trim,
        identifier='import_marks'
    )) }}
{%- endmacro %}

{# Pre-hook of every model of reports. #}
{% macro hold_imports() -%}
    {%- if execute and flags.WHICH in ('run', 'build', 'retry') -%}
        select pg_advisory_xact_lock_shared(hashtext('dwh_helper import_reports'));
        create table if not exists {{ import_marks() }} (
            model text primary key,
            import_id bigint not null,
            seen_import_id bigint not null,
            own_oid oid not null,
            raw_oid oid not null
        )
    {%- endif -%}
{%- endmacro %}

{# The last import that a model has taken in, as SQL; by default the one being built. #}
{% macro import_mark(model_name=none) -%}
    (
        select marks.import_id
        from {{ import_marks() }} as marks
        where marks.model = '{{ model_name or this.identifier }}'
    )
{%- endmacro %}

{#
    Post-hook of every model of reports. A model that reads another one (config.meta.imported_by) has taken in
    what that has; it shows what that shows, or what stands in raw (config.meta.reads_raw).
#}
{% macro set_import_mark() -%}
    {%- if execute -%}
    {%- set upstream = config.get('meta', {}).get('imported_by') -%}
    {%- set newest -%}
        (select coalesce(max(import_id), 0) from raw.report_imports where status = 'imported')
    {%- endset -%}
    insert into {{ import_marks() }} (model, import_id, seen_import_id, own_oid, raw_oid)
    select
        '{{ this.identifier }}',
        {{ import_mark(upstream) if upstream else newest }},
        {%- if config.get('meta', {}).get('reads_raw') %}
        {{ newest }},
        {%- else %}
        (select marks.seen_import_id from {{ import_marks() }} as marks where marks.model = '{{ upstream }}'),
        {%- endif %}
        '{{ this }}'::regclass::oid,
        'raw.telemetry_events'::regclass::oid
    on conflict (model) do update set
        import_id = excluded.import_id,
        seen_import_id = excluded.seen_import_id,
        own_oid = excluded.own_oid,
        raw_oid = excluded.raw_oid
    {%- endif -%}
{%- endmacro %}

{# True when the model cannot go on from its mark. #}
{% macro import_is_lost() -%}
    {%- if load_relation(import_marks()) is none -%}
        {{ return(true) }}
    {%- endif -%}
    {%- set query -%}
        select exists (
            select from {{ import_marks() }}
            where model = '{{ this.identifier }}'
                and own_oid = to_regclass('{{ this }}')::oid
                and raw_oid = to_regclass('raw.telemetry_events')::oid
        ) as is_known
    {%- endset -%}
    {{ return(not run_query(query).rows[0]['is_known']) }}
{%- endmacro %}

{#
    Events of days that an import touched since the model's mark, as a condition. The outer days are given
    as times, too: they choose partitions and ranges of blocks, where the days alone would read everything.
#}
{% macro is_of_changed_days() -%}
    {%- set changed -%}
        select day from raw.telemetry_days where import_id > {{ import_mark() }}
    {%- endset -%}
    event_timestamp >= (select min(day)::timestamp at time zone 'UTC' from ({{ changed }}) as changed)
        and event_timestamp < (select (max(day) + 1)::timestamp at time zone 'UTC' from ({{ changed }}) as changed)
        and (event_timestamp at time zone 'UTC')::date in ({{ changed }})
{%- endmacro %}

{# Pre-hook of users: those whom the CRM has no more. #}
{% macro delete_removed_users() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where user_id not in (select present.user_id from raw.crm_users as present)
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of telemetry_events. #}
{% macro delete_changed_telemetry() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where {{ is_of_changed_days() }}
    {%- endif -%}
{%- endmacro %}

{# Pre-hook of user_prosthesis_daily. #}
{% macro delete_changed_telemetry_days() -%}
    {%- if is_incremental() -%}
        delete from {{ this }}
        where day in (select day from raw.telemetry_days where import_id > {{ import_mark() }})
    {%- endif -%}
{%- endmacro %}

{#
    Post-hook of every model of reports: dwh_analyst may read what is not tagged `personal`, or all of it where
    DWH_ANALYSTS_SEE_PERSONAL is true. In the model's transaction, so that no moment shows more.
#}
{% macro grant_to_analysts() -%}
    {%- if execute and target.name == 'prod' -%}
        {%- set open = [] -%}
        {%- for column in model.columns.values() if analysts_see_personal() or 'personal' not in column.tags -%}
            {%- do open.append(adapter.quote(column.name)) -%}
        {%- endfor -%}
        do $grant$
        begin
            if to_regrole('dwh_analyst') is not null then
                revoke select on {{ this }} from dwh_analyst;
                grant select ({{ open | join(', ') }}) on {{ this }} to dwh_analyst;
            end if;
        end
        $grant$
    {%- endif -%}
{%- endmacro %}

{% macro analysts_see_personal() -%}
    {{ return(env_var('DWH_ANALYSTS_SEE_PERSONAL', 'false') | lower in ('true', '1', 'yes', 'on')) }}
{%- endmacro %}

{# A personal column of the CRM; null where an analyst builds schemas of his own and may not read it. #}
{% macro personal(column) -%}
    {%- if execute and target.name != 'prod' and flags.WHICH in ('run', 'build', 'retry') -%}
        {%- set query -%}
            select has_column_privilege('raw.crm_users', '{{ column }}', 'select') as is_open
        {%- endset -%}
        {%- if not run_query(query).rows[0]['is_open'] -%}
            {{ return('null::text') }}
        {%- endif -%}
    {%- endif -%}
    {{ return('users.' ~ column) }}
{%- endmacro %}
