"""The roles dwh_loader, dwh_transformer and dwh_analyst, and what each may do.

Roles belong to the whole server, so another database may have made them already, and a user that
may not make roles has an administrator make them. Whatever is left to an administrator is what
raw.grant_rights() returns; it can be called again at any time, by the owner of schema raw or a
superuser, and is called after every upgrade, so that it also covers tables of later revisions.

What dbt makes is granted by who makes it: dbt_project/macros/rights.sql.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

GRANT_RIGHTS = """
create function raw.grant_rights() returns setof text
language plpgsql
as $$
declare
    database_name text := quote_ident(current_database());
    own_role text;
    area text;
    ledger_and_landing text;
begin
    foreach own_role in array array['dwh_loader', 'dwh_transformer', 'dwh_analyst'] loop
        continue when to_regrole(own_role) is not null;
        begin
            execute format('create role %I nologin', own_role);
        exception
            when duplicate_object or unique_violation then
                null; -- another database of this server was faster
            when insufficient_privilege then
                return next format('create role %s nologin;', own_role);
        end;
    end loop;
    if to_regrole('dwh_loader') is null or to_regrole('dwh_transformer') is null
        or to_regrole('dwh_analyst') is null
    then
        return next 'select raw.grant_rights();';
        return;
    end if;

    grant usage on schema raw to dwh_loader, dwh_transformer, dwh_analyst;
    grant select on all tables in schema raw to dwh_loader, dwh_transformer, dwh_analyst;
    select string_agg(format('raw.%I', tablename), ', ') into ledger_and_landing
    from pg_tables
    where schemaname = 'raw' and tablename <> 'alembic_version';
    execute format('grant insert, update, delete on %s to dwh_loader', ledger_and_landing);
    grant execute on function raw.retire_loads(bigint[]), raw.mark_built_windows(bigint[])
        to dwh_transformer;

    -- Made here, so that nobody else who may create schemas can take one of these names.
    foreach area in array array['staging', 'intermediate', 'dwh', 'product', 'reports', 'audit']
    loop
        if to_regnamespace(area) is null then
            begin
                execute format('create schema %I', area);
            exception when insufficient_privilege then
                return next format('create schema %s authorization dwh_transformer;', area);
                continue;
            end;
        end if;
        -- one that dbt made belongs to who built, and its builds care for it
        if pg_has_role(
            (select nspowner from pg_namespace where nspname = area), 'usage'
        ) then
            execute format('grant usage, create on schema %I to dwh_transformer', area);
            if area not in ('staging', 'intermediate') then
                execute format('grant usage on schema %I to dwh_analyst', area);
            end if;
        end if;
    end loop;

    -- Not everybody who may create schemas may pass that on; the server only warns of it.
    begin
        execute format(
            'grant create on database %s to dwh_transformer, dwh_analyst', database_name
        );
    exception when insufficient_privilege then
        null;
    end;
    foreach own_role in array array['dwh_transformer', 'dwh_analyst'] loop
        if not has_database_privilege(own_role, current_database(), 'create') then
            return next format('grant create on database %s to %s;', database_name, own_role);
        end if;
    end loop;
end;
$$;

comment on function raw.grant_rights() is
    'Makes the roles dwh_loader, dwh_transformer and dwh_analyst and gives them their rights; '
    'returns the statements that are left to an administrator.';
"""

# With the rights of its owner: who builds may not delete raw rows in any other way.
RETIRE_LOADS = """
create or replace function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    retired bigint[];
    raw_table text;
    deleted_rows bigint;
    all_deleted_rows bigint := 0;
begin
    -- Whatever the caller says: a load that no other one has superseded counts, and stays.
    select array_agg(load_id) into retired
    from raw.loads
    where load_id = any (load_ids) and superseded_by is not null;
    -- A withdrawn load keeps its status: it tells that a person took it out.
    update raw.loads set status = 'superseded'
    where load_id = any (retired) and status <> 'withdrawn';
    foreach raw_table in array array[{tables}] loop
        execute format('delete from raw.%I where load_id = any ($1)', raw_table) using retired;
        get diagnostics deleted_rows = row_count;
        all_deleted_rows := all_deleted_rows + deleted_rows;
    end loop;
    return all_deleted_rows;
end;
$$;

revoke execute on function raw.retire_loads(bigint[]) from public;
"""

LANDING = (
    "amplitude_events",
    "appmetrica_events",
    "appmetrica_installations",
    "appmetrica_profiles",
    "appmetrica_sessions_starts",
    "appmetrica_other",
)

# As revision 0002 left it.
RETIRE_LOADS_BEFORE = """
create or replace function raw.retire_loads(load_ids bigint[]) returns bigint
language plpgsql
as $$
declare
    raw_table text;
    deleted_rows bigint;
    all_deleted_rows bigint := 0;
begin
    update raw.loads set status = 'superseded'
    where load_id = any (load_ids) and status <> 'withdrawn';
    foreach raw_table in array array[{tables}] loop
        execute format('delete from raw.%I where load_id = any ($1)', raw_table) using load_ids;
        get diagnostics deleted_rows = row_count;
        all_deleted_rows := all_deleted_rows + deleted_rows;
    end loop;
    return all_deleted_rows;
end;
$$;

grant execute on function raw.retire_loads(bigint[]) to public;
"""


REVOKE = """
do $$
declare
    own_role text;
begin
    for own_role in
        select rolname from pg_roles
        where rolname in ('dwh_loader', 'dwh_transformer', 'dwh_analyst')
    loop
        execute format('revoke all on all tables in schema raw from %I', own_role);
        execute format('revoke all on all functions in schema raw from %I', own_role);
        execute format('revoke all on schema raw from %I', own_role);
    end loop;
end
$$;
"""


def upgrade() -> None:
    op.execute(_with_tables(RETIRE_LOADS))
    op.execute(GRANT_RIGHTS)
    op.execute("revoke execute on function raw.grant_rights() from public")


def downgrade() -> None:
    # The roles stay: other databases of the server may use them.
    op.execute("drop function raw.grant_rights()")
    op.execute(_with_tables(RETIRE_LOADS_BEFORE))
    op.execute(REVOKE)


def _with_tables(statement: str) -> str:
    return statement.replace("{tables}", ", ".join(f"'{table}'" for table in LANDING))
